"""A consumer that is too slow: without a limit the server buffers for it; with one it is closed, and loses nothing."""

import numpy as np
import pandas as pd
import pytest

from reports.charts.style import styled
from reports.experiments import load
from reports.experiments.effects import measured
from reports.experiments.experiment_page import look_of
from reports.experiments.practices import slow_consumers
from tests.experiments.arms import observed_arm
from tests.experiments.made_up import repeated


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    arms = slow_consumers.ARMS
    return {arm: observed_arm("slow-consumers", arm, tmp_path_factory.mktemp(arm)).figures for arm in arms}


def test_a_limit_bounds_what_a_slow_reader_takes_of_the_servers_memory(figures: dict[str, dict[str, float]]) -> None:
    assert figures["bounded"]["memory_bytes"] < figures["unbounded"]["memory_bytes"]


def test_only_with_a_limit_is_it_closed(figures: dict[str, dict[str, float]]) -> None:
    assert figures["unbounded"]["cuts"] == 0
    assert figures["bounded"]["cuts"] >= 1


@pytest.mark.parametrize("arm", ["unbounded", "bounded"])
def test_nobody_misses_a_message_in_the_end(figures: dict[str, dict[str, float]], arm: str) -> None:
    assert figures[arm]["published"] > 0
    lost = {name: figures[arm][name] for name in ("slow_missed", "slow_repeated", "others_missed")}
    assert lost == dict.fromkeys(lost, 0)


def made_up(arm: str, run: int) -> dict[str, float]:
    return {
        "memory_bytes": {"unbounded": 30e6, "bounded": 1e6}[arm] + run,
        "others_p99_ms": 3.0 + run * (-1) ** (run + len(arm)),
        "others_missed": 0.0,
        "slow_missed": 0.0,
        "cuts": {"unbounded": 0.0, "bounded": 1.0}[arm],
    }


def test_the_verdict_says_what_the_limit_saves_and_that_nothing_was_lost() -> None:
    effects = measured(slow_consumers.EFFECTS, repeated(made_up, slow_consumers.ARMS))
    verdict = slow_consumers.verdict(effects)
    assert "took 30\N{NARROW NO-BREAK SPACE}MB" in verdict
    assert "and lost nothing" in verdict
    assert "no proven difference" in verdict
    unproven = measured(slow_consumers.EFFECTS, repeated(made_up, slow_consumers.ARMS, repeats=2))
    assert slow_consumers.verdict(unproven).startswith("It is not shown")


def test_the_chart_draws_the_servers_memory_and_the_kernels() -> None:
    rows = [
        {"arm": arm, "repeat": 1, "at_s": at_s, "memory_bytes": at_s * 1e6, "kernel_bytes": 2e6}
        for arm in slow_consumers.ARMS
        for at_s in (0.0, 1.0, 2.0)
    ]
    with styled():
        memory, kernel = slow_consumers.draw(pd.DataFrame(rows), look_of(load("slow-consumers"))).axes
    assert [np.asarray(line.get_ydata()).tolist() for line in memory.lines] == [[0.0, 1.0, 2.0]] * 2
    assert [np.asarray(line.get_ydata()).tolist() for line in kernel.lines] == [[2.0, 2.0, 2.0]] * 2
