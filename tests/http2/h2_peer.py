"""A client on h2 over a real socket, and an application served to it: what the tests of servers/http2 share."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar, cast

import uvloop
from aiohttp import web
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PushedStreamReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.settings import SettingCodes, Settings
from hyperframe.frame import Frame, GoAwayFrame

from servers.http2 import H2Server, Limits, serve_h2
from servers.http2.limits import DEFAULT_LIMITS
from tests.server_process import HANG_S

OneEvent = TypeVar("OneEvent", bound=Event)


def run(check: Coroutine[None, None, None]) -> None:
    """Run a test on the loop that the servers run on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(check)


@asynccontextmanager
async def served(
    routes: Iterable[web.AbstractRouteDef],
    limits: Limits = DEFAULT_LIMITS,
    ssl_context: ssl.SSLContext | None = None,
    kernel_bytes: int | None = None,
) -> AsyncIterator[tuple[int, H2Server]]:
    """Serve an ordinary application; yield port and server. kernel_bytes: bound of the kernel's send buffers."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app)
    await runner.setup()
    sock = socket.create_server(("127.0.0.1", 0))
    if kernel_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, kernel_bytes)
    server = await serve_h2(app, sock, ssl_context=ssl_context, limits=limits)
    try:
        yield server.port, server
    finally:
        await server.close()
        await runner.cleanup()


@dataclass
class Response:
    """What has come of one stream so far."""

    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None
    promised: dict[str, str] = field(default_factory=dict)


class PatientH2(H2Connection):
    """h2, but it goes on reading after GOAWAY, as RFC 9113 6.8 wants a client to."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        event = ConnectionTerminated()
        event.error_code = ErrorCodes(frame.error_code)
        event.last_stream_id = frame.last_stream_id
        event.additional_data = frame.additional_data
        return [], [event]


class Peer:
    """A client connection. `events` has everything h2 has seen, in order; `streams` what it amounts to.

    acknowledge: whether content read opens the windows again. mute: whether everything h2 wants to send waits.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.h2 = PatientH2(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.events: list[Event] = []
        self.streams: dict[int, Response] = {}
        self.closed = False
        self.acknowledge = True
        self.mute = False
        peername = writer.get_extra_info("peername")
        if peername is None:
            raise ConnectionResetError("the server closed the connection before anything was sent")
        self.authority = "{}:{}".format(*peername[:2])
        self.scheme = "https" if writer.get_extra_info("ssl_object") else "http"
        self._reader = reader
        self._writer = writer
        self._changed = asyncio.Event()
        self._pump = asyncio.get_running_loop().create_task(self._read())

    def start(self, settings: dict[SettingCodes, int] | None = None) -> None:
        """Send the preface, and these settings on top of h2's own."""
        self.h2.local_settings = Settings(client=True, initial_values=settings)
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        if not self.mute:
            self.send(self.h2.data_to_send())

    def send(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    def request(
        self, path: str, method: str = "GET", headers: Iterable[tuple[str, str]] = (), *, end: bool = True
    ) -> int:
        stream_id = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", self.scheme), (":authority", self.authority), (":path", path)]
        self.h2.send_headers(stream_id, [*pseudo, *headers], end_stream=end)
        self.flush()
        self.streams[stream_id] = Response()
        return stream_id

    async def get(self, path: str, method: str = "GET") -> Response:
        """Ask, and wait for the whole answer."""
        response = self.streams[self.request(path, method)]
        await self.until(lambda: response.ended or response.reset is not None)
        return response

    async def round_trip(self) -> None:
        """Let the server have seen everything sent so far. Needs no window."""
        await self.get("/nothing", "HEAD")

    async def post(self, path: str, body: bytes) -> Response:
        """Send a body as the windows allow, and wait for the whole answer."""
        stream_id = self.request(path, "POST", end=False)
        while body:
            await self.until(lambda: self.h2.local_flow_control_window(stream_id) > 0)
            size = min(self.h2.local_flow_control_window(stream_id), self.h2.max_outbound_frame_size, len(body))
            self.h2.send_data(stream_id, body[:size])
            self.flush()
            body = body[size:]
        self.h2.end_stream(stream_id)
        self.flush()
        await self.until(lambda: self.streams[stream_id].ended)
        return self.streams[stream_id]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something the server sends to make `condition` true."""
        async with asyncio.timeout(HANG_S):
            while not condition():
                assert not self.closed, f"the server closed the connection; last of {self.events[-3:]}"
                self._changed.clear()
                await self._changed.wait()

    async def until_closed(self) -> None:
        async with asyncio.timeout(HANG_S):
            await self._pump

    def seen(self, kind: type[OneEvent]) -> list[OneEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    def pushed(self) -> list[Response]:
        """Return the pushed responses that have ended, in the order in which they were promised."""
        return [one for number, one in sorted(self.streams.items()) if number % 2 == 0 and one.ended]

    def pause(self) -> None:
        """Read nothing more, so that the kernel's buffers fill."""
        cast(asyncio.Transport, self._writer.transport).pause_reading()

    def resume(self) -> None:
        cast(asyncio.Transport, self._writer.transport).resume_reading()

    async def close(self) -> None:
        self._pump.cancel()
        self._writer.transport.abort()

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(65_536):
                for event in self.h2.receive_data(data):
                    self.events.append(event)
                    self._apply(event)
                self.flush()
                self._changed.set()
        except ConnectionError:
            pass
        self.closed = True
        self._changed.set()

    def _apply(self, event: Event) -> None:
        if isinstance(event, PushedStreamReceived):
            self.streams[event.pushed_stream_id or 0] = Response(promised=texts(event.headers or ()))
        elif isinstance(event, ResponseReceived):
            self.streams[event.stream_id].headers = texts(event.headers)
        elif isinstance(event, TrailersReceived):
            self.streams[event.stream_id].trailers = texts(event.headers)
        elif isinstance(event, DataReceived):
            self.streams[event.stream_id].body += event.data
            if self.acknowledge:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            self.streams[event.stream_id].ended = True
        elif isinstance(event, StreamReset) and event.stream_id in self.streams:
            self.streams[event.stream_id].reset = int(event.error_code)


def texts(headers: Iterable[tuple[str | bytes, str | bytes]]) -> dict[str, str]:
    return {str(name): str(value) for name, value in headers}


@asynccontextmanager
async def connected(
    port: int,
    settings: dict[SettingCodes, int] | None = None,
    ssl_context: ssl.SSLContext | None = None,
    start: bool = True,
) -> AsyncIterator[Peer]:
    """Connect; h2's preface is sent unless `start` says otherwise."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=ssl_context, server_hostname="localhost" if ssl_context else None
    )
    peer = Peer(reader, writer)
    try:
        if start:
            peer.start(settings)
        yield peer
    finally:
        await peer.close()


def last_words(peer: Peer) -> tuple[int, bytes]:
    """Return error code and reason of the GOAWAY the server sent last."""
    last = peer.seen(ConnectionTerminated)[-1]
    return int(last.error_code or 0), last.additional_data or b""
