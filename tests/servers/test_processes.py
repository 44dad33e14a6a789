"""A server of several processes is one server: one feed, one account of who waits, one end."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.processes.link import Link, SilentError
from servers.settings.options import ServerOptions
from tests.http1 import run
from tests.patterns.test_websocket import TEXT, send_frame
from tests.patterns.test_websocket import line as next_line
from tests.patterns.test_websocket import socket as websocket
from tests.server_process import HANG_S, ROOT, ServerProcess, serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shares connections out (SO_REUSEPORT)")

PROCESSES = 3
MANY = 40
"""Connections: that one of three processes gets none of them is a chance of 1 to 10 million."""


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with serving("--processes", str(PROCESSES)) as started:
        yield started


def asked(server: ServerProcess, path: str, method: str = "GET", body: bytes | None = None) -> Any:
    """Ask on a connection of its own, so that any process may answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", data=body, method=method)
    with urllib.request.urlopen(request, timeout=HANG_S) as answer:
        return json.load(answer)


def others(server: ServerProcess) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children()


class Stream:
    """A JSON-lines client."""

    def __init__(self, server: ServerProcess) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=HANG_S)
        self._socket.sendall(b"GET /api/stream?last_id=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        self._lines = self._socket.makefile("rb")

    def ids(self, until: int) -> list[int]:
        """Read the ids of messages up to this one."""
        found: list[int] = []
        while not found or found[-1] < until:
            line = self._lines.readline()
            assert line, f"the stream ended after {found[-3:]}"
            if line.startswith(b"{") and "id" in (message := json.loads(line)):
                found.append(message["id"])
        return found

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def connections_of(process: psutil.Process) -> int:
    return sum(each.status == psutil.CONN_ESTABLISHED for each in process.net_connections("tcp"))


def test_whoever_is_asked_speaks_for_all_and_every_client_gets_every_message_once(server: ServerProcess) -> None:
    with ExitStack() as stack:
        streams = [Stream(server) for _ in range(MANY)]
        for each in streams:
            stack.callback(each.close)
        first = asked(server, "/api/message", "POST", b"first")["id"]
        assert [each.ids(first) for each in streams] == [[first]] * MANY
        said = [asked(server, "/stats?tasks") for _ in range(MANY)]
        assert {(each["pid"], each["token"], each["streams"], each["newest_id"]) for each in said} == {
            (server.process.pid, server.ready["token"], MANY, first)
        }
        assert min(each["tasks"] for each in said) >= PROCESSES
        everyone = [psutil.Process(server.process.pid), *others(server)]
        assert len(everyone) == PROCESSES
        assert min(map(connections_of, everyone)) > 0
        posted = [asked(server, "/api/message", "POST", b"more")["id"] for _ in range(MANY)]
        assert posted == list(range(first + 1, first + 1 + MANY))
        assert {tuple(each.ids(posted[-1])) for each in streams} == {tuple(posted)}
    run(said_to_any(server, posted[-1]))


async def said_to_any(server: ServerProcess, newest: int) -> None:
    """Have each of many clients of a WebSocket say something: it is published once and comes to all."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(websocket(server, newest)) for _ in range(MANY)]
        for number, client in enumerate(clients):
            send_frame(client, TEXT, b"%d" % number)
        heard = [[await next_line(client) for _ in clients] for client in clients]
    assert heard == [heard[0]] * MANY
    assert [message["id"] for message in heard[0]] == list(range(newest + 1, newest + 1 + MANY))
    assert {message["content"] for message in heard[0]} == {str(number) for number in range(MANY)}


def test_any_process_changes_what_all_publish(server: ServerProcess) -> None:
    for length in range(MANY):
        wanted = json.dumps({"message_bytes": length, "schedule": f"steady:{length + 1}"}).encode()
        said = asked(server, "/api/schedule", "PUT", wanted)
        stats = asked(server, "/stats")
        for name in ("message_bytes", "schedule", "start_at_ns"):
            assert stats[name] == said[name]
        assert (said["message_bytes"], said["schedule"]) == (length, f"steady:{length + 1}")
    only_length = asked(server, "/api/schedule", "PUT", b'{"message_bytes": 7}')
    assert (only_length["message_bytes"], only_length["schedule"]) == (7, f"steady:{MANY}")


def test_what_was_kept_is_there_in_every_process(tmp_path: Path) -> None:
    kept = ("--keep", str(tmp_path / "kept.jsonl"), "--processes", str(PROCESSES))
    with serving(*kept) as server:
        for _ in range(5):
            asked(server, "/api/message", "POST", b"kept")
    with serving(*kept) as server:
        for _ in range(MANY):
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/api/published?last_id=2") as answer:
                assert [line.split(b",")[0] for line in answer.read().split()] == [b"3", b"4", b"5"]
        assert asked(server, "/api/message", "POST", b"new")["id"] == 6


def test_a_process_that_dies_ends_the_server_which_names_it() -> None:
    server = ServerProcess("--processes", str(PROCESSES))
    dead = others(server)[-1]
    dead.kill()
    _, errors = server.process.communicate(timeout=HANG_S)
    assert server.process.returncode == 1
    assert errors == f"error: server process {PROCESSES} (pid {dead.pid}) ended with signal SIGKILL\n"


def test_no_process_outlives_the_first() -> None:
    server = ServerProcess("--processes", str(PROCESSES))
    left = others(server)
    server.process.kill()
    server.process.communicate(timeout=HANG_S)
    _, alive = psutil.wait_procs(left, timeout=HANG_S)
    assert alive == []


def test_a_signal_to_all_of_them_ends_the_server_in_order() -> None:
    """As a terminal and a service manager send it."""
    server = ServerProcess("--processes", str(PROCESSES))
    left = others(server)
    stream = Stream(server)
    for each in left:
        each.send_signal(signal.SIGTERM)
        each.send_signal(signal.SIGINT)
    assert asked(server, "/api/message", "POST", b"still there")["id"] == 1
    assert stream.ids(1) == [1]
    assert server.stop() == (0, "")
    assert [each for each in left if each.is_running()] == []
    stream.close()


def test_a_second_server_cannot_join_the_port_of_the_first(server: ServerProcess) -> None:
    """The kernel would let it, and give it half of the clients."""
    command = [sys.executable, "-m", "servers", "sse", "--port", str(server.port), "--processes", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=HANG_S)
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: cannot listen on 127.0.0.1 port {server.port}: Address already in use")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "told",
    [
        {"feed": "redis-stream", "redis": "redis://127.0.0.1:6379/0"},
        {"fault": "drop:0.5"},
        {"write_journal": "writes.csv"},
        {"max_held": 3},
        {"rate_limit_per_s": 1.0},
    ],
    ids=lambda told: next(iter(told)),
)
def test_what_each_process_would_obey_by_itself_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"--processes 2 must be 1 with a shared feed"):
        ServerOptions(server_processes=2, **told)


# The link


async def linked(lines: Sequence[bytes]) -> tuple[list[list[bytes]], list[object]]:
    """Send messages and, behind each, a question; return what was delivered by the time of each answer, and answers."""
    ours, theirs = socket.socketpair()
    delivered: list[bytes] = []

    async def answer(what: str, about: list[Any]) -> object:
        if what == "fail":
            raise ValueError("no such thing")
        return [what, about, len(delivered)]

    def lost() -> None: ...

    near = Link(ours, answer, lost, 10**9)
    far = Link(theirs, answer, lost, 10**9, delivered.extend)
    answers = []
    for line in lines:
        near.message(line + b"\n")
        answers.append(await near.ask("how many?", line.decode("ascii"), within_s=HANG_S))
    with pytest.raises(SilentError, match="no such thing"):
        await far.ask("fail", within_s=HANG_S)
    near.close()
    far.close()
    return [delivered], answers


@given(st.lists(st.text("abc,{}\\ ", max_size=200_000).map(str.encode), max_size=5))
def test_an_answer_comes_behind_all_messages_that_were_sent_before_the_question(lines: list[bytes]) -> None:
    (delivered,), answers = asyncio.run(linked(lines))
    assert delivered == lines
    assert answers == [["how many?", [line.decode("ascii")], number] for number, line in enumerate(lines, 1)]


def test_a_process_that_reads_nothing_is_given_up_and_not_waited_for() -> None:
    async def given_up() -> int:
        ours, theirs = socket.socketpair()
        lost = asyncio.get_running_loop().create_future()

        async def answer(what: str, about: list[Any]) -> object: ...

        link = Link(ours, answer, lambda: lost.set_result(None), 1_000_000)
        sent = 0
        while not lost.done():
            link.message(os.urandom(50_000).hex().encode() + b"\n")
            sent += 1
        with pytest.raises(SilentError, match="has ended"):
            await link.ask("anything?")
        theirs.close()
        return sent

    assert asyncio.run(given_up()) < 50
