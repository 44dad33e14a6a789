"""Fixtures that several folders of tests share."""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

import pollbench
from loadtests.host.warden import MARK, warden
from loadtests.runs.signals import heeded
from servers.home import HOME
from tests.server_process import ServerProcess, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# 7,000 tests and what they import are a million objects that stay: to look through them again and again is a sixth of
# the time it takes to collect the tests. With the threshold of our servers it is seldom done; garbage is found as ever.
gc.set_threshold(50_000, 20, 100)

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


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Not for the whole session: Playwright keeps an event loop running, in which no other test could run its own."""
    from playwright.sync_api import sync_playwright

    from tests.race.browser import LAUNCH

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(**LAUNCH)
        yield started
        started.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, or the last of the workers would be alone with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    gc.freeze()


@pytest.fixture
def front_door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """Give what runs a command in this process, where a second is too much for what a process of its own would add."""
    monkeypatch.setenv("PYTHONPATH", str(HOME))
    before = {number: signal.getsignal(number) for number in {signal.SIGINT, *heeded()}}
    yield lambda *words: pollbench.main(words)
    for number, handler in before.items():
        signal.signal(number, handler)


class Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """A file to a worker, for the sake of what its tests share; each test by itself where they share nothing."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return nodeid if file in self._apart else file

    @cached_property
    def _apart(self) -> set[str]:
        root = Path(self.config.rootpath)
        files = {nodeid.partition("::")[0] for nodeid in next(iter(self.registered_collections.values()))}
        return {file for file in files if "mark.apart" in (root / file).read_text(encoding="utf-8")}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files instead of comparing them")
