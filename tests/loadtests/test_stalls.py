"""A generator that stalls is found out: its stalls count as its own, and not as the server's or the network's."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from loadtests.records.manifest import Cell
from loadtests.runs import runner
from loadtests.runs.commands import OURS, Programs
from loadtests.scenario.plan import Plan, PlannedCell
from loadtests.scenario.scenarios import Scenario
from reports.data.load import Run, load
from reports.measures.measures import latencies, per_cell, summary
from reports.validity.checks import cautions
from servers.home import python
from servers.timing.stamps import AVAILABLE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(not AVAILABLE, reason="only Linux stamps what arrives"),
]

STALLING = replace(
    OURS, load=python("loadtests.locust_ui.start", "-f", str(Path(__file__).with_name("stalling_locustfile.py")))
)
SPACED = Scenario(name="feed", purpose="tests", clients=(4,), schedule="steady:15", warmup_s=0.5, window_s=3.0)
LABELS = {"chunked": "Chunked streaming", "long_polling": "Long polling"}


class Silent:
    """A watcher with nothing to say."""

    def starts(self, planned: PlannedCell) -> None: ...
    def tick(self) -> None: ...
    def ended(self, cell: Cell) -> None: ...


def measured(folder: Path, programs: Programs) -> Run:
    plan = Plan(SPACED, tuple(LABELS), 1)
    runner.begin(folder, plan, LABELS, "compare")
    cells = runner.run_cells(folder, plan.cells(), LABELS, Silent(), programs).cells
    assert [cell.problems for cell in cells] == [[], []]
    return load(folder)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return measured(tmp_path_factory.mktemp("steady"), OURS)


@pytest.fixture(scope="module")
def stalling(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return measured(tmp_path_factory.mktemp("stalling"), STALLING)


def by_pattern(run: Run) -> pd.DataFrame:
    return per_cell(run).set_index(per_cell(run)["pattern"].astype(str))


@pytest.mark.parametrize("pattern", LABELS)
def test_stalls_are_waiting_for_our_loop(steady: Run, stalling: Run, pattern: str) -> None:
    without, found = by_pattern(steady).loc[pattern], by_pattern(stalling).loc[pattern]
    assert min(without["stamped_ratio"], found["stamped_ratio"]) > 0.5
    assert found["wait_mean_ms"] > 5 * without["wait_mean_ms"]
    assert found["wait_mean_ms"] > 5 * found["network_p50_ms"]
    assert found["wait_tail_ms"] > found["network_tail_ms"] + found["lateness_tail_ms"]


@pytest.mark.parametrize("pattern", LABELS)
def test_stalls_are_not_the_networks(stalling: Run, pattern: str) -> None:
    rows = latencies(stalling)
    rows = rows[(rows["pattern"] == pattern) & rows["wait_ms"].notna()]
    network_ms = rows["transit_ms"] - rows["wait_ms"]
    in_stalls = rows["wait_ms"] > rows["wait_ms"].quantile(0.75)
    assert network_ms[in_stalls].median() < 3 * network_ms[~in_stalls].median()
    assert (network_ms >= 0).all()


def test_the_report_says_whose_the_slow_deliveries_are(stalling: Run) -> None:
    found = cautions(stalling, per_cell(stalling), summary(stalling))
    (late,) = [caution.what for caution in found if caution.what.startswith("The load generator was late")]
    assert late.endswith("may be its own (both patterns)")
