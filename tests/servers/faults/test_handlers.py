"""A server that never removes a waiter delivers everything all the same: only who counts the waiters finds out."""

import asyncio
from contextlib import aclosing

from tests.clients import messages, take_ids
from tests.http1 import connected, run
from tests.server_process import ServerProcess, serving


def test_who_has_left_still_waits_at_a_server_that_never_removes_waiters() -> None:
    async def check(server: ServerProcess) -> None:
        async with connected(server.port) as publisher:
            for visits in (1, 2):
                async with aclosing(messages("long_polling", server, visits - 1)) as lines:
                    taken = asyncio.create_task(take_ids(lines, 1))
                    await publisher.until("subscribers", visits)
                    posted = await publisher.post("for whoever is there")
                    assert await taken == [posted]
            # More questions than a server needs that notices who has left.
            for _ in range(20):
                assert (await (await publisher.ask("/stats?tasks")).json())["tasks"] >= 1
            await publisher.until("subscribers", 2)

    with serving("long_polling", "--fault", "leak-waiters") as server:
        run(check(server))
