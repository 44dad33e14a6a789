"""The ids of Redis that this process knows, and how it learns more."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from redis.asyncio import Redis

from servers.backplane.link import run_script
from servers.backplane.scripts import MEET, PUBLISH
from servers.settings.options import ServerOptions
from servers.settings.redis_url import database

Run = Callable[[str, Sequence[str], Sequence[bytes | str | int]], Awaitable[Any]]
"""Runs a Lua script on some connection. Raises AWAY."""
LOST: Final = "lost"
"""How messages are published that are not: only their ids are used up."""


class Ids:
    """The ids of one feed. newest_id: the newest that is known to have been given out. place: the stream or channel.

    how: what PUBLISH does with messages, `stream` or `pubsub`.
    """

    def __init__(self, options: ServerOptions, how: str) -> None:
        name = options.feed_name
        # Channels, unlike keys, are the same in all databases of a Redis.
        self.place = f"{name}:{how}:{database(options.redis)}"
        self.newest_id = 0
        self._how = how
        self._keep = options.history, options.history_bytes
        self._counter, self._token, self._bytes = (f"{name}:{key}" for key in ("newest", "token", "bytes"))
        self._publisher = f"{name}:publisher:{secrets.token_hex(8)}"
        self._batch = 0

    def heard_of(self, message_id: int) -> None:
        self.newest_id = max(self.newest_id, message_id)

    async def ask(self, run: Run, token: str) -> str:
        """Learn of the newest id, having seen to it that none will be given out twice; return the feed's token."""
        newest_id, token_now = await run(MEET, [self._counter, self.place, self._token], [self.newest_id, token])
        self.heard_of(int(newest_id))
        return str(token_now.decode())

    def next_batch(self) -> int:
        """Return a number for a batch. It stands for it however often the batch is sent."""
        self._batch += 1
        return self._batch

    async def publish(self, run: Run, batch: int, bodies: Sequence[bytes]) -> int:
        """Have messages published that lack only their ids; return the first of these."""
        first_id, _ = await self._give_out(run, batch, self._how, bodies)
        return first_id

    async def use_up(self, run: Run, batch: int, count: int) -> tuple[int, bool]:
        """Have so many ids given out to nothing; return the first, and whether it is so.

        A batch that was published after all, of which only the answer was lost, stays so, under the ids that it has.
        """
        first_id, how = await self._give_out(run, batch, LOST, [count])
        return first_id, how == LOST

    async def _give_out(self, run: Run, batch: int, how: str, what: Sequence[bytes | int]) -> tuple[int, str]:
        keys = [self._counter, self.place, self._publisher, self._bytes]
        first_id, done = await run(PUBLISH, keys, [batch, self.newest_id, how, *self._keep, *what])
        return int(first_id), done.decode()


def on(client: Redis) -> Run:
    """Return what runs scripts on this connection."""
    return partial(run_script, client)
