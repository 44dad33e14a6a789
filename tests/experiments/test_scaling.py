"""Servers share a feed through a real Redis, which restarts, and one of them dies: a stream loses nothing."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loadtests.experiments.practices.scaling import account, phase_of
from loadtests.probes.cluster import Left
from reports.charts.style import styled
from reports.experiments import load
from reports.experiments.effects import measured
from reports.experiments.experiment_page import look_of
from reports.experiments.practices.scaling import ARMS, EFFECTS, draw, verdict
from tests.experiments.arms import observed_arm


@pytest.mark.peer
def test_a_stream_loses_nothing_when_redis_restarts_and_a_server_dies(tmp_path: Path) -> None:
    seen = observed_arm("scaling", "stream-2", tmp_path).figures
    assert (seen["missed"], seen["repeated"]) == (0, 0)
    assert seen["missed_away"] == seen["missed_death"] == 0
    assert seen["worst_away_ms"] > seen["p50_ms"]
    assert seen["backplane_per_message"] > 1.5


@pytest.mark.peer
def test_pubsub_loses_what_was_due_while_redis_was_away(tmp_path: Path) -> None:
    seen = observed_arm("scaling", "pubsub-2", tmp_path).figures
    assert seen["missed_away"] > 0
    assert seen["missed_calm"] == 0


LEFT = Left(Path("none"), users=2, phases={"calm": (0, 100), "away": (100, 200), "death": (205, 300)})


def test_a_message_belongs_to_the_phase_in_which_it_was_due_or_the_one_before() -> None:
    assert [phase_of(LEFT, due_ns) for due_ns in (-5, 0, 99, 100, 202, 205)] == [
        *["calm"] * 3,
        *["away"] * 2,
        "death",
    ]


def test_what_is_missed_is_counted_for_each_client_and_what_came_twice_only_once() -> None:
    LEFT.due_ns = {1: 10, 2: 110, 3: 120, 4: 210}
    rows = pd.DataFrame(
        {
            "user": [1, 1, 2, 2, 1, 2],
            "id": [1, 1, 1, 2, 4, 4],
            "latency_ms": [1.0, 2.0, 3.0, 90.0, 5.0, 4.0],
            "phase": ["calm", "calm", "calm", "away", "death", "death"],
        }
    )
    assert account(LEFT, rows) == {"calm": (0.0, 3.0), "away": (1.5, 90.0), "death": (0.0, 5.0)}


def test_the_answer_names_what_was_measured() -> None:
    names = {effect.figure for effect in EFFECTS}
    figures = {
        (arm, repeat): dict.fromkeys(names, 2.0 + repeat / 100) | {"missed_away": 50.0 if "pubsub" in arm else 0.0}
        for arm in ARMS
        for repeat in range(5)
    }
    said = verdict(measured(EFFECTS, figures))
    assert "missed 50" in said
    assert "0 with a Stream" in said
    assert "Not shown" in verdict(measured(EFFECTS, {key: value for key, value in figures.items() if key[1] < 2}))


def test_the_picture_marks_each_message_that_was_missed() -> None:
    points: list[dict[str, Any]] = [
        {
            "arm": arm,
            "repeat": 1,
            "due_s": float(at),
            "phase": "away" if at > 2 else "calm",
            "latency_ms": 2.0 if at < 4 else float("nan"),
            "missed_by": 0.0 if at < 4 else 1.0,
        }
        for arm in ARMS
        for at in range(6)
    ]
    with styled():
        figure = draw(pd.DataFrame(points), look_of(load("scaling")))
    assert len(figure.axes) == len(ARMS)
    assert all("2 missed" in axes.get_title(loc="left") for axes in figure.axes)
