"""Server-Sent Events: fields, resumption by Last-Event-ID, comments as heartbeats."""

import subprocess

import msgspec
import pytest

from servers.patterns.sse import FRAMING, PATH
from tests.http1 import Line, connected, run
from tests.server_process import ServerProcess


def decoded(event: bytes) -> Line:
    """Read an event as a browser does (WHATWG HTML 9.2.6), and check its fields against its data."""
    fields = dict(line.split(b": ", 1) for line in event.split(b"\n"))
    line: Line = msgspec.json.decode(fields[b"data"])
    if "id" in line:
        assert fields.keys() == {b"id", b"data"}
        assert int(fields[b"id"]) == line["id"]
    else:
        assert fields[b"event"].decode() == line["type"]
    return line


def test_the_stream_says_when_to_come_back_and_that_it_lives(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with connected(server.port) as client:
            response = await client.ask(f"{PATH}?last_id={newest}")
            assert response.headers["content-type"] == "text/event-stream"
            events = response.lines(b"\n\n")
            assert await anext(events) == b"retry: 2000"
            assert await anext(events) == b": heartbeat"

    run(check())


def test_a_header_of_a_reconnecting_browser_counts_more_than_the_url_it_began_with(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.post("x")
        async with connected(server.port) as client:
            response = await client.ask(f"{PATH}?last_id=0", {"Last-Event-ID": str(newest - 1)})
            events = response.lines(b"\n\n")
            await anext(events)
            assert decoded(await anext(events))["id"] == newest

    run(check())


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "", "9007199254740992", "1" * 400])
def test_a_last_event_id_that_no_server_sent_is_refused(server: ServerProcess, given: str) -> None:
    async def check() -> None:
        async with connected(server.port) as client:
            response = await client.ask(PATH, {"Last-Event-ID": given})
            assert (response.status, (await response.json())["field"]) == (400, "Last-Event-ID")

    run(check())


def test_an_event_is_its_id_and_its_body_on_one_line() -> None:
    assert FRAMING.message(b'{"id":42,"content":"x"}') == b'id: 42\ndata: {"id":42,"content":"x"}\n\n'


@pytest.mark.peer
def test_curl_follows_events(server: ServerProcess) -> None:
    newest = server.post("for curl")
    url = f"http://127.0.0.1:{server.port}{PATH}"
    command = ["curl", "--silent", "--no-buffer", "--header", f"Last-Event-ID: {newest - 1}", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as curl:
        assert curl.stdout is not None
        lines = [curl.stdout.readline() for _ in range(5)]
        curl.terminate()
    assert lines[:3] == [b"retry: 2000\n", b"\n", b"id: %d\n" % newest]
    assert b'"content":"for curl"' in lines[3]
