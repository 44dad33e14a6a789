"""One greedy client and many others, with a limit and without: who gets what is counted."""

from pathlib import Path

import pytest

from loadtests.experiments.observations import Observation
from reports.charts.style import Look, styled
from reports.experiments import load
from tests.experiments.arms import effects_of, observed, points_of, sure

LIMIT = load("rate-limit")
FIGURES = {
    "off": {"p99_ms": 5.3, "cpu": 80.0, "greedy_per_s": 27000.0, "refused": 0.0},
    "on": {"p99_ms": 2.0, "cpu": 3.8, "greedy_per_s": 12.0, "refused": 0.0},
    "deaf": {"p99_ms": 8.2, "cpu": 47.0, "greedy_per_s": 10.0, "refused": 0.0},
    "nat": {"p99_ms": 12.0, "cpu": 2.2, "greedy_per_s": 12.0, "refused": 0.74},
}


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Observation]:
    return observed("rate-limit", tmp_path_factory.mktemp("limit"))


def test_a_limit_keeps_the_greedy_one_at_its_rate_whether_it_listens_or_not(arms: dict[str, Observation]) -> None:
    for arm in ("on", "deaf", "nat"):
        assert arms[arm].figures["greedy_per_s"] < arms["off"].figures["greedy_per_s"] / 2
    assert arms["deaf"].figures["greedy_refused_per_s"] > arms["on"].figures["greedy_refused_per_s"]


def test_others_are_refused_only_when_they_share_an_address(arms: dict[str, Observation]) -> None:
    assert [arms[arm].figures["refused"] for arm in ("off", "on", "deaf")] == [0, 0, 0]
    assert arms["nat"].figures["refused"] > 0.2


def test_the_verdict_has_the_figures_or_says_that_nothing_is_shown() -> None:
    said = LIMIT.verdict(sure(LIMIT, FIGURES))
    assert "3.8 % of a core, not 80," in said
    assert "74\u202f% of the innocent" in said
    assert "not shown" in LIMIT.verdict(effects_of(LIMIT, FIGURES, 2))


def test_the_chart_shows_what_the_greedy_one_sent_in_each_arm(tmp_path: Path) -> None:
    points = points_of(LIMIT, {"at_s": 0.05, "count": 2700.0}, {"at_s": 0.15, "count": 2.0})
    with styled():
        drawn = LIMIT.draw(points, Look.of(LIMIT.ARMS))
        drawn.savefig(tmp_path / "chart.svg")
    assert [axes.get_title(loc="left") for axes in drawn.axes] == list(LIMIT.ARMS.values())
