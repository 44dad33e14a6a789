"""Publishes on schedule, for ever, and can be given another schedule while it runs."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import dropwhile
from typing import Final, Protocol

from servers.feed.content import CONTENTS, contents
from servers.feed.schedule import Schedule
from servers.timing.clock import now_ns
from servers.timing.precise_timer import Alarm

BATCH: Final = 256
"""Messages published in one go before readers get their turn, when a burst is due or the loop is late."""
BATCH_BYTES: Final = 1_000_000
"""And their bytes: a history that is bounded by bytes must not forget them unread."""


class Receiver(Protocol):
    """Where messages are published: a feed of this process, or one that it shares."""

    def publish_all(self, content: str, due_ns: Iterable[int]) -> Awaitable[None] | None:
        """Publish one message for each due instant. Return what is done when they are published, None if they are."""


class Publisher:
    """Runs one schedule at a time. `schedule`, `message_bytes` and `start_ns` say which, and since when.

    together: the most messages that are published in one go, 1 for each by itself, in a turn of the loop of its own.
    published_until_ns: what is due until then has been published, by an earlier process, and is left out.
    failed: called with what stopped it, when publishing raises (a journal that cannot be written, say).
    kind: what messages say, one of CONTENTS.
    """

    def __init__(
        self,
        outlet: Receiver,
        schedule: Schedule,
        message_bytes: int,
        start_ns: int,
        failed: Callable[[BaseException], None],
        kind: str = CONTENTS[0],
        published_until_ns: int = 0,
        together: int = BATCH,
    ) -> None:
        self._outlet = outlet
        self._failed = failed
        self._kind = kind
        self._task: asyncio.Task[None] | None = None
        self._published_until_ns = published_until_ns
        self._together = together
        self.schedule = schedule
        self.message_bytes = message_bytes
        self.start_ns = start_ns

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="publisher")
        self._task.add_done_callback(self._ended)

    def restart(self, schedule: Schedule, message_bytes: int, start_ns: int) -> None:
        """Follow another schedule instead. Ids go on where they were."""
        self.stop()
        self._published_until_ns = 0
        self.schedule, self.message_bytes, self.start_ns = schedule, message_bytes, start_ns
        self.start()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        """A late loop catches up, and each message says how late it was."""
        instants_ns = (self.start_ns + offset_ns for offset_ns in self.schedule.offsets_ns())
        dues_ns = dropwhile(self._published_until_ns.__ge__, instants_ns)
        due_ns, published = next(dues_ns, None), 0
        text_of = contents(self._kind, self.message_bytes)
        alarm = Alarm()
        # Messages that say the same are published in one go, which is one write per client.
        fits = max(1, min(self._together, BATCH_BYTES // max(1, self.message_bytes)))
        batch_size = fits if self._kind == CONTENTS[0] else 1
        try:
            while due_ns is not None:
                await alarm.until(due_ns)
                now = now_ns()
                batch: list[int] = []
                while due_ns is not None and due_ns <= now and len(batch) < batch_size:
                    batch.append(due_ns)
                    due_ns = next(dues_ns, None)
                done = self._outlet.publish_all(text_of(published), batch)
                published += len(batch)
                if done is not None:
                    await done
        finally:
            alarm.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        wrong = None if task.cancelled() else task.exception()
        if wrong is not None:
            self._failed(wrong)
