"""Clients that follow a pattern and send messages as well: on the connection that they follow, or by POST beside it.

They share one loop with each other and with nobody else: right for milliseconds, as in `followers`.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from loadtests.probes.followers import READ_BYTES, ask_of, hear
from loadtests.protocols.events import Message
from loadtests.protocols.http1 import ResponseReader
from loadtests.protocols.websocket_decoder import client_frame
from loadtests.users.tcp_info import Meter
from servers.feed.message import decode, decode_stamp
from servers.timing import NS_PER_S
from servers.timing.clock import now_ns
from servers.web.urls import authority
from servers.web.websocket_frames import TEXT

PATIENCE_S: Final = 30.0
"""What is not there by then counts as lost."""
LOOK_S: Final = 0.005
CREATED: Final = 201


class RefusedMessage(Exception):
    """A server that did not take a message, and what it said."""


class Manner(NamedTuple):
    """How a client follows, and how it sends: there, or by POST on another connection, kept or new each time."""

    pattern: str
    sends: Literal["there", "kept", "new"]


class Load(NamedTuple):
    """Each of `clients` sends `times` messages of so many bytes, one every `gap_s`, taking turns with the others."""

    clients: int
    times: int
    gap_s: float
    message_bytes: int


@dataclass(slots=True)
class Talker:
    """One client. due_ns: when each of its messages was to be sent, by what it says; heard_ns: when each message came
    to it first, its own or another's. ids: of all that came, twice where one did. late_ns: of each that it sent.
    """

    manner: Manner
    address: tuple[str, int]
    meter: Meter
    due_ns: dict[str, int] = field(default_factory=dict)
    heard_ns: dict[str, int] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)
    late_ns: list[int] = field(default_factory=list)
    _followed: socket.socket | None = None
    _kept: socket.socket | None = None

    async def follow(self) -> None:
        """Read until cancelled. Raises OSError and ProtocolError."""
        asked = ask_of(self.manner.pattern, self.address)
        async with aclosing(hear(self.manner.pattern, asked, self.address, opened=self._opened)) as heard:
            async for event, read_ns in heard:
                if isinstance(event, Message) and not decode_stamp(event.body).type:
                    message = decode(event.body)
                    self.ids.append(message.id)
                    self.heard_ns.setdefault(message.content, read_ns)

    async def send(self, content: str, due_ns: int) -> None:
        """Send a message; return once it is answered, where it is. Raises OSError, RefusedMessage."""
        self.due_ns[content] = due_ns
        self.late_ns.append(now_ns() - due_ns)
        if self.manner.sends == "there":
            assert self._followed is not None
            frame = client_frame(TEXT, content.encode())
            await asyncio.get_running_loop().sock_sendall(self._followed, frame)
        else:
            await self._post(content)

    def close(self) -> None:
        if self._kept is not None:
            self.meter.closed(self._kept)
            self._kept.close()
            self._kept = None

    def _opened(self, sock: socket.socket) -> None:
        self._followed = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.meter.opened(sock)

    async def _post(self, content: str) -> None:
        if self._kept is None:
            self._kept = await self._connected()
        loop, reader, body = asyncio.get_running_loop(), ResponseReader(), content.encode()
        head = f"POST /api/message HTTP/1.1\r\nHost: {authority(*self.address)}\r\nContent-Length: {len(body)}\r\n\r\n"
        await loop.sock_sendall(self._kept, head.encode("ascii") + body)
        while not reader.receive(data := await loop.sock_recv(self._kept, READ_BYTES)):
            if not data:
                raise ConnectionResetError("the server closed the connection before it answered")
        if reader.status != CREATED:
            raise RefusedMessage(f"POST /api/message was answered {reader.status}: {reader.body[:200]!r}")
        if self.manner.sends == "new":
            self.close()

    async def _connected(self) -> socket.socket:
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, self.address)
        self.meter.opened(sock)
        return sock


@dataclass(slots=True)
class Talk:
    """Clients that follow already. meter: what all of them have sent and received."""

    talkers: list[Talker]
    load: Load
    meter: Meter

    async def warm_up(self) -> None:
        """Have each client send a message that counts for nothing, and all hear it."""
        for number, talker in enumerate(self.talkers):
            await talker.send(f"warm-up {number}", now_ns())
        await self.heard_by_all()

    async def run(self) -> None:
        """Have all messages sent, each when it is due, and return when all have heard all, or are not going to."""
        start_ns, gap_ns = now_ns(), round(self.load.gap_s * NS_PER_S)
        offsets_ns = (number * gap_ns // len(self.talkers) for number in range(len(self.talkers)))
        senders = (
            self._send(talker, f"{number} ", start_ns + offset_ns, gap_ns)
            for number, (talker, offset_ns) in enumerate(zip(self.talkers, offsets_ns, strict=True))
        )
        await asyncio.gather(*senders)
        await self.heard_by_all()

    async def _send(self, talker: Talker, name: str, first_ns: int, gap_ns: int) -> None:
        for at in range(self.load.times):
            due_ns = first_ns + at * gap_ns
            await asyncio.sleep(max(0.0, (due_ns - now_ns()) / NS_PER_S))
            await talker.send(f"{name}{at} ".ljust(self.load.message_bytes, "x"), due_ns)

    async def heard_by_all(self) -> None:
        until_ns = now_ns() + round(PATIENCE_S * NS_PER_S)
        while self.missing and now_ns() < until_ns:  # noqa: ASYNC110  (a look costs less than an event for each message)
            await asyncio.sleep(LOOK_S)

    @property
    def sent(self) -> int:
        return sum(len(talker.due_ns) for talker in self.talkers)

    @property
    def missing(self) -> int:
        """How often a message that was sent has not come to a client."""
        sent = {content for talker in self.talkers for content in talker.due_ns}
        return sum(len(sent - talker.heard_ns.keys()) for talker in self.talkers)

    @property
    def repeated(self) -> int:
        """How often a message came to a client again."""
        return sum(len(talker.ids) - len({*talker.ids}) for talker in self.talkers)

    def latencies_ns(self, since_ns: int) -> list[int]:
        """Return from when it was to be sent to when it came back to its sender, of each message since then."""
        return [
            talker.heard_ns[content] - due_ns
            for talker in self.talkers
            for content, due_ns in talker.due_ns.items()
            if due_ns >= since_ns and content in talker.heard_ns
        ]


@asynccontextmanager
async def talking(
    manner: Manner, load: Load, address: tuple[str, int], following: Callable[[], int]
) -> AsyncGenerator[Talk, None]:
    """Have clients follow for as long as the block takes. following: how many the server has, asked in a thread.

    Raises what ended a client, if any: OSError, ProtocolError.
    """
    meter = Meter()
    talk = Talk([Talker(manner, address, meter) for _ in range(load.clients)], load, meter)
    tasks = [asyncio.create_task(talker.follow()) for talker in talk.talkers]
    try:
        while await asyncio.to_thread(following) < load.clients and not any(task.done() for task in tasks):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
        yield talk
    finally:
        for task in tasks:
            task.cancel()
        for talker in talk.talkers:
            talker.close()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end
