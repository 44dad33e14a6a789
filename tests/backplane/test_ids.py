"""The script that publishes, asked directly: what it says of a batch that comes again, and what a stream keeps."""

import asyncio
from collections.abc import Awaitable, Callable
from secrets import token_hex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from loadtests.host.redis_server import RedisServer
from servers.backplane.ids import Ids, on
from servers.feed.history import History
from servers.settings.options import HISTORY_BYTES_MIN, ServerOptions
from tests.backplane.sharing import PUBSUB, STREAM

pytestmark = pytest.mark.peer


def asked(server: RedisServer, check: Callable[[Redis], Awaitable[None]]) -> None:
    async def ask() -> None:
        async with Redis(port=server.port) as client:
            await check(client)

    asyncio.run(ask())


def test_a_batch_whose_answer_was_lost_is_not_taken_for_given_up_when_redis_had_published_it(
    redis: RedisServer,
) -> None:
    async def check(client: Redis) -> None:
        ids = Ids(ServerOptions(feed=PUBSUB, redis=redis.url, feed_name="answer-lost"), "pubsub")
        published, lost = ids.next_batch(), ids.next_batch()
        first_id = await ids.publish(on(client), published, [b',"content":"x"}', b',"content":"y"}'])
        assert await ids.use_up(on(client), published, 2) == (first_id, False)
        assert await ids.use_up(on(client), lost, 3) == (first_id + 2, True)
        assert await ids.use_up(on(client), lost, 3) == (first_id + 2, True)

    asked(redis, check)


@settings(max_examples=20)
@given(
    batches=st.lists(st.lists(st.sampled_from([10, 600_000, 900_000]), min_size=1, max_size=4), max_size=6),
    history=st.sampled_from([1, 3, 8]),
    forgetful=st.booleans(),
)
def test_a_stream_keeps_what_the_history_of_a_server_does(
    redis: RedisServer, batches: list[list[int]], history: int, forgetful: bool
) -> None:
    """forgetful: Redis loses the number of bytes, as when a server of another version wrote the stream."""
    options = ServerOptions(
        feed=STREAM,
        redis=redis.url,
        feed_name=f"kept-{token_hex(8)}",
        history=history,
        history_bytes=HISTORY_BYTES_MIN,
    )

    async def check(client: Redis) -> None:
        ids, own = Ids(options, "stream"), History(history, HISTORY_BYTES_MIN)
        for sizes in batches:
            bodies = [b',"content":"%b"}' % (b"x" * size) for size in sizes]
            first_id = await ids.publish(on(client), ids.next_batch(), bodies)
            for number, body in enumerate(bodies, first_id):
                own.append(b'{"id":%d%b' % (number, body))
            entries: list[Any] = await client.xrange(ids.place) or []
            kept = [entry[b"message"] for _, entry in entries]
            assert kept == list(own.after(0).bodies)
            if forgetful:
                await client.delete(f"{options.feed_name}:bytes")
        await client.delete(ids.place)

    asked(redis, check)
