"""Who answers at an address: our server, another one, or nobody; each is said in one line."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import msgspec
import pytest

from loadtests.runs.target import Target, WrongServer
from servers.timing.clock import clock_id, now_ns
from tests.server_process import ServerProcess, has_ipv6, serving

OURS = {"token": "t", "clock_id": clock_id(), "newest_id": 4, "start_at_ns": 9, "http2_port": 7}


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Run some web server that gives one answer to everything; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self) -> None:
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


@pytest.fixture(scope="module")
def silent() -> Iterator[ServerProcess]:
    with serving("--token", "known") as server:
        yield server


def address(server: ServerProcess) -> str:
    return f"http://127.0.0.1:{server.port}"


def test_our_server_is_met_with_and_without_its_token(silent: ServerProcess) -> None:
    for token in ("", "known"):
        target = Target(address(silent), token)
        assert target.newest_id == silent.stats()["newest_id"]
        assert target.http2_host == f"http://127.0.0.1:{silent.http2_port}"


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_a_server_at_an_ipv6_address_is_met_and_its_http2_address_stands_in_brackets() -> None:
    with serving("--host", "::1") as server:
        assert Target(f"http://[::1]:{server.port}").http2_host == f"http://[::1]:{server.http2_port}"


def test_a_server_with_another_token_is_refused(silent: ServerProcess) -> None:
    with pytest.raises(WrongServer, match=r"is another server: its token is 'known', not 'mine'$"):
        Target(address(silent), "mine")


def test_the_server_publishes_as_it_is_told_and_stops_when_it_is_told(silent: ServerProcess) -> None:
    target = Target(address(silent))
    target.publish("steady:50", 10)
    assert silent.stats()["schedule"] == "steady:50"
    assert Target(address(silent)).start_at_ns > 0
    target.publish("manual", None)
    assert silent.stats()["schedule"] == "manual"
    target.publish("", None)
    assert silent.stats()["schedule"] == "manual"


def test_a_schedule_that_the_server_refuses_is_quoted_with_its_reason(silent: ServerProcess) -> None:
    with pytest.raises(WrongServer, match=r"refused the schedule: .*daily"):
        Target(address(silent)).publish("daily", None)


def test_a_server_that_begins_when_it_is_told_to_or_began_before_is_taken_at_its_word(silent: ServerProcess) -> None:
    target = Target(address(silent))
    before_ns = now_ns()
    target.begin("steady:50", 10)
    assert before_ns < target.start_at_ns < now_ns()
    assert target.stats.schedule == "steady:50"
    began_ns = target.start_at_ns
    target.begin("", None)
    assert target.start_at_ns == began_ns
    target.begin("manual", None)


STARTS: dict[str, Callable[[], int]] = {
    "an hour ago": lambda: now_ns() - 3_600 * 10**9,
    "tomorrow": lambda: now_ns() + 86_400 * 10**9,
    "in microseconds": lambda: now_ns() // 1000,
    "by the wall clock": time.time_ns,
    "before the machine": lambda: -1,
    "at the end of time": lambda: 2**63 - 1,
}


@pytest.mark.parametrize("start_ns", STARTS.values(), ids=STARTS)
def test_a_server_that_says_to_have_begun_outside_our_put_is_refused(start_ns: Callable[[], int]) -> None:
    with answering(200, msgspec.json.encode(OURS | {"start_at_ns": start_ns()})) as host:
        target = Target(host)
        with pytest.raises(WrongServer, match=r"\(start_at_ns\), but it was told to between \d+ and \d+: it"):
            target.begin("steady:5", None)


@pytest.mark.parametrize("start", ["tomorrow", "by the wall clock", "before the machine", "at the end of time"])
def test_a_schedule_that_nobody_began_is_not_measured(start: str) -> None:
    with answering(200, msgspec.json.encode(OURS | {"start_at_ns": STARTS[start](), "schedule": "steady:5"})) as host:
        target = Target(host)
        with pytest.raises(WrongServer, match=r"\(start_at_ns\), but it was asked at \d+"):
            target.begin("", None)


@pytest.mark.parametrize("schedule", ["", "daily"])
def test_a_server_that_does_not_say_its_schedule_must_be_given_one(schedule: str) -> None:
    with answering(200, msgspec.json.encode(OURS | {"schedule": schedule})) as host:
        target = Target(host)
        with pytest.raises(WrongServer, match=rf"schedule in GET /stats is '{schedule}'\): name one \(--schedule\)"):
            target.begin("", None)


def test_nobody_listening_is_said_with_what_to_do() -> None:
    with pytest.raises(WrongServer, match=r"http://127\.0\.0\.1:1 cannot be reached .*pollbench serve"):
        Target("http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"not here"),
        (200, b"<html>"),
        (200, b"{}"),
        (200, b'{"token": 7}'),
        (200, b"\xff"),
        (500, msgspec.json.encode(OURS)),
    ],
)
def test_another_web_server_is_no_pollbench_server(status: int, body: bytes) -> None:
    with answering(status, body) as host, pytest.raises(WrongServer, match=f"GET /stats answered {status}"):
        Target(host)


def test_a_server_by_another_clock_that_tells_no_time_is_refused() -> None:
    body = msgspec.json.encode(OURS | {"clock_id": "elsewhere"})
    with answering(200, body) as host, pytest.raises(WrongServer, match=r"another clock \('elsewhere'.*GET /clock"):
        Target(host).offset()


def test_fields_that_a_newer_server_adds_are_no_hindrance() -> None:
    with answering(200, msgspec.json.encode(OURS | {"more": [1]})) as host:
        target = Target(host)
    assert (target.newest_id, target.start_at_ns, target.http2_host) == (4, 9, "http://127.0.0.1:7")


def test_a_server_without_http_2_has_no_address_for_it() -> None:
    with answering(200, msgspec.json.encode(OURS | {"http2_port": None})) as host:
        assert Target(host).http2_host == ""


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.0.0.1:8080",
        "localhost",
        "https://127.0.0.1",
        "ftp://x",
        "http://",
        "http://h:x",
        "http://h:70000",
        "http://[x",
    ],
)
def test_what_is_no_http_url_is_refused_with_an_example(host: str) -> None:
    with pytest.raises(ValueError, match=r"is not a URL such as http://127\.0\.0\.1:8080"):
        Target(host)
