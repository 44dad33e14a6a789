"""One browser for all tests of the race, and a race that publishes only what a test posts."""

from collections.abc import Iterator

import pytest

from tests.race.browser import Stage, stage
from tests.server_process import ServerProcess, serving


@pytest.fixture(scope="session")
def chromium() -> Iterator[Stage]:
    with stage() as browser:
        yield browser


@pytest.fixture(scope="module")
def race() -> Iterator[ServerProcess]:
    with serving("--heartbeat", "0.5", module="servers.race") as server:
        yield server
