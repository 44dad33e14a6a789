"""Clients that leave: what a server that does not clean up is left with, and that loyal clients miss nothing."""

import numpy as np
import pandas as pd
import pytest

from reports.charts.style import styled
from reports.experiments import load
from reports.experiments.effects import measured
from reports.experiments.experiment_page import look_of
from reports.experiments.practices import disconnects
from tests.experiments.arms import observed_arm
from tests.experiments.made_up import repeated

MANY = 10
"""At least every tenth visitor is left behind. On a busy machine many leave before the server has looked at them."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    return {arm: observed_arm("disconnects", arm, tmp_path_factory.mktemp(arm)).figures for arm in disconnects.ARMS}


def test_who_cleans_up_has_nobody_left_when_visitors_are_gone(figures: dict[str, dict[str, float]]) -> None:
    assert figures["clean"]["waiting_left"] == 0
    assert figures["clean"]["tasks_left"] <= 5


def test_a_handler_that_ignores_disconnects_keeps_streams_and_their_tasks(
    figures: dict[str, dict[str, float]],
) -> None:
    assert figures["ignores"]["waiting_left"] > figures["ignores"]["visitors"] / MANY
    assert figures["ignores"]["tasks_left"] >= figures["ignores"]["waiting_left"]


def test_waiters_that_are_never_removed_pile_up_without_a_task(figures: dict[str, dict[str, float]]) -> None:
    assert figures["leaks"]["waiting_left"] > figures["leaks"]["visitors"] / MANY
    assert figures["leaks"]["tasks_left"] <= 5


@pytest.mark.parametrize("arm", ["ignores", "leaks"])
def test_loyal_clients_miss_nothing_whatever_others_leave_behind(
    figures: dict[str, dict[str, float]], arm: str
) -> None:
    """What that costs in memory shows after more visitors than a quick measurement has."""
    assert (figures[arm]["missed"], figures["clean"]["missed"]) == (0, 0)


def made_up(arm: str, run: int) -> dict[str, float]:
    bad = arm != "clean"
    return {
        "memory_growth_bytes": (20e6 if bad else 1e6) + run,
        "waiting_left": 1200.0 if bad else 0.0,
        "cpu_us_per_message": (600.0 if bad else 300.0) + run,
        "stop_ms": (5000.0 if arm == "ignores" else 100.0) + run,
        "tasks_left": 1200.0 if arm == "ignores" else 0.0,
        "missed": 0.0,
    }


def test_the_verdict_counts_what_each_leaves_behind() -> None:
    effects = measured(disconnects.EFFECTS, repeated(made_up, disconnects.ARMS))
    assert "leaves 1,200 waiters and 20\N{NARROW NO-BREAK SPACE}MB behind" in disconnects.verdict(effects)
    assert not any(each.contradicts for each in effects.values())
    unproven = measured(disconnects.EFFECTS, repeated(made_up, disconnects.ARMS, repeats=2))
    assert disconnects.verdict(unproven).count("is not shown") == 2


def test_the_chart_draws_memory_and_waiters_over_time_and_what_a_message_costs() -> None:
    rows = [
        {"arm": arm, "repeat": repeat, **point}
        for arm in disconnects.ARMS
        for repeat in (1, 2)
        for point in (
            {"at_s": 0.0, "rss_bytes": 50e6, "waiting": 4.0, "tasks": 9.0},
            {"at_s": 1.0, "rss_bytes": 51e6, "waiting": 9.0, "tasks": 9.0},
            {"cpu_us_per_message": 300.0},
        )
    ]
    with styled():
        memory, waiting, cpu = disconnects.draw(pd.DataFrame(rows), look_of(load("disconnects"))).axes
    assert [np.asarray(line.get_ydata()).tolist() for line in memory.lines] == [[0.0, 1.0]] * 6
    assert [np.asarray(line.get_ydata()).tolist() for line in waiting.lines] == [[4.0, 9.0]] * 6
    assert [np.asarray(line.get_ydata()).tolist() for line in cpu.lines] == [[300.0, 300.0]] * 3
