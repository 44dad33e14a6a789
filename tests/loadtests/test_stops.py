"""A load process that is stopped, for a while or for good, is found out: its run is never valid."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from loadtests import runner
from loadtests.plan import Plan
from loadtests.programs import OURS
from loadtests.scenario import Scenario
from reports.caution import verdict
from reports.checks import cautions
from reports.load import load
from reports.measures import per_cell, summary
from tests.loadtests.test_stalls import Silent

pytestmark = [pytest.mark.slow, pytest.mark.alone]

STOPPING = replace(
    OURS, load=(sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("stopping_locustfile.py")))
)
STEADY = Scenario(
    name="feed", purpose="tests", clients=(4,), schedule="steady:20", poll_interval_s=0.2, warmup_s=0.5, window_s=5.0
)
LABELS = {"sse": "Server-Sent Events", "short_polling": "Short polling"}


@pytest.mark.parametrize("stop_s", [3.0, 0.5, -1.0])
def test_a_run_whose_load_process_stood_still_is_invalid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_s: float
) -> None:
    monkeypatch.setenv("STOP_S", str(stop_s))
    plan = Plan(STEADY, tuple(LABELS), 1)
    runner.begin(tmp_path, plan, LABELS, "compare")
    runner.run_cells(tmp_path, plan.cells(), LABELS, Silent(), STOPPING)
    run = load(tmp_path)
    cells = per_cell(run)
    found = cautions(run, cells, summary(run, cells))
    assert verdict(found) == "INVALID"
    assert any(caution.what.startswith("The load generator stood still for") for caution in found)
    assert (cells["generator_stopped_ms"] > 0.9 * (stop_s if stop_s > 0 else 1.0) * 1000).all()
