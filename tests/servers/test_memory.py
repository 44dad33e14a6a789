"""Whatever clients send, and however many they are, a server's memory stays bounded and it goes on answering."""

import asyncio
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.http1 import run
from tests.http2.raw_peer import RawPeer, get
from tests.patterns.test_websocket import line
from tests.patterns.test_websocket import socket as websocket
from tests.runner.test_child import until
from tests.server_process import HANG_S, ServerProcess, serving
from tests.websocket_cases import frame

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells a process's peak of memory")


@pytest.fixture(scope="module")
def small() -> Iterator[ServerProcess]:
    bounds = ("--history-bytes", "5000000", "--head-timeout", "3")
    with serving("short_polling", "long_polling", "websocket", *bounds) as process:
        yield process


@pytest.fixture(scope="module")
def unread() -> Iterator[ServerProcess]:
    """Keeps 160 messages of 50 kB, an answer, and no more than two and a half of these for clients that do not read."""
    bounds = ("--history-bytes", "8050000", "--unread", "20000000")
    with serving("short_polling", "long_polling", "http2_push", *bounds) as one:
        for _ in range(160):
            one.post("x" * 50_000)
        yield one


def peak_mb(server: ServerProcess) -> float:
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def asked(server: ServerProcess, method: str, target: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=HANG_S)
    try:
        connection.request(method, target, body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@needs_proc
def test_posts_of_1_mb_each_are_forgotten_by_their_bytes_and_a_client_behind_is_told(small: ServerProcess) -> None:
    before_mb = peak_mb(small)
    for _ in range(150):
        newest_id = small.post("x" * 1_000_000)
    assert peak_mb(small) - before_mb < 75
    assert small.stats()["first_id"] == newest_id - 3
    for path in ("poll", "longpoll"):
        _, answer = asked(small, "GET", f"/api/{path}?last_id=1")
        assert (answer["cursor"], answer["first_id"]) == ("gone", newest_id - 3)
        assert [message["id"] for message in answer["messages"]] == list(range(newest_id - 3, newest_id + 1))


def test_a_message_on_a_websocket_may_be_as_long_as_one_that_is_posted(small: ServerProcess) -> None:
    async def check() -> None:
        async with websocket(small, small.stats()["newest_id"]) as client:
            client.writer.write(frame(0x81, b"x" * 1_000_000, masked=True))
            assert (await line(client))["content"] == "x" * 1_000_000

    run(check())


@needs_proc
@pytest.mark.parametrize(
    "schedule",
    ["stairs:1e6-1e6/1x1e6,random", "stairs:1e-6-1e6/1000000x1e6", "burst:1e999/1", "poisson:nan", "9" * 900_000],
)
def test_a_schedule_beyond_reason_is_refused_with_field_value_and_remedy(small: ServerProcess, schedule: str) -> None:
    before_mb = peak_mb(small)
    status, answer = asked(small, "PUT", "/api/schedule", json.dumps({"schedule": schedule}))
    assert (status, answer["field"]) == (400, "schedule")
    assert schedule[:20] in answer["error"]
    assert "none of: manual" in answer["error"]
    assert len(answer["error"]) < 600
    assert peak_mb(small) - before_mb < 20


@needs_proc
@pytest.mark.parametrize("schedule", ["burst:1000000/1e-06", "steady:1e+06", "stairs:999999-999999/1x10,random"])
def test_a_server_that_can_never_keep_up_still_answers_and_can_be_told_to_stop(
    small: ServerProcess, schedule: str
) -> None:
    before_mb = peak_mb(small)
    try:
        assert asked(small, "PUT", "/api/schedule", json.dumps({"schedule": schedule}))[0] == 200
        first_id = small.stats()["newest_id"]
        while small.stats()["newest_id"] < first_id + 20_000:
            pass
    finally:
        assert asked(small, "PUT", "/api/schedule", json.dumps({"schedule": "manual"}))[0] == 200
    assert peak_mb(small) - before_mb < 50


def test_hundreds_of_half_sent_requests_are_all_closed_after_the_head_timeout(small: ServerProcess) -> None:
    """And those who ask properly meanwhile are answered."""

    async def half_sent(number: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", small.port)
        writer.write(b"GET /api/poll HTTP/1.1\r\nHost: h\r\nX-Half: %d" % number)
        await asyncio.sleep(0)
        answer = b""
        async with asyncio.timeout(HANG_S):
            with suppress(ConnectionError):  # closed with something unread
                answer = await reader.read()
        writer.close()
        return answer

    async def check() -> None:
        half = [asyncio.create_task(half_sent(number)) for number in range(800)]
        assert (await asyncio.to_thread(asked, small, "GET", "/api/poll"))[0] == 200
        # A busy server may close one of which it has not read a byte yet, and such a one is told nothing.
        assert {answer[:13] for answer in await asyncio.gather(*half)} <= {b"HTTP/1.1 408 ", b""}
        assert small.stats()["subscribers"] == 0

    asyncio.run(check())


@needs_proc
@pytest.mark.parametrize("path", ["poll", "longpoll"])
@pytest.mark.parametrize("fields", ["", "Origin: http://{host}\r\n"], ids=["shared", "for each"])
def test_clients_that_ask_and_never_read_have_a_limit_in_common_and_who_reads_is_served(
    unread: ServerProcess, path: str, fields: str
) -> None:
    """60 clients, each with a cursor of its own, are owed 5 to 8 MB for each of their requests: 390 MB at once."""
    before_mb, closed, host = peak_mb(unread), unread.stats()["unread"]["closed"], f"127.0.0.1:{unread.port}"
    with ExitStack() as stack:
        for cursor in range(1, 61):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", unread.port))
            head = f"GET /api/{path}?last_id={cursor} HTTP/1.1\r\nHost: {host}\r\n{fields.format(host=host)}\r\n"
            client.sendall(8 * head.encode())

        def all_seen() -> bool:
            state = unread.stats()["unread"]
            return bool(state["clients"] + state["closed"] - closed >= 60)

        until(all_seen)
        state = unread.stats()["unread"]
        assert state["bytes"] <= 20_000_000
        assert state["closed"] - closed >= 56
        assert asked(unread, "GET", f"/api/{path}?last_id=1")[1]["count"] == 159
    until(lambda: not unread.stats()["unread"]["clients"])
    assert peak_mb(unread) - before_mb < 100


@needs_proc
def test_an_http2_client_that_opens_no_window_has_the_same_limit(unread: ServerProcess) -> None:
    """It is owed 8 MB on each of 50 streams."""
    before_mb, closed = peak_mb(unread), unread.stats()["unread"]["closed"]
    assert unread.http2_port is not None
    with RawPeer(unread.http2_port) as peer:
        peer.send(*(get(number, f"/api/poll?last_id={number}") for number in range(1, 100, 2)))
        peer.until(lambda: False)
    until(lambda: not unread.stats()["unread"]["clients"])
    assert unread.stats()["unread"]["closed"] - closed == 1
    assert peak_mb(unread) - before_mb < 60
