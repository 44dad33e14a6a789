"""A page and its assets, loaded by our client and by a real Chromium, which refuses pushes in its first frame."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loadtests.experiments.observations import Observation
from loadtests.experiments.practices.page_push import CHROMIUM, OURS, RTTS_MS, THINK_S
from reports.charts.style import styled
from reports.experiments import load
from reports.experiments.effects import measured
from reports.experiments.experiment_page import look_of
from reports.experiments.practices.page_push import ARMS, EFFECTS, draw, expected_ms, verdict
from tests.experiments.arms import observed_arm
from tests.server_process import ROOT


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Observation]:
    arms = ("plain", "hints", "push")
    return {arm: observed_arm("page-push", arm, tmp_path_factory.mktemp(arm)) for arm in arms}


@pytest.mark.peer
def test_a_push_saves_requests_and_time_and_sends_again_what_is_there_already(seen: dict[str, Observation]) -> None:
    plain, push = seen["plain"].figures, seen["push"].figures
    assert (plain["requests"], plain["pushes"]) == (3, 0)
    assert (push["requests"], push["pushes"], push["unwanted"]) == (1, 2, 2)
    assert push["client_ms"] < plain["client_ms"]
    assert push["again_bytes"] > plain["again_bytes"]


@pytest.mark.peer
def test_hints_let_both_clients_ask_sooner(seen: dict[str, Observation]) -> None:
    plain, hints = seen["plain"].figures, seen["hints"].figures
    assert (plain["chromium_hinted"], hints["chromium_hinted"]) == (0, 2)
    assert hints["client_ms"] < plain["client_ms"]
    assert hints["requests"] == 3


@pytest.mark.peer
def test_chromium_refuses_pushes_in_its_settings_and_asks_for_every_asset(seen: dict[str, Observation]) -> None:
    push = seen["push"]
    assert push.figures["chromium_refuses_push"] == 1
    assert push.figures["chromium_requests"] == 3
    assert {str(point["client"]): point["mode"] for point in push.points} == {OURS: "pushed", CHROMIUM: "refused"}
    assert all("ENABLE_PUSH=0" in str(point["settings"]) for point in push.points)
    assert {str(point["browser"]).split("/")[0] for point in push.points} == {"Chrome"}


@pytest.mark.parametrize(("name", "words"), [("page-push", "pollbench: "), ("all", "page-push is left out: ")])
def test_without_a_browser_it_is_said_in_one_line_and_all_goes_on(name: str, words: str, tmp_path: Path) -> None:
    taken = tmp_path / "a file"
    taken.touch()
    command = [sys.executable, "-m", "pollbench", "experiment", name, "--out", str(taken)]
    environment = os.environ | {"CHROMIUM": "/nowhere/chromium"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    said, *then = done.stderr.splitlines()
    assert said.startswith(f"{words}/nowhere/chromium is not installed; install it with scripts/install-test-tools")
    assert ("name a folder that can be written" in "".join(then)) == (name == "all")


@pytest.mark.parametrize("rtt_ms", RTTS_MS)
def test_arithmetic_puts_push_before_hints_before_nothing(rtt_ms: float) -> None:
    push, hints, plain = (expected_ms(arm, rtt_ms, 1000 * THINK_S) for arm in ("push", "hints", "plain"))
    assert push <= hints <= plain
    assert plain - push == rtt_ms


def made_up(*, helps: bool = True) -> dict[tuple[str, int], dict[str, float]]:
    times_ms = (
        {"plain": 300.0, "preload": 299.0, "hints": 200.0, "push": 205.0} if helps else dict.fromkeys(ARMS, 300.0)
    )
    return {
        (arm, repeat): {
            "client_ms": time_ms + repeat,
            "chromium_ms": time_ms + 10 * repeat,
            "requests": 1.0 if arm == "push" else 3.0,
            "client_bytes": 1000.0,
            "again_bytes": 900.0 if arm == "push" else 500.0,
        }
        for arm, time_ms in times_ms.items()
        for repeat in range(5)
    }


def test_the_answer_names_what_was_measured_and_says_so_when_nothing_was_shown() -> None:
    said = verdict(measured(EFFECTS, made_up()))
    assert "100\N{NARROW NO-BREAK SPACE}ms sooner" in said
    assert "900" in said
    assert "not shown" in verdict(measured(EFFECTS, made_up(helps=False)))


def test_the_picture_shows_both_clients_and_quotes_the_frame() -> None:
    points: list[dict[str, Any]] = [
        {
            "arm": arm,
            "repeat": 1,
            "client": client,
            "rtt_ms": rtt_ms,
            "think_ms": 100.0,
            "complete_ms": expected_ms(arm, rtt_ms, 100.0) + 5,
            "page_ms": 1.0,
            "browser": "Chrome/1",
            "settings": "HEADER_TABLE_SIZE=65536, ENABLE_PUSH=0",
            "mode": "refused",
        }
        for arm in ARMS
        for client in (OURS, CHROMIUM)
        for rtt_ms in RTTS_MS
    ]
    with styled():
        figure = draw(pd.DataFrame(points), look_of(load("page-push")))
    ours, chromium = figure.axes
    assert (len(ours.lines), len(chromium.lines)) == (3 * len(ARMS), 2 * len(ARMS))
    assert any("ENABLE_PUSH=0" in text.get_text() for text in chromium.texts)
