"""All open streams of one pattern, written from one wake-up with bytes that were framed once for all of them.

Every stream that has joined is at the newest message, because joining and waking are each done without an
`await`. So one cursor serves all, no stream needs a task, and a message costs one write per stream.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, NamedTuple, Protocol

import msgspec
from aiohttp import HttpVersion11, web

from servers.feed.feed import Feed
from servers.feed.history import Replay
from servers.settings.options import ServerOptions
from servers.timing.clock import wall_timestamp
from servers.web.compression import GZIP, Deflated, accepts_gzip
from servers.web.patience import bounds_itself

LINGER_S: Final = 3.0
"""How long a closed stream's client may take to read what was sent before its connection is cut."""
UNBUFFERED: Final = {"X-Accel-Buffering": "no", "Cache-Control": "no-cache"}
"""Asks nginx and its kin to pass on each piece as it comes (research: R3, pitfall 12)."""
UNHEARD_BEATS: Final = 3
"""Heartbeats that a client which answers them may leave unanswered; `notice_dead_peers` gives the kernel as many."""
STOPPING: Final = "the server is stopping"
BACKLOGS: Final = 4
"""Whole histories that may wait for clients that begin with one, in all: each has a copy, framed for itself."""
TOO_MANY_BEHIND: Final = "too many clients are far behind and do not read; come back with the last id you have"
TOO_SLOW: Final = "too slow: the send buffer is full; resume from the last id you have"


class Framing(NamedTuple):
    """What a pattern adds to bodies.

    message: frames a body; control: frames the fields of a line that is no message; hello: opens a stream, given its
    number; heartbeat: breaks a silence; wire: what HTTP/1.1 puts around all of these.
    """

    message: Callable[[bytes], bytes]
    control: Callable[[dict[str, object]], bytes]
    hello: Callable[[int], bytes]
    heartbeat: Callable[[], bytes]
    wire: Callable[[bytes], bytes]


class Sink(Protocol):
    """The part of a transport that a stream needs."""

    def write(self, data: bytes) -> None: ...
    def get_write_buffer_size(self) -> int: ...
    def is_closing(self) -> bool: ...
    def abort(self) -> None: ...


class Stream(NamedTuple):
    """One open stream. raw: what surrounds the frames is added behind the sink. end: called to end the response."""

    sink: Sink
    limit_bytes: int
    raw: bool
    end: Callable[[], object]


