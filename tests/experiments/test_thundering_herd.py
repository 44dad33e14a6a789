"""Clients that come together, and what spreads them: counted from real users of a real server."""

from pathlib import Path

import numpy as np
import pytest

from loadtests.experiments.observations import Observation
from reports.charts.style import Look, styled
from reports.experiments import load
from tests.experiments.arms import effects_of, observed, points_of, sure

HERD = load("thundering-herd")
FIGURES = {
    "together": {"peak": 1000.0, "p99_ms": 140.0, "requests_per_s": 500.0},
    "jitter": {"peak": 70.0, "p99_ms": 9.0, "requests_per_s": 480.0},
    "spread": {"peak": 74.0, "p99_ms": 7.0, "requests_per_s": 500.0},
    "held": {"peak": 980.0, "broadcast_peak": 990.0, "lost": 0.0},
    "held-jitter": {"peak": 215.0, "broadcast_peak": 1000.0, "lost": 0.0},
}


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Observation]:
    return observed("thundering-herd", tmp_path_factory.mktemp("herd"))


def test_polls_by_the_clock_come_all_at_once_and_jitter_or_a_spread_start_part_them(
    arms: dict[str, Observation],
) -> None:
    together, jitter, spread = (arms[arm].figures for arm in ("together", "jitter", "spread"))
    assert together["peak"] > 2 * max(jitter["peak"], spread["peak"])
    assert spread["requests_per_s"] == together["requests_per_s"]
    assert together["failed"] == jitter["failed"] == spread["failed"] == 0


def test_jitter_on_holds_parts_those_whose_time_is_up_but_not_those_who_were_told_something(
    arms: dict[str, Observation],
) -> None:
    plain, jitter = arms["held"].figures, arms["held-jitter"].figures
    assert jitter["peak"] < plain["peak"]
    assert jitter["broadcast_peak"] > jitter["peak"]
    assert plain["lost"] == jitter["lost"] == 0


def test_every_request_counted_is_a_point_of_the_chart(arms: dict[str, Observation]) -> None:
    for arm in arms.values():
        assert max(float(point["count"]) for point in arm.points) == max(
            arm.figures["peak"], arm.figures.get("broadcast_peak", 0)
        )


def test_the_verdict_has_the_figures_or_says_that_nothing_is_shown() -> None:
    said = HERD.verdict(sure(HERD, FIGURES))
    assert "from 1,000 to 74 requests" in said
    assert "not proven" not in said
    assert "not shown" in HERD.verdict(effects_of(HERD, FIGURES, 2))


def test_the_chart_has_a_panel_for_each_arm_on_one_scale(tmp_path: Path) -> None:
    points = points_of(HERD, {"at_s": 0.05, "count": 3.0}, {"at_s": 0.15, "count": 40.0})
    with styled():
        drawn = HERD.draw(points, Look.of(HERD.ARMS))
    assert [axes.get_title(loc="left") for axes in drawn.axes] == list(HERD.ARMS.values())
    assert {axes.get_ylim() for axes in drawn.axes} == {drawn.axes[0].get_ylim()}
    assert all(np.array_equal(line.get_ydata(), [3.0, 40.0]) for axes in drawn.axes for line in axes.lines)
    drawn.savefig(tmp_path / "chart.svg")
