"""The feed over Redis Pub/Sub: fire and forget, but every message that is forgotten leaves a gap that can be seen."""

import asyncio
import sys
from collections.abc import Callable, Sequence

from redis.asyncio import Redis

from servers.backplane.backplane import BEAT_S, Backplane, without_id
from servers.backplane.ids import Run, on
from servers.backplane.link import ANSWER_S, AWAY
from servers.feed.feed import Feed, Journal
from servers.feed.message import Message, id_of
from servers.settings.options import ServerOptions


class PubSubBackplane(Backplane):
    """A publication is one batch of messages, one a line. What cannot be sent at once is given up, and counted.

    Whether something was missed is found out by a ping on the subscription that carries the newest id: Redis answers
    in order, so whatever has not come before the answer does not come at all.
    """

    kind = "redis-pubsub"
    how = "pubsub"

    def __init__(
        self, feed: Feed, options: ServerOptions, journal: Journal | None, failed: Callable[[BaseException], None]
    ) -> None:
        super().__init__(feed, options, journal, failed)
        self._waiting: list[Message] = []
        """Given up without a try; they wait for nothing but their ids."""
        self._unnumbered: list[tuple[int, Sequence[Message]]] = []
        """Batches that were given up, by number. The first may have been published, if only the answer was lost."""

    async def _prepare(self, client: Redis) -> None:
        self._subscription = client.pubsub(ignore_subscribe_messages=True)
        await self._subscription.subscribe(self._ids.place)
        await self._ping(client)

    async def _follow(self, client: Redis) -> None:
        loop = asyncio.get_running_loop()
        while True:
            until_s = loop.time() + BEAT_S
            while (left_s := until_s - loop.time()) > 0:
                await self._receive(left_s)
            await self._ping(client)

    async def _publish_part(self, messages: Sequence[Message]) -> int:
        if self._link.connected.is_set():
            batch = self._ids.next_batch()
            try:
                await self._number_what_was_lost(self._link.run)
                return await self._ids.publish(self._link.run, batch, without_id(messages))
            except AWAY:
                self._unnumbered.append((batch, messages))
        else:
            self._waiting += messages
        self._given_up += len(messages)
        return 0

    async def _number_what_was_lost(self, run: Run) -> None:
        """Use up the ids that lost messages would have had, so that everyone can see how many are missing."""
        if self._waiting:
            self._unnumbered.append((self._ids.next_batch(), self._waiting))
            self._waiting = []
        while self._unnumbered:
            batch, messages = self._unnumbered[0]
            first_id, lost = await self._ids.use_up(run, batch, len(messages))
            self._published(first_id, messages)
            if lost:
                self._given_up_ids.add(first_id, first_id + len(messages) - 1)
            else:
                self._given_up -= len(messages)
            del self._unnumbered[0]

    async def leave(self) -> None:
        """Stop, and name by their instants the messages that will never have an id, as Redis does not give them any."""
        await super().leave()
        nameless = [message for _, messages in self._unnumbered for message in messages] + self._waiting
        if nameless:
            from_ns, until_ns = nameless[0].due_ns, nameless[-1].due_ns
            sys.stderr.write(
                f"warning: {len(nameless)} messages reached nobody and have no ids, as Redis was away until the end "
                f"({self._link.error}): those due from {from_ns} to {until_ns} ns\n"
            )

    async def _ping(self, client: Redis) -> None:
        """Make sure that the subscription is alive, and find out what it has missed. Raises AWAY."""
        async with self._turn:
            await self._number_what_was_lost(on(client))
        await self._ask(on(client))
        await self._subscription.ping(str(self._ids.newest_id))
        async with asyncio.timeout(ANSWER_S):
            while not await self._receive(ANSWER_S):
                pass

    async def _receive(self, within_s: float) -> bool:
        """Take what comes next, if anything does; return whether it was the answer to a ping."""
        message = await self._subscription.get_message(timeout=within_s)
        if message is None:
            return False
        if message["type"] == "pong":
            self._give_up_to(int(message["data"]))
            return True
        self._deliver([(int(id_of(body)), body) for body in message["data"].split(b"\n")])
        return False