class Streams:
    """The open streams of one pattern, by number. compress: for clients that accept it; wire: as in its framing."""

    def __init__(self, feed: Feed, options: ServerOptions, framing: Framing) -> None:
        self.compress = options.compress
        self.wire = framing.wire
        self._feed = feed
        self._options = options
        self._framing = framing
        self._open: dict[int, Stream] = {}
        self._unheard: dict[int, int] = {}
        self._joined = 0
        self._last_id = feed.newest_id
        self._written_s = 0.0
        self._heartbeat: asyncio.TimerHandle | None = None
        feed.subscribe(self._wake, clients=lambda: len(self._open))

    def join(
        self, sink: Sink, last_id: int, end: Callable[[], object], *, raw: bool = False, answers: bool = False
    ) -> int:
        """Send what comes after `last_id`, and from now on every new message; return the number for `leave`.

        answers: its client answers every heartbeat, of which `heard` must be told; one that does not is cut.
        What is sent first may exceed the send buffer by itself, so it is allowed on top, while there is room for it:
        only falling further behind closes a stream.
        """
        self._joined += 1
        number = self._joined
        replay = self._feed.after(last_id)
        fits = self._has_room_for(replay)
        payload = self._framing.hello(number) + (self._framed(replay) if fits else b"")
        sink.write(payload if raw else self._framing.wire(payload))
        limit_bytes = (self._options.send_buffer_bytes or sys.maxsize) + sink.get_write_buffer_size()
        self._open[number] = Stream(sink, limit_bytes, raw, end)
        if answers:
            self._unheard[number] = 0
        if self._feed.closed or not fits:
            self._close(number, TOO_MANY_BEHIND if not fits else STOPPING)
        elif self._heartbeat is None and self._options.heartbeat_s:
            self._beat_after(self._options.heartbeat_s)
        return number

    def _has_room_for(self, replay: Replay) -> bool:
        most, length = self._options.send_buffer_bytes, sum(map(len, replay.bodies))
        if not most or length <= most:
            return True
        sinks = (stream.sink for stream in self._open.values())
        waiting = sum(sink.get_write_buffer_size() for sink in sinks if not sink.is_closing())
        return waiting + length <= BACKLOGS * self._options.history_bytes

    def leave(self, number: int) -> None:
        self._open.pop(number, None)
        self._unheard.pop(number, None)

    def heard(self, number: int) -> None:
        """Take note that this client is alive."""
        if number in self._unheard:
            self._unheard[number] = 0

    def _wake(self) -> None:
        if self._feed.closed:
            for number in list(self._open):
                self._close(number, STOPPING)
            return
        replay = self._feed.after(self._last_id)
        self._last_id = replay.last_id
        if self._open and replay.bodies:
            self._send(self._framed(replay))

    def _send(self, payload: bytes) -> None:
        self._written_s = asyncio.get_running_loop().time()
        wire = self._framing.wire(payload)
        lagging = []
        for number, (sink, limit_bytes, raw, _) in self._open.items():
            if sink.is_closing():
                continue
            if sink.get_write_buffer_size() > limit_bytes:
                lagging.append(number)
            else:
                sink.write(payload if raw else wire)
        for number in lagging:
            self._close(number, TOO_SLOW)

    def _close(self, number: int, reason: str) -> None:
        """Say why, end the response, and cut the connection of a client that does not read even that."""
        sink, _, raw, end = self._open[number]
        self.leave(number)
        if sink.is_closing():
            return
        payload = self._framing.control({"type": "closed", "reason": reason})
        sink.write(payload if raw else self._framing.wire(payload))
        end()
        asyncio.get_running_loop().call_later(LINGER_S, sink.abort)

    def _beat(self) -> None:
        """One timer for all streams: they all get the same messages, so they all fall silent together.

        Where clients answer, they are asked whether or not there was a silence: a kernel goes on acknowledging messages
        to a process that is frozen, so that only an answer of the client itself tells.
        """
        self._heartbeat = None
        if not self._open:
            return
        silence_s = asyncio.get_running_loop().time() - self._written_s
        if self._unheard or silence_s >= self._options.heartbeat_s:
            self._cut_unheard()
            self._send(self._framing.heartbeat())
            silence_s = 0.0
        self._beat_after(self._options.heartbeat_s - silence_s)

    def _cut_unheard(self) -> None:
        """Cut clients without a close frame that left too many heartbeats unanswered: they would not read it.

        Who lags so far that bytes wait here has not got the last one yet; the limit on lagging is for those.
        """
        for number, beats in list(self._unheard.items()):
            sink = self._open[number].sink
            if sink.get_write_buffer_size():
                continue
            if beats < UNHEARD_BEATS:
                self._unheard[number] += 1
            else:
                sink.abort()
                self.leave(number)

    def _beat_after(self, delay_s: float) -> None:
        self._heartbeat = asyncio.get_running_loop().call_later(delay_s, self._beat)

    def _framed(self, replay: Replay) -> bytes:
        frames = [self._framing.message(body) for body in replay.bodies]
        if replay.cursor:
            frames.insert(0, self._framing.control({"type": replay.cursor, "first_id": replay.first_id}))
        return b"".join(frames)


class Pump:
    """Stands in for the transport where bytes must pass aiohttp's writer: HTTP/2, and HTTP/1.0 without chunks."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._request = request
        self._response = response
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._ended = False

    def write(self, data: bytes) -> None:
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self._changed.set()

    def get_write_buffer_size(self) -> int:
        return self._waiting_bytes

    def is_closing(self) -> bool:
        return self._request.transport is None or self._request.transport.is_closing()

    def abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    async def run(self) -> None:
        """Move bytes until ended and empty."""
        while self._waiting or not self._ended:
            await self._changed.wait()
            self._changed.clear()
            while self._waiting:
                data = self._waiting.popleft()
                await self._response.write(data)
                self._waiting_bytes -= len(data)


async def serve_stream(
    streams: Streams, request: web.Request, headers: dict[str, str], last_id: int
) -> web.StreamResponse:
    """Answer with an open stream until the client leaves or the stream is closed. Raises BadFieldError."""
    deflated = streams.compress and request.version == HttpVersion11 and accepts_gzip(request)
    encoding = {"Vary": "Accept-Encoding"} if streams.compress else {}
    if deflated:
        encoding |= {"Content-Encoding": GZIP}
    response = web.StreamResponse(headers=UNBUFFERED | headers | encoding)
    response.force_close()
    await response.prepare(request)
    bounds_itself(request)
    if request.version == HttpVersion11 and request.transport is not None:
        ended = asyncio.get_running_loop().create_future()
        end = partial(finish, ended)
        if deflated:
            sink = Deflated(request.transport, streams.wire)
            number = streams.join(sink, last_id, sink.ending(end), raw=True)
        else:
            number = streams.join(request.transport, last_id, end)
        waiting: Awaitable[None] = ended
    else:
        pump = Pump(request, response)
        number = streams.join(pump, last_id, pump.end, raw=True)
        waiting = pump.run()
    try:
        await waiting
    finally:
        streams.leave(number)
    return response


def finish(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


def chunk(payload: bytes) -> bytes:
    """Frame one chunk of a chunked body (RFC 9112 section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def json_line(fields: dict[str, object]) -> bytes:
    return msgspec.json.encode(fields) + b"\n"


def heartbeat_fields() -> dict[str, object]:
    return {"type": "heartbeat", "timestamp": wall_timestamp()}
