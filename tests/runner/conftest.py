"""A short scenario, and cells whose server or load goes wrong in a chosen way."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.runs.commands import OURS, Programs
from loadtests.scenario.scenarios import Scenario

STAND_IN = Path(__file__).with_name("stand_in.py")


@pytest.fixture
def brief() -> Scenario:
    return Scenario(
        name="feed", purpose="tests", clients=(2,), schedule="steady:20", warmup_s=0.1, window_s=0.4, drain_s=0.1
    )


@pytest.fixture
def programs() -> Callable[..., Programs]:
    """Return the programs of a cell, real ones unless a way to go wrong is named."""

    def make(server: str = "", load: str = "good", relay: str = "", ready_s: float = 30) -> Programs:
        return Programs(
            server=(sys.executable, str(STAND_IN), server) if server else OURS.server,
            load=(sys.executable, str(STAND_IN), load) if load else OURS.load,
            relay=(sys.executable, str(STAND_IN), relay) if relay else OURS.relay,
            ready_s=ready_s,
        )

    return make
