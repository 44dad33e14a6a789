"""A real cell of which a summary is kept: no row stays, the books close, and a report comes of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from loadtests.records.manifest import Cell
from loadtests.runs import runner
from loadtests.scenario.plan import Plan, PlannedCell
from loadtests.scenario.scenarios import Scenario
from reports.data.load import load
from reports.measures.measures import open_books, per_cell
from reports.page.page import write_report
from servers.patterns import facts

PATTERN = "long_polling"
SCENARIO = Scenario(
    name="feed",
    purpose="tests",
    clients=(4,),
    schedule="steady:40",
    warmup_s=0.3,
    window_s=2.0,
    drain_s=0.5,
    keep="summary",
)


class Unwatched:
    def starts(self, planned: PlannedCell) -> None: ...
    def tick(self) -> None: ...
    def ended(self, cell: Cell) -> None: ...


@pytest.mark.slow
def test_a_cell_keeps_a_summary_instead_of_rows_and_nothing_is_unaccounted_for(tmp_path: Path) -> None:
    folder, labels = tmp_path / "run", {PATTERN: facts(PATTERN).label}
    plan = Plan(SCENARIO, (PATTERN,), 1)
    runner.begin(folder, plan, labels, "run")
    outcome = runner.run_cells(folder, plan.cells(), labels, Unwatched())
    (cell,) = outcome.cells
    assert (cell.status, cell.problems) == ("finished", [])
    left = {file.name for file in (folder / "cells" / cell.name).iterdir()}
    assert {"cell.json", "summary.json", "samples.parquet", "published.csv"} <= left
    assert not left & {"raw", "requests.parquet", "deliveries.parquet"}
    run = load(folder)
    (row,) = per_cell(run).to_dict("records")
    assert row["owed"] == row["delivered"] == row["received"] == 4 * 80
    assert (row["missed"], row["duplicated"], row["in_flight"], row["discrepancies"]) == (0, 0, 0, 0)
    assert open_books(run, run.finished.to_dict("records")[0]) == []
    assert 0 < row["p50_ms"] <= row["p99_ms"] <= row["max_ms"]
    assert row["requests_per_delivery"] == pytest.approx(1, abs=0.2)
    assert row["wire_bytes_per_delivery"] > row["payload_bytes_per_delivery"] > 200
    assert "Only a summary of the deliveries was kept" in write_report(folder).read_text(encoding="utf-8")


def test_what_is_kept_is_part_of_what_a_run_was_asked_for() -> None:
    (planned,) = Plan(SCENARIO, (PATTERN,), 1).cells()
    assert planned.settings["keep"] == "summary"
    (usual,) = Plan(replace(SCENARIO, keep="rows"), (PATTERN,), 1).cells()
    assert usual.settings["keep"] == "rows"
