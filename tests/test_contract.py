"""What every pattern owes its clients, whatever it is made of. A pattern gets these tests by having a file.

The client is what the load's users are made of (tests/clients.py).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, suppress

import pytest

from loadtests.patterns import held
from servers import patterns
from tests.clients import CUT, anext_message, messages, take_ids
from tests.http1 import Line, connected, run
from tests.server_process import ServerProcess, serving

pytestmark = pytest.mark.parametrize("pattern", patterns.names())


async def waiting_clients(server: ServerProcess, wanted: int) -> None:
    """Return once that many clients wait for messages."""
    async with connected(server.port) as client:
        await client.until("subscribers", wanted)


def test_all_messages_arrive_in_order_and_once(pattern: str, server: ServerProcess) -> None:
    async def check() -> None:
        before = server.stats()["newest_id"]
        async with aclosing(messages(pattern, server, before)) as lines, connected(server.port) as publisher:
            first = asyncio.create_task(take_ids(lines, 1))
            posted = [await publisher.post(f"message {n}") for n in range(100)]
            assert await first + await take_ids(lines, 99) == posted

    run(check())


def test_a_late_joiner_gets_the_backlog_and_then_what_is_new(pattern: str, server: ServerProcess) -> None:
    async def check() -> None:
        async with connected(server.port) as publisher:
            posted = [await publisher.post(f"message {n}") for n in range(30)]
            async with aclosing(messages(pattern, server, posted[9])) as lines:
                assert await take_ids(lines, 20) == posted[10:]
                posted.append(await publisher.post("live"))
                assert await take_ids(lines, 1) == posted[30:]

    run(check())


def test_content_and_stamps_arrive_unchanged(pattern: str, server: ServerProcess) -> None:
    content = 'quotes " and \\ and \n newline, \u20ac, \U0001f600, event: x, \r\n\r\n'

    async def check() -> None:
        before = server.stats()["newest_id"]
        server.post(content)
        async with aclosing(messages(pattern, server, before)) as lines:
            message = await anext_message(lines)
        assert message["content"] == content
        assert 0 < message["due_ns"] <= message["published_ns"]

    run(check())


def test_a_cursor_that_is_forgotten_or_from_the_future_is_told(pattern: str, server: ServerProcess) -> None:
    async def check() -> None:
        async with connected(server.port) as publisher:
            while await publisher.post("fill the history") < 310:
                pass
        stats = server.stats()
        kept = list(range(stats["first_id"], stats["newest_id"] + 1))
        for last_id, remark in ((1, "gone"), (stats["newest_id"] + 5, "ahead")):
            async with aclosing(messages(pattern, server, last_id)) as lines:
                told = [line async for line in skip_connected(lines, 1)]
                assert told == [{"type": remark, "first_id": kept[0]}]
                assert await take_ids(lines, len(kept)) == kept

    run(check())


async def skip_connected(lines: AsyncIterator[Line], count: int) -> AsyncIterator[Line]:
    async for line in lines:
        if line.get("type") != "connected":
            yield line
            count -= 1
            if not count:
                return


def test_a_slow_reader_loses_nothing_or_is_told_and_can_resume(pattern: str, server: ServerProcess) -> None:
    """It sleeps through more than any kernel buffers: 25 MB, with 64 kB allowed to wait in the server."""

    async def check() -> None:
        before = server.stats()["newest_id"]
        got: list[int] = []
        async with aclosing(messages(pattern, server, before)) as lines, connected(server.port) as publisher:
            first = asyncio.create_task(take_ids(lines, 1))
            posted = [await publisher.post("x" * 100_000) for _ in range(250)]
            got += await first
            with suppress(*CUT):
                async for line in lines:
                    got += [line["id"]] if "id" in line else []
                    if line.get("type") == "closed":
                        assert "slow" in line["reason"]
                    if len(got) == len(posted) or line.get("type") == "closed":
                        break
        assert got == posted[: len(got)]
        async with aclosing(messages(pattern, server, got[-1])) as lines:
            assert await take_ids(lines, len(posted) - len(got)) == posted[len(got) :]

    run(check())


def test_clients_that_vanish_leave_nothing_behind(pattern: str, server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        await waiting_clients(server, 0)
        async with AsyncExitStack() as stack:
            tasks = []
            for _ in range(5):
                lines = await stack.enter_async_context(aclosing(messages(pattern, server, newest)))
                tasks.append(asyncio.create_task(take_ids(lines, 1)))
            await waiting_clients(server, 0 if held(pattern) is False else 5)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await waiting_clients(server, 0)

    run(check())


def test_the_server_stops_cleanly_under_its_clients(pattern: str) -> None:
    async def check(server: ServerProcess) -> None:
        server.post("before the end")
        async with aclosing(messages(pattern, server, 0)) as lines:
            assert await take_ids(lines, 1) == [1]
            rest = asyncio.create_task(remarks(lines))
            if held(pattern) is not False:
                await waiting_clients(server, 1)
            server.tell_to_stop()
            assert await rest in ([], ["closed"])

    with serving(pattern) as server:
        run(check(server))


async def remarks(lines: AsyncIterator[Line]) -> list[str]:
    """Return the remarks until the server ends the conversation, heartbeats left out."""
    types = [line["type"] async for line in lines]
    return [kind for kind in types if kind not in {"connected", "heartbeat"}]
