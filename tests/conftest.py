"""Fixtures that several folders of tests share."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from loadtests.host.warden import MARK, warden
from tests.server_process import ServerProcess, serving

# How long an example takes says how busy the machine is, and nothing of the code.
# The same examples every time, or a change would be blamed for what chance found; to look for more:
# pytest --hypothesis-profile explore
settings.register_profile("pollbench", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=3_000)
settings.load_profile("pollbench")


@pytest.fixture(scope="session", autouse=True)
def nothing_outlives_us() -> Iterator[None]:
    """Mark whatever tests start, so that it ends with them even when they are killed. One warden serves all of them."""
    os.environ[MARK] = warden.mark()
    yield
    warden.forget()


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """One server process with every pattern, publishing what tests post; ids go on from test to test."""
    with serving("--history", "300", "--send-buffer", "65536", "--heartbeat", "0.4") as process:
        yield process


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, or the last of the workers would be alone with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files instead of comparing them")
