"""What one rung says: kept or not, whose fault it was, and whether as many messages left as arrived."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reports.capacity.rungs import judged, under_way
from reports.ci.slo import parse_slo
from reports.data.load import ReportError, load
from tests.other_rows import with_rows
from tests.reports.conftest import SMALL, as_measured
from tests.synthetic import write_run

ONE = replace(SMALL, name="small")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return as_measured(write_run(tmp_path_factory.mktemp("rung"), [ONE], repeats=2, labels={"sse": "SSE"}))


def goals(*texts: str) -> tuple:  # type: ignore[type-arg]
    return tuple(parse_slo(f"slo = {list(texts)}", "--goal"))


def test_a_rung_that_meets_its_goals_is_held_and_nobody_is_to_blame(run_dir: Path) -> None:
    rung = judged(run_dir, 6, goals("p99_ms < 10000", "missed == 0"))
    assert rung.tried.kept == (True, True)
    assert (rung.tried.held, rung.blame) == (True, "")
    assert set(rung.figures) == {"p99_ms", "missed"}


def test_a_rung_that_breaks_a_goal_says_who_was_at_its_limit(run_dir: Path) -> None:
    rung = judged(run_dir, 6, goals("p99_ms < 0.001"))
    assert rung.tried.kept == (False, False)
    assert rung.blame or rung.tried.undecided


def test_a_goal_that_names_no_measure_is_refused(run_dir: Path) -> None:
    with pytest.raises(ReportError, match="p9_ms"):
        judged(run_dir, 6, goals("p9_ms < 5"))


def test_as_many_messages_are_under_way_as_rate_times_time(run_dir: Path) -> None:
    assert list(under_way(load(run_dir)).values()) == pytest.approx([1.0, 1.0], abs=0.1)


def test_messages_that_pile_up_are_more_than_rate_times_time(run_dir: Path) -> None:
    """A server that falls behind by half of each second: what comes in a window is still under way at its end."""
    run = load(run_dir)
    late = run.deliveries.copy()
    begins = late["cell"].map(run.finished.set_index("cell")["window_from_ns"]).astype("int64")
    late["received_ns"] = late["due_ns"] + ((late["due_ns"] - begins).clip(lower=0) * 0.5).astype("int64") + 1_000_000
    ratios = under_way(with_rows(run, deliveries=late))
    assert all(ratio > 1.2 for ratio in ratios.values()), ratios


def test_a_cell_whose_server_ended_is_the_servers_and_any_other_is_ours(tmp_path: Path) -> None:
    whole = write_run(tmp_path / "whole", [ONE], repeats=1, labels={"sse": "SSE"})
    for problem, is_ours in {"the server ended by itself with exit code 9": False, "the load ended": True}.items():
        for file in whole.glob("cells/*/cell.json"):
            text = file.read_text(encoding="utf-8")
            file.write_text(failed(text, problem), encoding="utf-8")
        rung = judged(whole, 6, goals("missed == 0"))
        assert not rung.tried.held
        assert bool(rung.tried.undecided) is is_ours
        assert problem in rung.blame


def failed(text: str, problem: str) -> str:
    cell = json.loads(text)
    return json.dumps(cell | {"status": "failed", "problems": [problem]})
