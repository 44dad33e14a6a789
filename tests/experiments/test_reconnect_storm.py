"""A server killed under load: nothing is lost, and how its clients come back is counted."""

from pathlib import Path

import numpy as np
import pytest

from loadtests.experiments.observations import Observation
from reports.charts.style import Look, styled
from reports.experiments import load
from tests.experiments.arms import effects_of, observed, points_of, sure

STORM = load("reconnect-storm")
SHARED = {"boot_ms": 400.0, "lost": 0.0}
FIGURES = {
    "none": {**SHARED, "attempts_per_client": 21.0, "peak": 917.0, "let_in_peak": 308.0, "recovery_ms": 177.0},
    "fixed": {**SHARED, "attempts_per_client": 2.0, "peak": 500.0, "let_in_peak": 314.0, "recovery_ms": 581.0},
    "exponential": {**SHARED, "attempts_per_client": 5.6, "peak": 397.0, "let_in_peak": 46.0, "recovery_ms": 4600.0},
}


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Observation]:
    return observed("reconnect-storm", tmp_path_factory.mktemp("storm"))


def test_nothing_is_lost_over_a_crash_and_everybody_comes_back(arms: dict[str, Observation]) -> None:
    for arm in arms.values():
        assert (arm.figures["lost"], arm.figures["away"], arm.doubts) == (0, 0, [])


def test_backoff_tries_less_often_and_full_jitter_comes_back_more_evenly(arms: dict[str, Observation]) -> None:
    none, fixed, exponential = (arms[arm].figures for arm in STORM.ARMS)
    assert exponential["attempts_per_client"] < none["attempts_per_client"]
    assert exponential["let_in_peak"] < fixed["let_in_peak"]


def test_the_verdict_has_figures_and_price_or_says_that_nothing_is_shown() -> None:
    said = STORM.verdict(sure(STORM, FIGURES))
    assert "5.6 attempts per client instead of 21," in said
    assert "4.6\u202fs after the server" in said
    assert "nothing was lost" in said
    assert "not shown" in STORM.verdict(effects_of(STORM, FIGURES, 2))


def test_a_verdict_never_hides_a_loss() -> None:
    lossy = FIGURES | {"exponential": FIGURES["exponential"] | {"lost": 3.0}}
    assert "WERE lost" in STORM.verdict(sure(STORM, lossy))


def test_the_chart_marks_when_the_server_was_up(tmp_path: Path) -> None:
    points = points_of(
        STORM, {"at_s": 0.05, "count": 100.0, "mark_s": 1.7}, {"at_s": 0.15, "count": 0.0, "mark_s": 1.7}
    )
    with styled():
        drawn = STORM.draw(points, Look.of(STORM.ARMS))
        drawn.savefig(tmp_path / "chart.svg")
    assert len(drawn.axes) == len(STORM.ARMS)
    assert all(1.7 in np.asarray(line.get_xdata()) for axes in drawn.axes for line in axes.lines[-1:])
