"""The feed in a Redis Stream, read by id: a server that comes late or was away reads on where it stopped."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from redis.asyncio import Redis

from servers.backplane.backplane import BEAT_S, Backplane, without_id
from servers.backplane.ids import on
from servers.backplane.link import AWAY
from servers.feed.message import Message

PAGE: Final = 500
"""Messages asked for at a time."""


class StreamBackplane(Backplane):
    """Entry `0-42` is message 42. A publisher waits for Redis for as long as it takes."""

    kind = "redis-stream"
    how = "stream"

    async def _prepare(self, client: Redis) -> None:
        await self._ask(on(client))
        if self._following is None:
            self._feed.skip(max(0, self._ids.newest_id - self._options.history))
        await self._read_all(client)

    async def _follow(self, client: Redis) -> None:
        """A blocking read answers every beat at the latest, and a silence is used to ask for the newest id.

        Without that question a reader ahead of a Redis that has forgotten would wait for ever.
        """
        while True:
            if not await self._read(client, block_ms=round(BEAT_S * 1000)):
                await self._ask(on(client))
                await self._read_all(client)

    async def _publish_part(self, messages: Sequence[Message]) -> int:
        """Try until Redis has it; the batch number keeps a second try from publishing twice."""
        batch, bodies = self._ids.next_batch(), without_id(messages)
        while True:
            await self._link.connected.wait()
            with suppress(*AWAY):
                return await self._ids.publish(self._link.run, batch, bodies)

    async def _read_all(self, client: Redis) -> None:
        """Read whatever there is. An id that was given out before, and is still missing then, will never come."""
        newest_id = self._ids.newest_id
        while await self._read(client, block_ms=None):
            pass
        self._give_up_to(newest_id)

    async def _read(self, client: Redis, block_ms: int | None) -> bool:
        """Read a page, if there is one within that time."""
        pages: Any = await client.xread({self._ids.place: f"0-{self._feed.known_id}"}, count=PAGE, block=block_ms)
        for _, entries in pages:
            self._deliver([(int(name.partition(b"-")[2]), fields[b"message"]) for name, fields in entries])
            return True
        return False
