"""Clients of the patterns over HTTP/1.1 on aiohttp's client: an ordinary client, as a user of the service has one.

They accept gzip, which the users of a run do not, and they go through proxies that hold even the head of a response
back. The clock is read when aiohttp hands over what it has read, so a latency here has the client's own work in it:
right for tens of milliseconds and more, not for what a run measures.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Final

import aiohttp
import msgspec

from servers.feed.message import decode_stamp
from servers.timing.clock import now_ns

POLL_INTERVAL_S: Final = 0.5
HOLD_S: Final = 30
ENDED: Final = (aiohttp.ClientError, ConnectionError, asyncio.IncompleteReadError)
"""How a client notices that its server has stopped."""


@dataclass(slots=True)
class Followed:
    """What one client got. received_ns: when each message came first, by id; due_ns: when it was due.

    repeated: messages that came again.
    """

    received_ns: dict[int, int] = field(default_factory=dict)
    due_ns: dict[int, int] = field(default_factory=dict)
    repeated: int = 0

    @property
    def cursor(self) -> int:
        return max(self.received_ns, default=0)

    def take(self, body: bytes, received_ns: int) -> None:
        """Note a message; control lines are nothing to us."""
        stamp = decode_stamp(body)
        if stamp.type:
            return
        if stamp.id in self.received_ns:
            self.repeated += 1
        else:
            self.received_ns[stamp.id], self.due_ns[stamp.id] = received_ns, stamp.due_ns


class Poll(msgspec.Struct, frozen=True):
    """The body of a poll."""

    messages: list[msgspec.Raw]


async def poll(session: aiohttp.ClientSession, followed: Followed, path: str, pause_s: float) -> None:
    while True:
        async with session.get(f"{path}last_id={followed.cursor}") as answer:
            if answer.status != 200:
                return
            body = await answer.read()
        received_ns = now_ns()
        for message in msgspec.json.decode(body, type=Poll).messages:
            followed.take(bytes(message), received_ns)
        await asyncio.sleep(pause_s)


async def short_polling(session: aiohttp.ClientSession, followed: Followed) -> None:
    await poll(session, followed, "/api/poll?", POLL_INTERVAL_S)


async def long_polling(session: aiohttp.ClientSession, followed: Followed) -> None:
    await poll(session, followed, f"/api/longpoll?timeout={HOLD_S}&", 0)


async def chunked(session: aiohttp.ClientSession, followed: Followed) -> None:
    async with aclosing(_pieces(session, "/api/stream", b"\n")) as pieces:
        async for line, received_ns in pieces:
            followed.take(line, received_ns)


async def sse(session: aiohttp.ClientSession, followed: Followed) -> None:
    async with aclosing(_pieces(session, "/api/events", b"\n\n")) as pieces:
        async for event, received_ns in pieces:
            for line in event.split(b"\n"):
                if line.startswith(b"data: "):
                    followed.take(line[6:], received_ns)


async def websocket(session: aiohttp.ClientSession, followed: Followed) -> None:
    async with session.ws_connect("/api/socket?last_id=0") as socket:
        async for frame in socket:
            followed.take(frame.data.encode(), now_ns())


async def _pieces(session: aiohttp.ClientSession, path: str, end: bytes) -> AsyncGenerator[tuple[bytes, int], None]:
    """Yield what stands between the ends in a response that goes on, with the instant of the read that completed it."""
    rest = b""
    async with session.get(path, params={"last_id": "0"}) as response:
        async for data in response.content.iter_any():
            received_ns = now_ns()
            *whole, rest = (rest + data).split(end)
            for piece in filter(None, whole):
                yield piece, received_ns


CLIENTS: Final[dict[str, Callable[[aiohttp.ClientSession, Followed], Awaitable[None]]]] = {
    "short_polling": short_polling,
    "long_polling": long_polling,
    "chunked": chunked,
    "sse": sse,
    "websocket": websocket,
}


async def follow(pattern: str, url: str, followed: Followed) -> None:
    """Follow a pattern at this address until the server ends it."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    async with aiohttp.ClientSession(url, timeout=timeout) as session:
        with suppress(*ENDED):
            await CLIENTS[pattern](session, followed)
