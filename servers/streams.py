"""All open streams of one pattern, written from one wake-up with bytes that were framed once for all of them.

Every stream that has joined is at the newest message, because joining and waking are each done without an
`await`. So one cursor serves all, no stream needs a task, and a message costs one write per stream.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import msgspec
from aiohttp import HttpVersion11, web

from servers.clock import wall_timestamp
from servers.feed import Feed
from servers.history import Replay
from servers.options import ServerOptions

LINGER_S: Final = 5.0
"""How long a closed stream may take to read what was sent before its connection is cut."""


class Framing(NamedTuple):
    """What a pattern adds to a body. message: id and body; control: the fields of a line that is no message."""

    message: Callable[[int, bytes], bytes]
    control: Callable[[dict[str, object]], bytes]
    hello: Callable[[int], bytes]
    heartbeat: Callable[[], bytes]
    wire: Callable[[bytes], bytes]


class Sink(Protocol):
    """The part of a transport that a stream needs."""

    def write(self, data: bytes) -> None: ...
    def get_write_buffer_size(self) -> int: ...
    def abort(self) -> None: ...


class Stream(NamedTuple):
    """One open stream. raw: takes framed bytes without the wire's own chunks. end: called once to end it."""

    sink: Sink
    limit_bytes: int
    raw: bool
    end: Callable[[], object]


class Streams:
    """The open streams of one pattern."""

    def __init__(self, feed: Feed, options: ServerOptions, framing: Framing) -> None:
        self._feed = feed
        self._options = options
        self._framing = framing
        self._open: dict[int, Stream] = {}
        self._joined = 0
        self._cursor = feed.newest_id
        self._written_at_s = 0.0
        self._beat_timer: asyncio.TimerHandle | None = None
        feed.subscribe(self._wake, clients=lambda: len(self._open))

    def join(self, sink: Sink, last_id: int, end: Callable[[], object], *, raw: bool = False) -> int:
        """Send what comes after `last_id`, then every new message; return the stream's key for `leave`."""
        self._joined += 1
        key = self._joined
        replay = self._feed.after(last_id)
        payload = self._framing.hello(key) + self._framed(replay)
        sink.write(payload if raw else self._framing.wire(payload))
        limit = self._options.send_buffer_bytes + sink.get_write_buffer_size()
        self._open[key] = Stream(sink, limit, raw, end)
        if self._beat_timer is None:
            self._beat_in(self._options.heartbeat_s)
        if self._feed.closed:
            self._close(key, "the server is stopping")
        return key

    def leave(self, key: int) -> None:
        self._open.pop(key, None)

    def _wake(self) -> None:
        if self._feed.closed:
            for key in list(self._open):
                self._close(key, "the server is stopping")
            return
        replay = self._feed.after(self._cursor)
        self._cursor = replay.last_id
        if self._open:
            self._send(self._framed(replay))

    def _send(self, payload: bytes) -> None:
        wire = self._framing.wire(payload)
        lagging = []
        for key, (sink, limit_bytes, raw, _) in self._open.items():
            if sink.get_write_buffer_size() > limit_bytes:
                lagging.append(key)
            else:
                sink.write(payload if raw else wire)
        for key in lagging:
            self._close(key, "too slow: the send buffer is full; resume from the last id you have")
        self._written_at_s = asyncio.get_running_loop().time()

    def _close(self, key: int, reason: str) -> None:
        stream = self._open.pop(key)
        payload = self._framing.control({"type": "closed", "reason": reason})
        stream.sink.write(payload if stream.raw else self._framing.wire(payload))
        stream.end()
        asyncio.get_running_loop().call_later(LINGER_S, stream.sink.abort)

    def _beat(self) -> None:
        self._beat_timer = None
        silence_s = asyncio.get_running_loop().time() - self._written_at_s
        if not self._open:
            return
        if silence_s >= self._options.heartbeat_s:
            self._send(self._framing.heartbeat())
            silence_s = 0.0
        self._beat_in(self._options.heartbeat_s - silence_s)

    def _beat_in(self, delay_s: float) -> None:
        self._beat_timer = asyncio.get_running_loop().call_later(delay_s, self._beat)

    def _framed(self, replay: Replay) -> bytes:
        parts = []
        if replay.cursor:
            parts.append(self._framing.control({"type": replay.cursor, "first_id": replay.first_id}))
        first_id = replay.last_id - len(replay.bodies) + 1
        parts.extend(map(self._framing.message, range(first_id, replay.last_id + 1), replay.bodies))
        return b"".join(parts)


class Pump:
    """Stands in for the transport where bytes must pass aiohttp's writer: HTTP/2, and HTTP/1.0 without chunks."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._request = request
        self._response = response
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._ready = asyncio.Event()
        self._ended = False

    def write(self, data: bytes) -> None:
        self._waiting.append(data)
        self._size += len(data)
        self._ready.set()

    def get_write_buffer_size(self) -> int:
        return self._size

    def abort(self) -> None:
        self._request.task.cancel()

    def end(self) -> None:
        self._ended = True
        self._ready.set()

    async def run(self) -> None:
        """Move bytes until ended."""
        while self._waiting or not self._ended:
            await self._ready.wait()
            self._ready.clear()
            while self._waiting:
                data = self._waiting.popleft()
                await self._response.write(data)
                self._size -= len(data)


async def serve_stream(
    streams: Streams, request: web.Request, headers: dict[str, str], last_id: int
) -> web.StreamResponse:
    """Answer with an open stream until the client leaves or the stream is closed."""
    response = web.StreamResponse(headers={"X-Accel-Buffering": "no", **headers})
    response.force_close()
    await response.prepare(request)
    if request.version == HttpVersion11 and request.transport is not None:
        ended = asyncio.get_running_loop().create_future()
        key = streams.join(request.transport, last_id, lambda: ended.done() or ended.set_result(None))
        waiting = ended
    else:
        pump = Pump(request, response)
        key = streams.join(pump, last_id, pump.end, raw=True)
        waiting = pump.run()
    try:
        await waiting
    finally:
        streams.leave(key)
    return response


def chunk(payload: bytes) -> bytes:
    """Frame one chunk of a chunked body (RFC 9112 section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def json_line(fields: dict[str, object]) -> bytes:
    return msgspec.json.encode(fields) + b"\n"


def heartbeat_line() -> dict[str, object]:
    return {"type": "heartbeat", "timestamp": wall_timestamp()}
