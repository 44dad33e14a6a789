"""The script that publishes, asked directly: what it says of a batch that comes again."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from loadtests.host.redis_server import RedisServer
from servers.backplane.ids import Ids, on
from servers.settings.options import ServerOptions
from tests.backplane.sharing import PUBSUB

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
