"""A real nginx holds streams back or does not, and nothing is lost either way."""

import pandas as pd
import pytest

from loadtests.experiments.observations import Observation
from loadtests.experiments.practices.proxy_buffering import WINDOW_S, figures_of
from loadtests.host.nginx_config import BUFFER_BYTES
from loadtests.probes.followers import CLIENTS, Followed
from reports.charts.style import styled
from reports.experiments import load
from reports.experiments.effects import measured
from reports.experiments.experiment_page import look_of
from reports.experiments.practices.proxy_buffering import ARMS, EFFECTS, MECHANISM, WINDOW_MS, draw, verdict
from tests.experiments.arms import observed_arm

MADE_UP = {"buffered": 600.0, "gzip": 5800.0}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Observation]:
    arms = ("buffered", "gzip", "honoured")
    return {arm: observed_arm("proxy-buffering", arm, tmp_path_factory.mktemp(arm)) for arm in arms}


@pytest.mark.peer
def test_nothing_is_lost_or_repeated_and_the_proxy_is_named(seen: dict[str, Observation]) -> None:
    for each in seen.values():
        assert each.figures["missed"] == 0
        assert [each.figures[f"repeated_{pattern}"] for pattern in CLIENTS] == [0] * len(CLIENTS)
        assert {str(point["proxy"]).split("/")[0] for point in each.points} == {"nginx"}


@pytest.mark.peer
@pytest.mark.parametrize("stream", ["chunked", "sse"])
def test_streams_wait_for_messages_behind_them_unless_the_header_is_honoured(
    stream: str, seen: dict[str, Observation]
) -> None:
    held, squeezed, free = (seen[arm].figures[f"behind_{stream}"] for arm in ("buffered", "gzip", "honoured"))
    assert free < held < squeezed
    assert squeezed == seen["gzip"].figures["published"] - 1


@pytest.mark.peer
@pytest.mark.parametrize("prompt", ["long_polling", "websocket"])
def test_what_is_no_stream_of_a_response_is_not_held_back(prompt: str, seen: dict[str, Observation]) -> None:
    for arm in ("buffered", "gzip"):
        assert seen[arm].figures[f"behind_{prompt}"] < seen[arm].figures["behind_sse"]


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


def test_the_text_has_the_figures_of_what_is_measured() -> None:
    assert f"{BUFFER_BYTES:,} bytes" in MECHANISM
    assert WINDOW_MS == 1000 * WINDOW_S
