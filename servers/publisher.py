"""Publishes on schedule, for ever, and can be given another schedule while it runs."""

import asyncio
from random import Random
from string import ascii_letters, digits
from typing import Final

from servers.clock import now_ns
from servers.feed import Feed
from servers.schedule import Schedule

BATCH: Final = 256
"""Messages published in one go before readers get their turn, when the loop is late or a burst is due."""


def filler(length: int) -> str:
    """Return the content of every scheduled message: fixed, and noisy enough that compression cannot remove it."""
    noise = "".join(Random(1).choices(ascii_letters + digits, k=min(length, 65_536)))
    return (noise * (length // 65_536 + 1))[:length]


class Publisher:
    """Runs one schedule at a time. `schedule` and `start_ns` say which, and since when."""

    def __init__(self, feed: Feed, schedule: Schedule, message_bytes: int, start_ns: int) -> None:
        self._feed = feed
        self._task: asyncio.Task[None] | None = None
        self.schedule = schedule
        self.message_bytes = message_bytes
        self.start_ns = start_ns

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="publisher")

    def restart(self, schedule: Schedule, message_bytes: int, start_ns: int) -> None:
        """Follow another schedule from now on. Ids go on where they were."""
        self.stop()
        self.schedule, self.message_bytes, self.start_ns = schedule, message_bytes, start_ns
        self.start()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        """A late loop catches up, and each message says how late it was."""
        content = filler(self.message_bytes)
        dues_ns = (self.start_ns + offset_ns for offset_ns in self.schedule.offsets_ns())
        due_ns = next(dues_ns, None)
        while due_ns is not None:
            await sleep_until(due_ns)
            batch: list[int] = []
            now = now_ns()
            while due_ns is not None and due_ns <= now and len(batch) < BATCH:
                batch.append(due_ns)
                due_ns = next(dues_ns, None)
            self._feed.publish_all(content, batch)


async def sleep_until(due_ns: int) -> None:
    """Return at `due_ns` or just after; always gives way to other tasks once."""
    await asyncio.sleep(max(0, due_ns - now_ns()) / 1e9)
    while (wait_ns := due_ns - now_ns()) > 0:
        await asyncio.sleep(wait_ns / 1e9)
