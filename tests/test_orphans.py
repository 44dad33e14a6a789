"""Whatever ends a command, even SIGKILL or the end of its terminal, no server, relay or load process outlives it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Final

import psutil
import pytest

from servers.web.free_port import free_port
from tests.runner.test_child import HANG_S, gone, until
from tests.server_process import ROOT

OF_A_TEST: Final = "POLLBENCH_OF_A_TEST"
"""In the environment of what a test starts, and so of whatever that starts, wherever it goes."""
POLLBENCH: Final = (sys.executable, str(ROOT / "pollbench.py"))
BRIEF: Final = ("--clients", "4", "--schedule", "steady:10", "--rtt", "20ms", "--warmup", "0.2", "--window", "60")
HELPERS: Final = """
import sys, time
from pathlib import Path
from loadtests.host.nginx import Nginx
from loadtests.host.redis_server import RedisServer
here = Path(sys.argv[1])
with RedisServer(here), Nginx(here, [9]):
    time.sleep(600)
"""
pytestmark = pytest.mark.apart
WAYS: Final = pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGHUP])


class Command:
    """Runs in a folder of its own until it is ended. expected: words of the command lines of what it has to start."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._mark = token_hex(8)
        environment = {**os.environ, OF_A_TEST: self._mark, "PYTHONPATH": str(ROOT)}
        self.log = folder / "command.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(words, cwd=folder, env=environment, stdout=output, stderr=output)

    def family(self) -> list[psutil.Process]:
        """Return all that is marked or descends from it, and lives."""
        found = []
        for each in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if f"{OF_A_TEST}={self._mark}".encode() in Path(f"/proc/{each.pid}/environ").read_bytes():
                    found += [each, *each.children(recursive=True)]
        return [each for each in set(found) if not gone(each.pid)]

    def until_running(self, *programs: str) -> list[psutil.Process]:
        """Wait until each of these words stands in as many command lines as it is given; return the whole family."""

        def running() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            lines = []
            for each in self.family():
                with suppress(psutil.Error):
                    lines.append(" ".join(each.cmdline()))
            return all(sum(word in line for line in lines) >= programs.count(word) for word in programs)

        until(running)
        return self.family()

    def end(self, way: signal.Signals) -> None:
        self.process.send_signal(way)
        self.process.wait(HANG_S)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    commands: list[Command] = []
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has all that it starts ignore it

    def begin(*words: str) -> Command:
        commands.append(Command(tmp_path, *words))
        return commands[-1]

    yield begin
    for command in commands:
        for each in command.family():
            with suppress(psutil.Error):
                each.kill()
        command.process.wait()
    signal.signal(signal.SIGHUP, before)


def check_that_nobody_is_left(command: Command, family: list[psutil.Process], way: signal.Signals) -> None:
    command.end(way)
    until(lambda: all(gone(each.pid) for each in family) and not command.family())


@pytest.mark.slow
@WAYS
def test_a_comparison_leaves_neither_server_nor_relay_nor_load(
    start: Callable[..., Command], way: signal.Signals
) -> None:
    command = start(*POLLBENCH, "compare", "--pattern", "sse,chunked", *BRIEF, "--out", "run")
    family = command.until_running("servers sse", "servers.relay", "locustfile.py", "loadtests.host.warden")
    check_that_nobody_is_left(command, family, way)


@pytest.mark.slow
@WAYS
def test_the_ui_leaves_neither_server_nor_locust(start: Callable[..., Command], way: signal.Signals) -> None:
    command = start(*POLLBENCH, "ui", "--port", str(free_port()))
    check_that_nobody_is_left(command, command.until_running("-m servers", "locustfile.py"), way)


@WAYS
def test_a_race_leaves_neither_server_nor_its_five_relays(start: Callable[..., Command], way: signal.Signals) -> None:
    command = start(*POLLBENCH, "race", "--no-open", "--port", "0")
    check_that_nobody_is_left(command, command.until_running("servers.race", *5 * ["servers.relay"]), way)


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_the_server_of_a_race_by_itself_leaves_no_relay(start: Callable[..., Command], way: signal.Signals) -> None:
    command = start(sys.executable, "-m", "servers.race", "--port", "0", "--http2-port", "0")
    check_that_nobody_is_left(command, command.until_running(*5 * ["servers.relay"]), way)


@WAYS
def test_a_server_that_is_to_freeze_leaves_nobody_to_thaw_it(
    start: Callable[..., Command], way: signal.Signals
) -> None:
    words = ("--port", "0", "--http2-port", "0", "--schedule", "steady:20", "--fault", "freeze:0.2,1")
    command = start(sys.executable, "-m", "servers", "sse", *words)
    until(lambda: len(command.family()) >= 2)
    check_that_nobody_is_left(command, command.family(), way)


@pytest.mark.peer
@WAYS
def test_what_runs_nginx_and_redis_leaves_neither(
    start: Callable[..., Command], tmp_path: Path, way: signal.Signals
) -> None:
    command = start(sys.executable, "-c", HELPERS, str(tmp_path))
    family = command.until_running("redis-server", "nginx: master", "nginx: worker")
    check_that_nobody_is_left(command, family, way)


def test_a_relay_that_is_measured_ends_with_who_measures(start: Callable[..., Command]) -> None:
    code = "import time; from servers.relay.measure import relaying\nwith relaying(9, 10**6): time.sleep(600)"
    command = start(sys.executable, "-c", code)
    check_that_nobody_is_left(command, command.until_running("-m servers.relay"), signal.SIGKILL)


@WAYS
def test_tests_that_are_killed_leave_nothing_that_they_started(
    start: Callable[..., Command], way: signal.Signals
) -> None:
    file = ROOT / "tests" / "loadtests" / "never_ending.py"
    command = start(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(file))
    check_that_nobody_is_left(command, command.until_running("-m pytest", "sleep(600)"), way)
