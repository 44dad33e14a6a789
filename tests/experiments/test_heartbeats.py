"""Heartbeats: what dies in silence is noticed with them and not without, by whom it can be, and nobody else is cut."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loadtests.experiments.observations import Observation
from loadtests.experiments.practices.heartbeats import ARMS, DEAD, FROZEN, VANISHED
from loadtests.probes import silence
from reports.charts.style import styled
from reports.experiments import load
from reports.experiments.effects import measured
from reports.experiments.experiment_page import look_of
from reports.experiments.practices import heartbeats
from tests.experiments.arms import observed_arm
from tests.experiments.made_up import repeated

UNNOTICED = {"frozen sse", "frozen long_polling"}
"""An idle client's frozen process: its kernel acknowledges every heartbeat."""
WHEN_FULL = {"frozen busy"}
"""Noticed when all buffers on its way are full, which may take longer than a short watch."""
needs_linux = pytest.mark.skipif(not silence.AVAILABLE, reason="clients can vanish on Linux only")


def noticed(observation: Observation) -> set[str]:
    return {str(point["dead"]) for point in observation.points if point["noticed"]}


@needs_linux
def test_with_heartbeats_the_dead_are_noticed_and_the_living_kept(tmp_path: Path) -> None:
    with_them = observed_arm("heartbeats", "fast", tmp_path)
    assert noticed(with_them) - WHEN_FULL == {*DEAD} - UNNOTICED - WHEN_FULL
    assert len(UNNOTICED) <= with_them.figures["dead_held"] <= len(UNNOTICED | WHEN_FULL)
    assert with_them.figures["healthy_cut"] == 0
    assert with_them.figures["bytes_per_s"] > 0


@needs_linux
def test_without_heartbeats_nobody_idle_is_noticed_and_nothing_is_sent(tmp_path: Path) -> None:
    without = observed_arm("heartbeats", "off", tmp_path)
    assert not noticed(without) & {*VANISHED, *FROZEN, "server"}
    assert without.figures["bytes_per_s"] == 0


def made_up(arm: str, run: int) -> dict[str, float]:
    beat_s = ARMS[arm]
    known_ms = 3000 * beat_s + run if beat_s else float("nan")
    return {
        "dead_held": 2.0 if beat_s else 7.0,
        "healthy_cut": 0.0,
        "vanished_noticed_ms": known_ms,
        "frozen_noticed_ms": known_ms,
        "server_noticed_ms": known_ms,
        "bytes_per_s": 60 / beat_s if beat_s else 0.0,
        "cpu_us_per_s": 30 / beat_s if beat_s else 1.0,
    }


def test_the_verdict_names_what_is_noticed_after_how_long_and_what_is_not() -> None:
    effects = measured(heartbeats.EFFECTS, repeated(made_up, heartbeats.ARMS))
    verdict = heartbeats.verdict(effects)
    assert "still holds 7 of 7 dead clients" in verdict
    assert "after 4.5\N{NARROW NO-BREAK SPACE}s" in verdict
    assert "None notices an idle SSE client" in verdict
    assert not any(each.contradicts for each in effects.values())


def test_a_verdict_on_what_two_repeats_showed_claims_nothing() -> None:
    effects = measured(heartbeats.EFFECTS, repeated(made_up, heartbeats.ARMS, repeats=2))
    assert heartbeats.verdict(effects).startswith("It is not shown")


def test_the_chart_has_a_lane_for_each_who_died_and_an_arrow_for_what_was_not_noticed() -> None:
    rows = [
        {"arm": arm, "repeat": 1, "dead": dead, "waited_s": 4.5 if seen else 8.0, "noticed": float(seen)}
        for arm in heartbeats.ARMS
        for dead in DEAD
        for seen in [arm != "off" and dead not in UNNOTICED]
    ]
    with styled():
        (axes,) = heartbeats.draw(pd.DataFrame(rows), look_of(load("heartbeats"))).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(heartbeats.DEAD.values())
    assert set(heartbeats.DEAD) == {*DEAD}
    assert sum(np.size(line.get_xdata()) for line in axes.lines if line.get_marker() == "o") == 12
    assert sum(np.size(line.get_xdata()) for line in axes.lines if line.get_marker() == ">") == 12
