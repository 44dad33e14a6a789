"""Several small runs in one folder: each complete one is handed on, and the first that fails ends the series."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from loadtests.runs.commands import Programs
from loadtests.runs.series import run_series
from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import Scenario
from tests.runner.test_runner import LABELS, Watching


def test_a_series_is_runs_side_by_side_and_ends_at_the_first_that_fails(
    tmp_path: Path, brief: Scenario, programs: Callable[..., Programs]
) -> None:
    plans = {
        "first": Plan(brief, ("sse", "chunked"), 1),
        "second": Plan(replace(brief, clients=(3,)), ("nonsense",), 1),
        "third": Plan(brief, ("sse",), 1),
    }
    measured: list[tuple[str, Path]] = []
    labels = {**LABELS, "nonsense": "Nonsense"}
    outcome = run_series(
        tmp_path, "controls", plans, labels, Watching(), lambda *done: measured.append(done), programs()
    )
    assert measured == [("first", tmp_path / "first")]
    assert [cell.status for cell in outcome.cells] == ["finished", "finished", "failed"]
    assert {file.parent.name for file in tmp_path.glob("*/run.json")} == {"first", "second"}
