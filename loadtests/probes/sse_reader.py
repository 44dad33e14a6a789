"""An SSE client that reads as slowly as it is told, and resumes by its cursor when it is cut off."""

import asyncio
from contextlib import aclosing, suppress
from typing import Final

from loadtests.probes.followers import READ_BYTES, ask_of, hear
from loadtests.protocols.events import Message
from loadtests.runs.commands import HOST
from servers.feed.message import decode_stamp

TICK_S: Final = 0.1
SLOW_BUFFER_BYTES: Final = 1152
"""What the kernel of a slow client takes for it (and doubles, socket(7)): its lag is to be the server's."""


class SseReader:
    """The client. ids: what it got, in order; latency_ns: of each, from due to read; remarks: what it was told besides.

    bytes_per_s: how slow it is, 0 for as fast as can be. last_id: its cursor. cuts: how often it was cut off; it comes
    back when it has recovered.
    """

    def __init__(self, port: int, last_id: int, bytes_per_s: int = 0) -> None:
        self._port = port
        self._bytes_per_tick = round(bytes_per_s * TICK_S)
        self._fast = asyncio.Event()
        if not bytes_per_s:
            self._fast.set()
        self.last_id = last_id
        self.ids: list[int] = []
        self.latency_ns: list[int] = []
        self.remarks: list[str] = []
        self.cuts = 0

    def recover(self) -> None:
        """Read as fast as can be from now on."""
        self._fast.set()

    async def follow(self) -> None:
        """Read until cancelled, on one connection after the other."""
        while True:
            with suppress(ConnectionError):
                await self._listen()
            self.cuts += 1
            await self._fast.wait()

    async def _listen(self) -> None:
        address, buffer_bytes = (HOST, self._port), 0 if self._fast.is_set() else SLOW_BUFFER_BYTES
        ask = ask_of("sse", address, self.last_id)
        async with aclosing(hear("sse", ask, address, reads=self._next, buffer_bytes=buffer_bytes)) as heard:
            async for event, read_ns in heard:
                if isinstance(event, Message):
                    self._take(event.body, read_ns)

    async def _next(self) -> int:
        """Say how many bytes the next read may be, once it is time for it."""
        if not self._fast.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._fast.wait(), TICK_S)
        return READ_BYTES if self._fast.is_set() else self._bytes_per_tick

    def _take(self, body: bytes, read_ns: int) -> None:
        stamp = decode_stamp(body)
        if stamp.type:
            self.remarks.append(stamp.type)
        else:
            self.ids.append(stamp.id)
            self.latency_ns.append(read_ns - stamp.due_ns)
            self.last_id = stamp.id
