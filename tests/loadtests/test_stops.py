"""A load process that is stopped, for a while or for good, is found out: its run is never valid, nor endless."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from loadtests.records.manifest import Cell
from loadtests.runs import runner
from loadtests.scenario.plan import Plan, PlannedCell
from loadtests.scenario.scenarios import Scenario
from reports.data.load import load
from reports.measures.measures import per_cell, summary
from reports.validity.caution import verdict
from reports.validity.checks import cautions

pytestmark = [pytest.mark.slow, pytest.mark.apart]

STEADY = Scenario(name="feed", purpose="tests", clients=(4,), schedule="steady:20", warmup_s=0.2, window_s=5.0)
LABELS = {
    "sse": "Server-Sent Events",
    "websocket": "WebSocket",
    "chunked": "Chunked streaming",
    "http2_push": "HTTP/2 push",
    "long_polling": "Long polling",
}
FOR_GOOD = 1e9


class Stopper:
    """Stops the load process (SIGSTOP) once it has written down that messages came, and lets it go on when it is time.

    That is told it from outside, as when somebody suspends it: nothing in it can see it coming.
    """

    def __init__(self, run_dir: Path, for_s: float) -> None:
        self._run_dir = run_dir
        self._for_s = for_s
        self._stopped_at = 0.0
        self._pid = 0

    def starts(self, planned: PlannedCell) -> None: ...

    def tick(self) -> None:
        if not self._pid:
            written = [rows for rows in self._run_dir.rglob("deliveries-*.rows") if rows.stat().st_size]
            for rows in written[:1]:
                self._pid = int(rows.stem.rpartition("-")[2])
                os.kill(self._pid, signal.SIGSTOP)
                self._stopped_at = time.monotonic()
        elif self._stopped_at and time.monotonic() - self._stopped_at >= self._for_s:
            os.kill(self._pid, signal.SIGCONT)
            self._stopped_at = 0.0

    def ended(self, cell: Cell) -> None: ...


@pytest.mark.parametrize(
    ("pattern", "stop_s", "processes"),
    [
        ("sse", 3.0, 1),
        ("websocket", 1.0, 1),
        ("chunked", 0.5, 1),
        ("http2_push", 0.5, 1),
        ("long_polling", 1.0, 1),
        ("sse", FOR_GOOD, 1),
        ("http2_push", FOR_GOOD, 1),
        ("sse", 1.0, 2),
    ],
)
def test_a_run_whose_load_process_stood_still_is_invalid(
    tmp_path: Path, pattern: str, stop_s: float, processes: int
) -> None:
    """Of several, one is enough."""
    plan, labels = Plan(replace(STEADY, load_processes=processes), (pattern,), 1), {pattern: LABELS[pattern]}
    runner.begin(tmp_path, plan, labels, "run")
    runner.run_cells(tmp_path, plan.cells(), labels, Stopper(tmp_path, stop_s))
    run = load(tmp_path)
    cells = per_cell(run)
    found = cautions(run, cells, summary(run, cells))
    assert verdict(found) == "INVALID"
    assert any(caution.what.startswith("The load generator stood still for") for caution in found)
    (row,) = cells.to_dict("records")
    assert row["generator_lag_max_ms"] > 0.9 * min(stop_s * 1000, row["generator_stopped_ms"]) > 0
    assert row["p99_ms_floor"] < 0.5 * row["p99_ms"], "the interval holds what a reader would have seen that was awake"
