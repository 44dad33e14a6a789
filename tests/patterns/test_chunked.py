"""Chunked streaming: JSON lines that do not depend on chunks, heartbeats, and the steps of a task."""

import subprocess
from collections.abc import AsyncIterator

import msgspec
import pytest

from servers.patterns.chunked import PATH, progress_steps
from tests.clients import messages
from tests.http1 import Line, connected, run
from tests.http2 import h2_peer
from tests.server_process import ServerProcess


def test_the_head_keeps_proxies_from_buffering(server: ServerProcess) -> None:
    async def check() -> None:
        async with connected(server.port) as client:
            head = (await client.ask(PATH)).headers
        assert head["content-type"] == "application/x-ndjson"
        assert head["transfer-encoding"] == "chunked"
        assert head["x-accel-buffering"] == "no"
        assert head["cache-control"] == "no-cache"

    run(check())


def test_a_stream_begins_with_connected_and_breaks_a_silence_with_heartbeats(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        lines = messages("chunked", server, newest)
        kinds = [(await anext(lines))["type"] for _ in range(3)]
        await lines.aclose()
        assert kinds == ["connected", "heartbeat", "heartbeat"]

    run(check())


def test_http_1_0_gets_the_same_lines_without_chunks(server: ServerProcess) -> None:
    """nginx speaks HTTP/1.0 to what stands behind it unless told otherwise."""

    async def check() -> None:
        newest = server.post("first")
        async with connected(server.port) as client, connected(server.port) as publisher:
            response = await client.ask(f"{PATH}?last_id={newest - 1}", version="1.0")
            assert "transfer-encoding" not in response.headers
            lines = response.lines()
            assert msgspec.json.decode(await anext(lines))["type"] == "connected"
            assert msgspec.json.decode(await anext(lines))["content"] == "first"
            await publisher.post("second")
            live = [line async for line in until_message(lines)]
            assert live[-1]["content"] == "second"

    run(check())


def test_http_2_gets_the_same_lines_and_a_client_that_leaves_is_forgotten(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.post("first")
        assert server.http2_port is not None
        async with h2_peer.connected(server.http2_port) as peer, connected(server.port) as publisher:
            stream = peer.streams[peer.request(f"{PATH}?last_id={newest - 1}")]
            await peer.until(lambda: b"first" in stream.body)
            await publisher.post("second")
            await peer.until(lambda: b"second" in stream.body)
            lines = [msgspec.json.decode(line) for line in stream.body.splitlines()]
            assert lines[0]["type"] == "connected"
            assert [line["content"] for line in lines if "id" in line] == ["first", "second"]
            await publisher.until("streams", 1)
            await peer.close()
            await publisher.until("streams", 0)

    run(check())


def test_a_slow_reader_on_http_2_is_cut_and_forgotten_too(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        assert server.http2_port is not None
        async with h2_peer.connected(server.http2_port) as peer, connected(server.port) as publisher:
            peer.acknowledge = False
            stream = peer.streams[peer.request(f"{PATH}?last_id={newest}")]
            await publisher.until("streams", 1)
            for _ in range(5):
                await publisher.post("x" * 100_000)
            await publisher.until("streams", 0)
            await peer.until(lambda: stream.reset is not None)

    run(check())


async def until_message(lines: AsyncIterator[bytes]) -> AsyncIterator[Line]:
    async for line in lines:
        decoded = msgspec.json.decode(line)
        yield decoded
        if "id" in decoded:
            return


def test_progress_reports_each_step_and_ends_with_done(server: ServerProcess) -> None:
    async def check() -> None:
        async with connected(server.port) as client:
            response = await client.ask("/api/progress?steps=4&interval=0.01")
            steps = [msgspec.json.decode(line) async for line in response.lines()]
            assert (await client.ask("/stats")).status == 200
        assert [step["percentage"] for step in steps] == [25, 50, 75, 100]
        assert [step["status"] for step in steps] == ["running"] * 3 + ["done"]
        assert all({"step", "total", "message", "timestamp"} <= step.keys() for step in steps)

    run(check())


def test_any_number_of_steps_ends_at_100_percent() -> None:
    for total in (1, 3, 7, 10_000):
        last = list(progress_steps(total))[-1]
        assert (last["percentage"], last["status"]) == (100, "done")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("steps=0", "steps"),
        ("steps=10001", "steps"),
        ("steps=2.5", "steps"),
        ("steps=x", "steps"),
        ("interval=-1", "interval"),
        ("interval=nan", "interval"),
        ("interval=", "interval"),
        ("steps=1&steps=2", "steps"),
    ],
)
def test_progress_refuses_what_it_cannot_do(server: ServerProcess, query: str, field: str) -> None:
    async def check() -> None:
        async with connected(server.port) as client:
            response = await client.ask(f"/api/progress?{query}")
            assert (response.status, (await response.json())["field"]) == (400, field)

    run(check())


def test_a_slow_reader_is_told_before_it_is_cut(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with connected(server.port, limit=4096) as slow, connected(server.port) as publisher:
            response = await slow.ask(f"{PATH}?last_id={newest}")
            await publisher.until("streams", 1)
            while (await (await publisher.ask("/stats")).json())["streams"]:  # told, and cut in a few seconds
                await publisher.post("x" * 100_000)
            lines = [line async for line in response.lines()]
        last = msgspec.json.decode(lines[-1])
        assert last["type"] == "closed"
        assert "slow" in last["reason"]

    run(check())


@pytest.mark.peer
def test_curl_follows_a_stream(server: ServerProcess) -> None:
    newest = server.post("for curl")
    command = ["curl", "--silent", "--no-buffer", f"http://127.0.0.1:{server.port}{PATH}?last_id={newest - 1}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as curl:
        assert curl.stdout is not None
        lines = [msgspec.json.decode(curl.stdout.readline()) for _ in range(2)]
        server.post("live")
        while "content" not in (live := msgspec.json.decode(curl.stdout.readline())):
            assert live["type"] == "heartbeat"
        curl.terminate()
    assert (lines[0]["type"], lines[1]["content"], live["content"]) == ("connected", "for curl", "live")
