"""A server that is frozen from outside goes on afterwards, whatever happens to whoever froze it."""

import os
import signal
import time

import psutil
import pytest

from tests.server_process import HANG_S, ServerProcess, serving


def guard_of(server: ServerProcess) -> psutil.Process:
    (guard,) = psutil.Process(server.process.pid).children()
    return guard


def is_frozen(server: ServerProcess) -> bool:
    return psutil.Process(server.process.pid).status() == psutil.STATUS_STOPPED


def await_that(server: ServerProcess, *, frozen: bool) -> None:
    deadline = time.monotonic() + HANG_S
    while is_frozen(server) != frozen:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def await_end(guard: psutil.Process) -> None:
    """Wait until it is dead; its server has not asked after it yet."""
    deadline = time.monotonic() + HANG_S
    while guard.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_it_stops_once_and_goes_on_by_itself() -> None:
    with serving("short_polling", "--fault", "freeze:0.05,3") as server:
        assert not is_frozen(server)
        server.post("the first message starts the clock")
        await_that(server, frozen=True)
        server.post("answered when it goes on")
        assert not is_frozen(server)
        await_end(guard_of(server))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_guard_that_is_told_to_end_lets_the_server_go_on(number: signal.Signals) -> None:
    with serving("short_polling", "--fault", "freeze:0.05,60") as server:
        server.post("the first message starts the clock")
        await_that(server, frozen=True)
        guard_of(server).send_signal(number)
        await_that(server, frozen=False)
        server.post("answered long before its time")


def test_nothing_is_frozen_by_a_guard_whose_server_has_ended() -> None:
    with serving("short_polling", "--fault", "freeze:0.4,60") as server:
        server.post("the first message starts the clock")
        guard = guard_of(server)
    assert not guard.is_running()


def test_a_guard_outlives_no_server_that_was_killed() -> None:
    server = ServerProcess("short_polling", "--fault", "freeze:30,60")
    server.post("the first message starts the clock")
    guard = guard_of(server)
    assert os.getpgid(guard.pid) != os.getpgid(server.process.pid)
    server.process.kill()
    server.stop()
    guard.wait(HANG_S)


def test_a_server_whose_guard_was_killed_says_that_it_cannot_go_on() -> None:
    server = ServerProcess("short_polling", "--fault", "freeze:0,1")
    try:
        guard = guard_of(server)
        guard.kill()
        await_end(guard)
        with pytest.raises(OSError, match="500"):
            server.post("the first message starts the clock")
    finally:
        server.stop()
