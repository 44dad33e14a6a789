"""A real nginx holds streams back or does not, and nothing is lost either way."""

from pathlib import Path

import pandas as pd
import pytest

from loadtests.probes.followers import CLIENTS, Followed
from reports.effects import measured
from reports.experiment import look_of
from reports.experiments import load
from reports.experiments.proxy_buffering import ARMS, EFFECTS, draw, figures_of, measure, verdict
from reports.style import styled

MADE_UP = {"buffered": 600.0, "gzip": 5800.0}


@pytest.mark.peer
@pytest.mark.parametrize("holding", ["buffered", "gzip"])
def test_streams_wait_for_messages_behind_them_and_polls_and_websocket_do_not(holding: str, tmp_path: Path) -> None:
    seen = measure(holding, tmp_path, quick=True).figures
    assert seen["missed"] == 0
    for pattern in CLIENTS:
        assert seen[f"repeated_{pattern}"] == 0
    for stream in ("chunked", "sse"):
        assert seen[f"behind_{stream}"] >= 5
        for prompt in ("long_polling", "websocket"):
            assert seen[f"behind_{stream}"] > seen[f"behind_{prompt}"]


@pytest.mark.peer
def test_the_header_sets_streams_free(tmp_path: Path) -> None:
    observation = measure("honoured", tmp_path, quick=True)
    seen = observation.figures
    assert seen["missed"] == 0
    assert str(observation.points[0]["proxy"]).startswith("nginx/")
    assert seen["behind_sse"] < 5
    assert seen["behind_chunked"] < 5


def made_up(*, otherwise: bool = False) -> dict[tuple[str, int], dict[str, float]]:
    """Five repeats of every arm. otherwise: buffering does nothing."""
    figures = {}
    for repeat in range(5):
        for arm in ARMS:
            first_ms = 2.0 + repeat if otherwise else MADE_UP.get(arm, 2.0) + repeat
            figures[arm, repeat] = {f"first_ms_{name}": first_ms for name in CLIENTS} | {
                "missed": 0.0,
                "behind_sse": first_ms // 50,
            }
    return figures


def test_the_answer_names_what_was_measured_and_says_so_when_nothing_was_shown() -> None:
    said = verdict(measured(EFFECTS, made_up()))
    assert "for 602" in said
    assert "for 5.8" in said
    assert "Not shown" in verdict(measured(EFFECTS, made_up(otherwise=True)))


def test_the_picture_has_a_panel_for_each_arm_that_was_measured() -> None:
    points = [
        {"arm": arm, "repeat": 1, "pattern": pattern, "due_s": due / 20, "latency_ms": 1.0 + due, "proxy": "nginx/1"}
        for arm in ("buffered", "honoured", "gzip")
        for pattern in CLIENTS
        for due in range(5)
    ]
    with styled():
        figure = draw(pd.DataFrame(points), look_of(load("proxy-buffering")))
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == 3
    assert all(len(axes.lines) == len(CLIENTS) for axes in shown)


def test_what_came_behind_the_first_message_does_not_count_itself() -> None:
    got = Followed({1: 100, 2: 110}, {1: 90, 2: 99})
    assert figures_of("sse", got)["behind_sse"] == 1
