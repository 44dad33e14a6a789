"""A client of any pattern on asyncio: what it asks and how it reads are the users' own, only the socket is another.

For probes and tests. The clock is read when a read returns, one loop reads for all of its clients: right for
milliseconds, not for what a run measures.
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Final

from loadtests import patterns
from loadtests.protocols.asking import Ask
from loadtests.protocols.events import Closed, Event, Message
from servers.feed.message import decode_stamp
from servers.patterns import facts, names
from servers.timing.clock import now_ns
from servers.web.urls import authority, read_url

POLL_INTERVAL_S: Final = 0.5
READ_BYTES: Final = 65_536
CLIENTS: Final = tuple(name for name in names() if not facts(name).http2)
"""The patterns that need nothing but HTTP/1.1."""


def ask_of(pattern: str, address: tuple[str, int], cursor: int = 0, *, gzip: bool = False) -> Ask:
    """Say what a client of a pattern at this address asks for."""
    netloc = authority(*address)
    return Ask(netloc=netloc, path=facts(pattern).path, random_bytes=os.urandom, cursor=cursor, gzip=gzip)


async def as_it_comes() -> int:
    return READ_BYTES


async def hear(
    pattern: str,
    ask: Ask,
    address: tuple[str, int],
    *,
    pause_s: float = 0.0,
    reads: Callable[[], Awaitable[int]] = as_it_comes,
    buffer_bytes: int = 0,
    opened: Callable[[socket.socket], object] = lambda _: None,
) -> AsyncGenerator[tuple[Event, int], None]:
    """Yield what one connection brings, each event with the instant of its read, until the server ends it.

    pause_s: between an answer and the next request, where requests are not held. reads: asked before each read for
    how many bytes it may be, and answers when it likes. buffer_bytes: of the kernel, for what is not read; 0: as usual.
    opened: told of the connection once there is one.
    Closed early, the client vanishes without a good-bye. Raises OSError, also where the connection ends before the
    server has ended what it says, and ProtocolError.
    """
    loop = asyncio.get_running_loop()
    decoder = patterns.load(pattern).follow(ask)
    between_s = pause_s if patterns.held(pattern) is False else 0.0
    with socket.socket() as sock:
        sock.setblocking(False)
        if buffer_bytes:
            # Before connecting: the window is agreed on with the first packet (tcp(7)).
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        await loop.sock_connect(sock, address)
        opened(sock)
        await loop.sock_sendall(sock, decoder.take_output())
        while True:
            data = await loop.sock_recv(sock, await reads())
            received_ns, closed = now_ns(), False
            for event in decoder.receive(data):
                closed = closed or isinstance(event, Closed)
                yield event, received_ns
            output = decoder.take_output()
            if closed:
                with suppress(OSError):
                    await loop.sock_sendall(sock, output)
                return
            if not data:
                raise ConnectionResetError("the server closed the connection")
            if output:
                await asyncio.sleep(between_s)
                await loop.sock_sendall(sock, output)


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


async def follow(pattern: str, url: str, followed: Followed) -> None:
    """Follow a pattern at this address until the server ends it. Compressed answers are taken, as browsers do."""
    address = read_url(url, "url").address
    heard = hear(pattern, ask_of(pattern, address, gzip=True), address, pause_s=POLL_INTERVAL_S)
    with suppress(ConnectionError):
        async with aclosing(heard):
            async for event, received_ns in heard:
                if isinstance(event, Message):
                    followed.take(event.body, received_ns)
