"""What was read stands in line, so that all that is ready is read before anything of it is looked at.

A read takes 5 us and what follows from it up to 45 us: the last of a broadcast's readers must not wait for what the
others do with theirs.
"""

from collections import deque
from typing import Any, Final, Protocol

from servers.timing.clock import now_ns

SLICE_NS: Final = 100_000
"""So long what was read may be looked at before sockets are read again."""
MOST_READS: Final = 1_000
"""With more of them waiting, reading waits: whoever is overloaded must not fill the memory."""


class Reader(Protocol):
    """Whoever looks at what was read for it."""

    def take(self, data: bytes, received_ns: int, arrived_ns: int) -> None: ...


class Backlog:
    """What was read and nobody has looked at yet, in the order of the reads.

    libev calls `_look` before each wait for the sockets, and an idle watcher keeps that wait short while some is left.
    """

    def __init__(self, hub: Any) -> None:
        self.hub = hub
        self._reads = deque[tuple[Reader, bytes, int, int]]()
        self.add = self._reads.append
        self._before_wait = hub.loop.prepare(ref=False)
        self._before_wait.start(self._look)
        self._no_wait = hub.loop.idle(ref=False)

    def _look(self) -> None:
        reads = self._reads
        if not reads:
            return
        until_ns = now_ns() + SLICE_NS
        while reads:
            connection, data, received_ns, arrived_ns = reads.popleft()
            connection.take(data, received_ns, arrived_ns)
            if now_ns() > until_ns and len(reads) < MOST_READS:
                break
        if not reads:
            self._no_wait.stop()
        elif not self._no_wait.active:
            self._no_wait.start(_nothing)


_backlog: Backlog | None = None


def backlog_of(hub: Any) -> Backlog:
    global _backlog
    if _backlog is None or _backlog.hub is not hub:
        _backlog = Backlog(hub)
    return _backlog


def _nothing() -> None:
    """What there is to do while nothing is to be done."""
