"""Schedule, ids and journal of messages that go into a foreign server. Several may be under way together.

`published_ns` is read right before a message is sent, and goes along in its tracer; `accepted_ns` is when the server
had answered. A slow answer delays no later message, as long as no more than `publish.at_once` are waiting for one.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from servers.feed.feed import Journal
from servers.feed.history import History
from servers.feed.message import Message, encode
from servers.outlet.client import reason
from servers.outlet.ways import Way
from servers.targets.adapter import Adapter
from servers.targets.message import of_message
from servers.targets.variables import Misunderstood, Place, hidden, secrets_of
from servers.timing.clock import now_ns, wall_timestamp
from servers.web.errors import UnavailableError

DRAIN_S: Final = 5.0
Write = Callable[[bytes], object]


class Outlet:
    """Takes messages from a Publisher. history: what /api/published tells, as of a feed of our own.

    told: what users are told, by /stats, of the server that they follow. refused: how many messages the
    server did not take; problem: what it said to the last of them.
    """

    def __init__(
        self,
        way: Way,
        place: Place,
        adapter: Adapter,
        history: History,
        journal: Journal,
        accepted: Write,
        told: Mapping[str, object],
    ) -> None:
        self._way = way
        self._place = place
        self._slots = asyncio.Semaphore(adapter.publish.at_once)
        self._secrets = secrets_of(adapter)
        self._told = told
        self._history = history
        self._journal = journal
        self._accepted = accepted
        self._under_way: set[asyncio.Task[Message]] = set()
        self._newest_id = 0
        self.taken = 0
        self.refused = 0
        self.problem = ""

    def state(self) -> dict[str, object]:
        """Return what /stats says."""
        under_way = len(self._under_way)
        return {
            "kind": "target",
            "taken": self.taken,
            "refused": self.refused,
            "under_way": under_way,
            "problem": self.problem,
            "foreign": self._told,
        }

    def publish_all(self, content: str, due_ns: Iterable[int]) -> None:
        for instant_ns in due_ns:
            self._begin(content, instant_ns)

    async def publish(self, content: str) -> Message:
        """Send one message now. Raises UnavailableError, with what the server said, when it was not taken."""
        refused_before = self.refused
        message = await self._begin(content, now_ns())
        if self.refused > refused_before:
            raise UnavailableError(self.problem)
        return message

    async def settled(self) -> None:
        """Wait for what is under way, but not for ever: what has no answer by then is given up."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=DRAIN_S)
            for task in late:
                task.cancel()

    async def catch_up(self, last_id: int) -> None:
        """Nobody else publishes here, so there is nothing to wait for."""

    def _begin(self, content: str, due_ns: int) -> "asyncio.Task[Message]":
        self._newest_id += 1
        task = asyncio.create_task(self._send(self._newest_id, content, due_ns))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _send(self, number: int, content: str, due_ns: int) -> Message:
        # The semaphore is fair, so messages leave in the order of their ids.
        async with self._slots:
            published_ns = now_ns()
            message = Message(
                id=number, due_ns=due_ns, published_ns=published_ns, timestamp=wall_timestamp(), content=""
            )
            self._journal(message)
            self._history.append(encode(message))
            try:
                await self._way.send(of_message(number, due_ns, published_ns, content, self._place.run))
            except Misunderstood as wrong:
                self.refused += 1
                self.problem = hidden(reason(wrong), self._secrets)
                self._accepted(b"%d,0\n" % number)
            else:
                self.taken += 1
                self._accepted(b"%d,%d\n" % (number, now_ns()))
            return message
