"""A feed between the one that is published to and the patterns, which does to each message what its fate says.

The patterns are the real ones, and so is the feed that publishes, stamps and journals: a server without a fault does
not load this file. What was really done to each message is journalled, so that what the clients report can be held
against it exactly, and not only against the share that was asked for.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final, NamedTuple

from servers.faults.freeze import Freezer
from servers.feed.feed import Feed
from servers.feed.history import History, Replay
from servers.feed.journal import Write, open_csv
from servers.feed.message import Message, decode_stamp
from servers.settings.fault_specs import Fate, Forget, Freeze, IgnoreDisconnect, LeakWaiters, Slow, parse_fault
from servers.settings.options import ServerOptions
from servers.timing.clock import now_ns
from servers.timing.precise_timer import Alarm

FAULT_COLUMNS: Final = "id,copies,overtaken,released_ns,waiting"
"""The columns of the journal. released_ns: just before it was handed to the patterns; waiting: clients there then."""
BETWEEN: Final = b"\0"
"""Parts the copies of a message in its place of the history. No JSON text contains it (RFC 8259 section 7)."""


class _Late(NamedTuple):
    """A message that is sent at `release_ns`, never before the one in front of it."""

    id: int
    body: bytes
    fate: Fate
    release_ns: int


class FaultyFeed(Feed):
    """What the patterns see of `source`.

    Every message keeps one place in the history, so that cursors still count: a dropped one's is empty, a doubled one's
    holds it twice. Places of messages that are not sent are filled together with the next that is, because to the
    patterns a newer newest_id means that there is something to send.

    note: called with a line of the journal for each message; failed: called with what stopped a delayed release.
    """

    def __init__(
        self,
        source: Feed,
        fates: Iterator[Fate],
        history: History,
        note: Write,
        failed: Callable[[BaseException], None],
    ) -> None:
        super().__init__(history, token=source.token)
        self._source = source
        self._fates = fates
        self._note = note
        self._failed = failed
        self._taken_id = source.newest_id
        self._passed_over: list[_Late] = []
        self._late: deque[_Late] = deque()
        self._last_release_ns = 0
        self._releasing: asyncio.Task[None] | None = None
        source.subscribe(self._take, clients=lambda: 0)

    def publish(self, content: str, due_ns: int | None = None) -> Message:
        return self._source.publish(content, due_ns)

    def after(self, last_id: int) -> Replay:
        replay = super().after(last_id)
        return replace(replay, bodies=tuple(body for place in replay.bodies for body in place.split(BETWEEN) if body))

    def close(self) -> None:
        if self._releasing is not None:
            self._releasing.cancel()
        super().close()

    def _take(self) -> None:
        """Decide what becomes of each new message; send what is due at once, and let the rest wait."""
        if self._source.closed:
            self.close()
            return
        replay = self._source.after(self._taken_id)
        for message_id, body in enumerate(replay.bodies, self._taken_id + 1):
            fate = next(self._fates)
            release_ns = decode_stamp(body).published_ns + fate.delay_ns
            self._late.append(_Late(message_id, body, fate, max(release_ns, self._last_release_ns)))
            self._last_release_ns = self._late[-1].release_ns
        self._taken_id = replay.last_id
        self._release(self._ripe())
        if self._late and self._releasing is None:
            self._releasing = asyncio.get_running_loop().create_task(self._release_late(), name="late messages")
            self._releasing.add_done_callback(self._ended)

    async def _release_late(self) -> None:
        alarm = Alarm()
        try:
            while self._late:
                await alarm.until(self._late[0].release_ns)
                self._release(self._ripe())
        finally:
            self._releasing = None
            alarm.close()

    def _ripe(self) -> list["_Late"]:
        now, ripe = now_ns(), list[_Late]()
        while self._late and self._late[0].release_ns <= now:
            ripe.append(self._late.popleft())
        return ripe

    def _ended(self, task: "asyncio.Task[None]") -> None:
        wrong = None if task.cancelled() else task.exception()
        if wrong is not None:
            self._failed(wrong)

    def _release(self, due: list[_Late]) -> None:
        """Put messages into the history as their fates say, note it, and wake the patterns if anything is sent."""
        places: list[_Late] = []
        for one in due:
            if one.fate.overtaken or not one.fate.copies:
                self._passed_over.append(one)
            else:
                places += [one, *self._passed_over]
                self._passed_over.clear()
        if not places:
            return
        waiting, released_ns = self.subscribers, now_ns()
        for message_id, body, fate, _ in places:
            self._note(b"%d,%d,%d,%d,%d\n" % (message_id, fate.copies, fate.overtaken, released_ns, waiting))
            self._history.append(BETWEEN.join([body] * fate.copies))
        self._latest = None
        self._wake()


class ForgetfulFeed(FaultyFeed):
    """Gives new messages only to clients that it wakes: a client that asks later has missed them."""

    _waking = False

    def after(self, last_id: int) -> Replay:
        return super().after(last_id) if self._waking else Replay((), self.newest_id, self.newest_id + 1)

    def _wake(self) -> None:
        self._waking = True
        try:
            super()._wake()
        finally:
            self._waking = False


def spoil(source: Feed, options: ServerOptions, stack: AsyncExitStack, failed: Callable[[BaseException], None]) -> Feed:
    """Return the feed that patterns see of `source` in a server with the fault of `options`: itself if they are wrong.

    Leaves on the stack what ends the fault. Raises OSError when its journal cannot be opened.
    """
    fault = parse_fault(options.fault)
    note = stack.enter_context(open_csv("--fault-journal", options.fault_journal, FAULT_COLUMNS))
    if isinstance(fault, Freeze):
        stack.callback(Freezer(source, fault).close)
        return source
    if isinstance(fault, IgnoreDisconnect | LeakWaiters | Slow):
        return source
    kind = ForgetfulFeed if isinstance(fault, Forget) else FaultyFeed
    history = History(options.history, options.history_bytes)
    return kind(source, fault.fates(), history, note or (lambda _line: None), failed)
