"""A real cell of which a summary is kept: no row stays, the books close, and its report is that of its rows."""

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from loadtests.records.manifest import Cell
from loadtests.records.to_parquet import collect
from loadtests.runs import runner
from loadtests.runs.keeping import keep
from loadtests.scenario.plan import Plan, PlannedCell
from loadtests.scenario.scenarios import Scenario
from loadtests.summary.folding import TAKEN
from reports.data.load import load
from reports.measures.measures import open_books, per_cell
from reports.page.page import write_report
from servers.patterns import facts
from tests.summary.alike import assert_alike

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


class Copying:
    """Keeps a copy of what the load processes have recorded, the last time when all is there and nothing was taken."""

    def __init__(self, run: Path, copy: Path) -> None:
        self._run, self._copy = run, copy

    def starts(self, planned: PlannedCell) -> None:
        self._raw = self._run / "cells" / planned.name / "raw"

    def tick(self) -> None:
        if any(self._raw.glob("counts-*.json")):
            shutil.copytree(self._raw, self._copy / "raw", dirs_exist_ok=True)

    def ended(self, cell: Cell) -> None: ...


def of_rows(run: Path, cell: Cell, plan: Plan, labels: dict[str, str], copy: Path) -> Path:
    """Return the run as it would be had the rows been kept that were copied."""
    folder, plan = copy / "run", replace(plan, scenario=replace(plan.scenario, keep="rows"))
    runner.begin(folder, plan, labels, "run")
    (planned,) = plan.cells()
    own = Path(shutil.copytree(run / "cells" / cell.name, folder / "cells" / cell.name))
    (own / "summary.json").unlink()
    shutil.copytree(copy / "raw", own / "raw")
    collected = collect(own, TAKEN)
    assert collected.problems == []
    assert all(collected.rows[table] == cell.rows[table] for table in TAKEN)
    keep(own, msgspec.structs.replace(cell, settings=planned.settings))
    return folder


@pytest.mark.slow
def test_a_cell_keeps_a_summary_instead_of_rows_and_nothing_is_unaccounted_for(tmp_path: Path) -> None:
    folder, labels = tmp_path / "run", {PATTERN: facts(PATTERN).label}
    plan = Plan(SCENARIO, (PATTERN,), 1)
    runner.begin(folder, plan, labels, "run")
    outcome = runner.run_cells(folder, plan.cells(), labels, Copying(folder, tmp_path / "copy"))
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
    assert_alike(per_cell(load(of_rows(folder, cell, plan, labels, tmp_path / "copy"))), per_cell(run))
    assert "Only a summary of the deliveries was kept" in write_report(folder).read_text(encoding="utf-8")


def test_what_is_kept_is_part_of_what_a_run_was_asked_for() -> None:
    (planned,) = Plan(SCENARIO, (PATTERN,), 1).cells()
    assert planned.settings["keep"] == "summary"
    (usual,) = Plan(replace(SCENARIO, keep="rows"), (PATTERN,), 1).cells()
    assert usual.settings["keep"] == "rows"
