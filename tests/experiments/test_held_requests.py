"""One client with hundreds of long polls and a few others: what a limit leaves held is counted."""

from pathlib import Path

import numpy as np
import psutil
import pytest

from loadtests.experiments.observations import Observation
from reports.charts.style import Look, styled
from reports.experiments import load
from tests.experiments.arms import effects_of, observed, points_of, sure

HELD = load("held-requests")
FIGURES = {
    "off": {"held": 3020.0, "p99_ms": 640.0, "memory_bytes": 33e6, "sockets": 3002.0, "cpu": 27.0, "lost": 0.0},
    "on": {"held": 40.0, "p99_ms": 2.7, "memory_bytes": 0.7e6, "sockets": 21.0, "cpu": 11.0, "lost": 0.0},
}


def children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


@pytest.fixture(scope="module")
def shared() -> set[psutil.Process]:
    """Processes that were there before, such as a server that other tests share."""
    return children()


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory, shared: set[psutil.Process]) -> dict[str, Observation]:
    return observed("held-requests", tmp_path_factory.mktemp("held"))


def test_a_limit_leaves_one_client_its_share_and_no_more_sockets_than_that(arms: dict[str, Observation]) -> None:
    off, on = arms["off"].figures, arms["on"].figures
    assert on["held"] < off["held"] / 2
    assert on["sockets"] < off["sockets"] / 2
    assert off["refused_per_s"] == 0 < on["refused_per_s"]


def test_the_others_lose_nothing_either_way(arms: dict[str, Observation]) -> None:
    assert [arm.figures["lost"] for arm in arms.values()] == [0, 0]


def test_no_process_outlives_its_arm(arms: dict[str, Observation], shared: set[psutil.Process]) -> None:
    assert arms
    left = [child for child in children() - shared if child.status() != psutil.STATUS_ZOMBIE]
    assert [child.cmdline() for child in left if {"servers", "loadtests.locust_ui.start"} & set(child.cmdline())] == []


def test_the_verdict_has_the_figures_or_says_that_nothing_is_shown() -> None:
    said = HELD.verdict(sure(HELD, FIGURES))
    assert "from 640\u202fms to 2.7\u202fms" in said
    assert "21 sockets and 700\u202fkB instead of 3,002 and 33\u202fMB" in said
    assert "not shown" in HELD.verdict(effects_of(HELD, FIGURES, 2))


def test_the_chart_draws_the_share_that_has_arrived_for_each_arm(tmp_path: Path) -> None:
    points = points_of(HELD, {"latency_ms": 1.0}, {"latency_ms": 100.0})
    with styled():
        drawn = HELD.draw(points, Look.of(HELD.ARMS))
        drawn.savefig(tmp_path / "chart.svg")
    (axes,) = drawn.axes
    curves = [line for line in axes.lines if len(np.asarray(line.get_xdata()))]
    assert len(curves) == 2 * len(HELD.ARMS)
