"""Asking another clock over a socket: our server answers, and whatever else answers is named."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from loadtests.clocks.line import ClockLine, NoClock, first_offset
from loadtests.clocks.offset import ClocksDisagree
from loadtests.runs.target import Target, WrongServer
from servers.timing.clock import clock_id, now_ns, same_clock
from servers.web.urls import read_url
from tests.server_process import ServerProcess

ELSEWHERE = "another boot:4026531834"
AHEAD_NS = 3_000_000_000


@contextmanager
def telling(answer: Callable[[], tuple[int, bytes]], stats: dict[str, Any] | None = None) -> Iterator[str]:
    """Run a server that answers GET /clock so, and GET /stats as told; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = answer() if self.path == "/clock" else (200, json.dumps(stats or {}).encode())
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def told(ahead_ns: int = AHEAD_NS, name: str = ELSEWHERE) -> tuple[int, bytes]:
    at_ns = now_ns() + ahead_ns
    return 200, json.dumps({"clock_id": name, "received_ns": at_ns, "sent_ns": at_ns}).encode()


@contextmanager
def line_to(address: str, within_s: float = 30.0) -> Iterator[ClockLine]:
    line = ClockLine(read_url(address, "--host"), within_s=within_s)
    try:
        yield line
    finally:
        line.close()


def test_our_server_tells_its_clock_which_is_ours_and_the_exchange_agrees(server: ServerProcess) -> None:
    with line_to(f"http://127.0.0.1:{server.port}") as line:
        name, offset = first_offset(line)
        raw_ns = line.ask().raw_ns
    assert name == clock_id()
    assert offset.low_ns <= 0 <= offset.high_ns
    assert raw_ns >= 0


def test_a_clock_that_is_ahead_is_known_to_be_by_how_much() -> None:
    with telling(told) as address, line_to(address) as line:
        name, offset = first_offset(line)
    assert (name, offset.low_ns <= AHEAD_NS <= offset.high_ns) == (ELSEWHERE, True)


def test_a_clock_that_jumps_while_it_is_asked_contradicts_itself() -> None:
    jumps = iter(range(100))
    with (
        telling(lambda: told(next(jumps) * AHEAD_NS)) as address,
        line_to(address) as line,
        pytest.raises(ClocksDisagree, match="one of the clocks was set"),
    ):
        first_offset(line)


def test_two_clocks_behind_one_address_are_told_apart() -> None:
    names = iter([ELSEWHERE, "a third"])
    with (
        telling(lambda: told(name=next(names))) as address,
        line_to(address) as line,
        pytest.raises(ClocksDisagree, match="two clocks answer there"),
    ):
        first_offset(line)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((404, b""), "GET /clock was answered with 404"),
        ((200, b"noon"), "answered with something else"),
        ((200, b'{"clock_id":"","received_ns":1,"sent_ns":1}'), "answered with something else"),
        ((200, b'{"clock_id":"x","received_ns":-1,"sent_ns":1}'), "answered with something else"),
        ((200, b"x" * 5_000), "answered with something else"),
    ],
)
def test_what_is_no_clock_is_named(answer: tuple[int, bytes], why: str) -> None:
    with telling(lambda: answer) as address, line_to(address) as line, pytest.raises(NoClock, match=why):
        line.ask()


def test_nobody_and_somebody_silent_are_errors_of_the_network() -> None:
    with line_to("http://127.0.0.1:1") as line, pytest.raises(OSError, match="refused"):
        line.ask()
    let_go = threading.Event()

    def silent() -> tuple[int, bytes]:
        let_go.wait()
        return told()

    with telling(silent) as address, line_to(address, within_s=0.05) as line:
        with pytest.raises(TimeoutError):
            line.ask()
        let_go.set()


def test_a_connection_that_was_closed_meanwhile_is_opened_again(server: ServerProcess) -> None:
    with line_to(f"http://127.0.0.1:{server.port}") as line:
        line.ask()
        line.close()
        assert line.ask().clock_id == clock_id()


STATS = {"token": "", "clock_id": ELSEWHERE, "newest_id": 0, "start_at_ns": 0, "schedule": "steady:5"}


def test_a_server_with_another_clock_is_met_with_its_offset() -> None:
    with telling(told, STATS) as address:
        target = Target(address)
        offset = target.offset()
    assert not target.shares_our_clock
    assert offset.low_ns <= AHEAD_NS <= offset.high_ns


def test_when_a_server_began_is_judged_by_its_own_clock() -> None:
    for there_ns, right in ((now_ns() + AHEAD_NS, True), (now_ns() + 600 * 10**9, False)):
        with telling(told, STATS | {"start_at_ns": there_ns}) as address:
            target = Target(address)
            if right:
                target.begin("", None)
            else:
                with pytest.raises(WrongServer, match="began to publish at"):
                    target.begin("", None)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda: (404, b""), "how far apart they are cannot be told: GET /clock was answered with 404"),
        (lambda: told(name="a third"), "is answered for by two servers"),
    ],
)
def test_a_server_with_another_clock_that_cannot_be_compared_is_refused(
    answer: Callable[[], tuple[int, bytes]], why: str
) -> None:
    with telling(answer, STATS) as address:
        target = Target(address)
        with pytest.raises(WrongServer, match=why):
            target.offset()
        with pytest.raises(WrongServer, match="a planned run starts its server beside it"):
            target.require_our_clock()


def test_a_clock_is_named_by_boot_and_time_namespace_and_older_servers_by_the_boot_alone() -> None:
    ours = clock_id()
    assert same_clock(ours, ours)
    assert same_clock(ours.partition(":")[0], ours)
    assert not same_clock("", ours)
    assert not same_clock(f"{ours.partition(':')[0]}:1", ours)
