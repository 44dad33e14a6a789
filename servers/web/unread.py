"""Answers that clients have asked for and do not read: bounded for all together, by cutting who waits longest.

A client that never reads costs what its answer has until the kernel gives it up (`notice_dead_peers`), and a limit on
each does not bound what thousands of them cost. Streams have bounds of their own (`streams.py`) and are not counted.
"""

import asyncio
from collections import Counter
from typing import Final, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


class Wire(Protocol):
    """An answer that is ready to be sent, to any number of clients."""

    wire: bytes


class Sending(Protocol):
    """A connection, as far as it matters here."""

    def cut(self) -> None:
        """Close it soon, without sending what waits."""


class Unread:
    """Which connections are behind, and how many bytes are kept for them. limit_bytes: 0 for no limit.

    leaving: those that were cut and are not gone yet, nor is what was kept for them. closed: how many were cut.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._behind: dict[Sending, object] = {}
        self._waiting_for = Counter[object]()
        self._sizes: dict[object, int] = {}
        self._bytes = 0
        self._gone = asyncio.Event()
        self.leaving: set[Sending] = set()
        self.closed = 0

    def behind(self, connection: Sending, size: int, answer: Wire | None = None) -> None:
        """Hear that so many bytes are kept for a client now; make room when that is too much.

        answer: what is kept, where the same object may be kept for others, too: it is counted once.
        """
        kept = self._behind.get(connection)
        if kept is None:
            kept = self._behind[connection] = connection if answer is None else answer
            self._waiting_for[kept] += 1
        self._bytes += size - self._sizes.get(kept, 0)
        self._sizes[kept] = size
        while 0 < self._limit_bytes < self._bytes:
            longest = self._next_to_go()
            self._forget(longest)
            self.leaving.add(longest)
            self._gone.clear()
            self.closed += 1
            longest.cut()

    def caught_up(self, connection: Sending) -> None:
        """Hear that a client has what it was sent, or has gone."""
        if connection in self._behind:
            self._forget(connection)
        elif connection in self.leaving:
            self.leaving.remove(connection)
            if not self.leaving:
                self._gone.set()

    async def room(self) -> None:
        """Return when nobody is leaving: what is answered at once may then be kept at once, but for one answer."""
        while self.leaving:
            await self._gone.wait()

    def state(self) -> dict[str, int]:
        """Return what /stats says."""
        return {"clients": len(self._behind), "bytes": self._bytes, "closed": self.closed}

    def _forget(self, connection: Sending) -> None:
        kept = self._behind.pop(connection)
        self._waiting_for[kept] -= 1
        if not self._waiting_for[kept]:
            del self._waiting_for[kept]
            self._bytes -= self._sizes.pop(kept)

    def _next_to_go(self) -> Sending:
        """Return who has waited longest of those for whom much is kept that nobody shares, else who costs most."""
        for connection, kept in self._behind.items():
            is_much = 2 * len(self._behind) * self._sizes[kept] >= self._bytes
            if is_much and self._waiting_for[kept] == 1:
                return connection
        return max(self._behind, key=self._share)

    def _share(self, connection: Sending) -> float:
        kept = self._behind[connection]
        return self._sizes[kept] / self._waiting_for[kept]


UNREAD: Final = web.AppKey("unread", Unread)


def with_room(unread: Unread) -> Middleware:
    """Return the middleware that has answers wait until there is room for them."""

    @web.middleware
    async def enter(request: web.Request, handler: Handler) -> web.StreamResponse:
        await unread.room()
        return await handler(request)

    return enter
