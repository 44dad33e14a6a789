"""One SSE client that reads far slower than messages come, and resumes by its cursor when it is cut off."""

import asyncio
import socket
from contextlib import suppress
from typing import Final

from loadtests.events import Message
from loadtests.http1 import get
from loadtests.programs import HOST
from loadtests.stream_decoders import SseDecoder
from servers.message import decode_stamp

TICK_S: Final = 0.1
RECEIVE_BUFFER_BYTES: Final = 4096
"""What its kernel takes for it (and doubles, socket(7)): a slow client's lag is to be the server's, not its own."""
FAST_BYTES: Final = 262_144


class SlowReader:
    """The client. ids: what it got, in order; remarks: what the server said of its cursor, or why it was closed.

    last_id: its cursor. hasty: whether it comes back at once when it is cut off, still slow, or not before it has
    recovered. cuts: how often it was cut off.
    """

    def __init__(self, port: int, last_id: int, bytes_per_s: int, *, hasty: bool) -> None:
        self._port = port
        self._bytes_per_tick = max(1, round(bytes_per_s * TICK_S))
        self._hasty = hasty
        self._recovered = asyncio.Event()
        self.last_id = last_id
        self.ids: list[int] = []
        self.remarks: list[str] = []
        self.cuts = 0

    def recover(self) -> None:
        """Read as fast as everybody from now on."""
        self._recovered.set()

    async def follow(self) -> None:
        """Read until cancelled, on one connection after the other."""
        while True:
            with suppress(ConnectionError):
                await self._listen()
            self.cuts += 1
            if not self._hasty:
                await self._recovered.wait()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as sock:
            sock.setblocking(False)
            # Before connecting: the window is agreed on with the first packet (tcp(7)).
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            await loop.sock_connect(sock, (HOST, self._port))
            netloc = f"{HOST}:{self._port}"
            decoder = SseDecoder(get(netloc, "/api/events", f"Last-Event-ID: {self.last_id}\r\n"))
            await loop.sock_sendall(sock, decoder.take_output())
            while data := await loop.sock_recv(sock, FAST_BYTES if self._recovered.is_set() else self._bytes_per_tick):
                for event in decoder.receive(data):
                    if isinstance(event, Message):
                        self._take(event.body)
                if not self._recovered.is_set():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._recovered.wait(), TICK_S)

    def _take(self, body: bytes) -> None:
        stamp = decode_stamp(body)
        if stamp.type:
            self.remarks.append(stamp.type)
        else:
            self.ids.append(stamp.id)
            self.last_id = stamp.id
