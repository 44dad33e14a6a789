"""The one source of messages of a server process: history, wake-up, and the publisher.

No lost wake-up: a reader subscribes first, then asks `after(cursor)`, then waits to be woken and asks again.
asyncio runs one callback at a time, so nothing can be published between two lines without an `await`.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from servers.clock import now_ns, wall_timestamp
from servers.history import History, Replay
from servers.message import Message, encode

Wake = Callable[[], None]
LATE_BATCH: Final = 256


class Feed:
    """Messages and whoever waits for them.

    `journal`, when given, is called with every published message: it is the ground truth that deliveries are
    counted against.
    """

    def __init__(self, history: History, journal: Callable[[Message], None] | None = None) -> None:
        self._history = history
        self._journal = journal
        self._wakes: dict[Wake, None] = {}
        self._latest: Replay | None = None

    @property
    def newest_id(self) -> int:
        return self._history.newest_id

    @property
    def first_id(self) -> int:
        return self._history.first_id

    @property
    def subscribers(self) -> int:
        return len(self._wakes)

    def publish(self, content: str, due_ns: int | None = None) -> Message:
        """Stamp, encode once, keep, wake everyone. A message nobody scheduled is due the moment it is published."""
        published_ns = now_ns()
        message = Message(
            id=self._history.newest_id + 1,
            due_ns=published_ns if due_ns is None else due_ns,
            published_ns=published_ns,
            timestamp=wall_timestamp(),
            content=content,
        )
        self._history.append(encode(message))
        self._latest = None
        if self._journal is not None:
            self._journal(message)
        for wake in list(self._wakes):
            wake()
        return message

    def after(self, last_id: int) -> Replay:
        """Return what a reader at `last_id` has not seen. Shared by all readers that are one message behind."""
        if last_id != self._history.newest_id - 1:
            return self._history.after(last_id)
        if self._latest is None:
            self._latest = self._history.after(last_id)
        return self._latest

    def subscribe(self, wake: Wake) -> None:
        """Call `wake` after every publish, in order of subscription, until unsubscribed. It must not block or raise."""
        self._wakes[wake] = None

    def unsubscribe(self, wake: Wake) -> None:
        self._wakes.pop(wake, None)


async def publish_on_schedule(feed: Feed, offsets_ns: Iterable[int], start_ns: int, content: str) -> None:
    """Publish one message at each `start_ns + offset`, for ever; a late loop catches up and says how late it was."""
    since_yield = 0
    for offset_ns in offsets_ns:
        due_ns = start_ns + offset_ns
        while (wait_ns := due_ns - now_ns()) > 0:
            since_yield = 0
            await asyncio.sleep(wait_ns / 1e9)
        feed.publish(content, due_ns)
        since_yield += 1
        if since_yield % LATE_BATCH == 0:
            await asyncio.sleep(0)
