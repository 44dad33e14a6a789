"""PURE. The HTTP/1.1 streams: JSON lines and server-sent events in chunks. Bytes in, events out.

No decoder relies on a chunk, a frame or a read being a message: proxies may cut bytes anew (RFC 6202 section 3.2).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from loadtests.protocols.events import Closed, Event, Head, Message, ProtocolError
from loadtests.protocols.http1 import NO_HEAD, HeadReader
from loadtests.protocols.http1_bodies import LIMIT_BYTES, ChunkReader, Framing, Gunzip, LengthReader, lone_chunk
from loadtests.protocols.lone import LONE_BYTES, Lone, Said
from loadtests.protocols.text_parsers import (
    EventStreamParser,
    LineParser,
    TextEvent,
    TextParser,
    lone_event,
    lone_line,
)

CHUNK_BYTES_MAX: Final = 2**40
"""A chunk is no message: whoever resumes is sent all that it missed in one, which may be longer than any message."""
EVENT_BYTES: Final = 256
"""What a message costs us beside its text."""


def _in_a_chunk(of_text: Callable[[bytes], Said | None], data: bytes) -> Said | None:
    start = lone_chunk(data, LONE_BYTES)
    return of_text(data[start:-2]) if start else None


NONE: Final = Lone(lambda _: None)
LINES: Final = Lone(partial(_in_a_chunk, lone_line))
EVENTS: Final = Lone(partial(_in_a_chunk, lone_event))


class Http1Stream:
    """A request whose response goes on: its head is read, what follows is `_body`'s.

    head: of the response, NO_HEAD until it is there.
    """

    __slots__ = ("_head", "_out", "_over", "head")
    good_status = 200

    def __init__(self, request: bytes) -> None:
        self._out = request
        self._head: HeadReader | None = HeadReader()
        self._over = False
        self.head = NO_HEAD

    def take_output(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def receive(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        if self._over:
            return events
        try:
            if self._head is not None:
                data = self._begin(self._head, data, events)
                if data and not self._over:
                    self._body(data, events)
            elif data:
                self._body(data, events)
            else:
                self._end(events)
        except ProtocolError as wrong:
            wrong.events = events
            raise
        return events

    def _begin(self, reader: HeadReader, data: bytes, events: list[Event]) -> bytes:
        """Read the head; return what follows it."""
        rest = reader.receive(data)
        if rest is None:
            return b""
        head = self.head = reader.head
        self._head = None
        cursor, retry_after, location = (head.headers.get(name, "") for name in ("x-cursor", "retry-after", "location"))
        events.append(Head(head.status, cursor=cursor, retry_after=retry_after, location=location))
        if head.status != self.good_status:
            self._close("status", f"the server answered {head.status}", events)
        else:
            self._check(reader)
        return rest

    def _check(self, head: HeadReader) -> None:
        raise NotImplementedError

    def _body(self, data: bytes, events: list[Event]) -> None:
        raise NotImplementedError

    def _end(self, events: list[Event]) -> None:
        """Take note that the connection has ended, which to most protocols says nothing."""

    def _close(self, error: str, reason: str, events: list[Event]) -> None:
        if not self._over:
            self._over = True
            events.append(Closed(error, reason))


class TextStream(Http1Stream):
    """Text that goes on and on, given to a parser as it comes: each of its events is a message.

    found: the events of the last `receive`, as the parser gave them, one for each message.
    content_type: the one that the response must have, in lower case; "" for any. gzip: the request asks for it.
    limit_bytes: what gzip may unpack to at a time; that of an event is its parser's. lone: which chunks are a message.
    last_id: the id that a server-sent event set last, b"" for none.
    """

    __slots__ = (
        "_counted_bytes",
        "_framing",
        "_gunzip",
        "_gzip",
        "_limit_bytes",
        "_lone",
        "_may_be_lone",
        "found",
        "last_id",
        "parser",
    )
    content_type = ""

    def __init__(
        self,
        request: bytes,
        parser: TextParser,
        lone: Lone = NONE,
        *,
        gzip: bool = False,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        super().__init__(request)
        self.parser = parser
        self._gzip = gzip
        self._limit_bytes = limit_bytes
        self._framing: Framing = LengthReader(None)
        self._gunzip: Gunzip | None = None
        self._counted_bytes = 0
        self._lone = lone
        self._may_be_lone = False
        self.last_id = b""
        self.found: Sequence[TextEvent] = ()

    def lone(self, data: bytes) -> bytes | None:
        lone = self._lone
        if not self._may_be_lone or (data != lone.data and not lone.learn(data)):
            return None
        self.last_id = lone.id
        return lone.body

    def receive(self, data: bytes) -> list[Event]:
        self._may_be_lone = False
        self.parser.last_id = self.last_id
        events = super().receive(data)
        self.last_id = self.parser.last_id
        # What has not begun with a message may still have to be looked at for a byte order mark.
        in_chunks = type(self._framing) is ChunkReader and self._gunzip is None and self._limit_bytes >= LONE_BYTES
        self._may_be_lone = in_chunks and bool(self.found) and self.at_rest
        return events

    @property
    def at_rest(self) -> bool:
        # Framing that came behind its message is counted with the next, which is then longer than it was.
        settled = self._gunzip is not None or self._counted_bytes == self._framing.framing_bytes
        return settled and self._head is None and self.parser.at_rest and self._framing.at_rest

    def _begin(self, reader: HeadReader, data: bytes, events: list[Event]) -> bytes:
        rest = super()._begin(reader, data, events)
        if self._framing.ended:
            self._close("", "", events)
        return rest

    def _check(self, head: HeadReader) -> None:
        given = head.headers.get("content-type", "")
        if self.content_type and given.partition(";")[0].strip().lower() != self.content_type:
            raise ProtocolError(f"a Content-Type of {given[:60]!r}, not {self.content_type}")
        self._framing = head.head.framing(CHUNK_BYTES_MAX)
        self._gunzip = Gunzip() if head.head.is_gzip(asked=self._gzip) else None

    def _body(self, data: bytes, events: list[Event]) -> None:
        framing, parser, wrong = self._framing, self.parser, None
        try:
            payload = framing.receive(data)
        except ProtocolError as broken:
            wrong, payload = broken, broken.payload
        if self._gunzip is not None:
            self._counted_bytes += len(data)
            self._unpack(self._gunzip, payload, events)
        elif found := parser.feed(payload):
            self.found = found
            framing_bytes, self._counted_bytes = framing.framing_bytes - self._counted_bytes, framing.framing_bytes
            for event in found:
                events.append(Message(event.data, event.text_bytes + framing_bytes))
                framing_bytes = 0
        elif payload and parser.at_rest and framing.at_rest:
            # A heartbeat: what was around it is no message's.
            self._counted_bytes = framing.framing_bytes
        wrong = parser.wrong or wrong
        if wrong is not None:
            raise wrong
        if framing.ended:
            self._finish(events)

    def _unpack(self, unpacking: Gunzip, payload: bytes, events: list[Event]) -> None:
        """Messages that were compressed together share what came over the network since the last one, evenly."""
        found: list[TextEvent] = []
        size, limit = 0, max(self._limit_bytes, LIMIT_BYTES)
        try:
            for text in unpacking.receive(payload):
                found += self.parser.feed(text)
                size += len(text)
                if self.parser.wrong is not None:
                    break
                if size + len(found) * EVENT_BYTES > limit:
                    raise ProtocolError(f"{len(payload)} bytes of gzip that unpack to more than {limit}")
        finally:
            self.found = found
            for left in range(len(found), 0, -1):
                share = self._counted_bytes // left
                self._counted_bytes -= share
                events.append(Message(found[-left].data, share))

    def _end(self, events: list[Event]) -> None:
        if self._framing.close():
            self._finish(events)

    def _finish(self, events: list[Event]) -> None:
        last = self.parser.end()
        self.found = [*self.found, *last]
        for event in last:
            framing_bytes = self._framing.framing_bytes - self._counted_bytes
            wire_bytes = event.text_bytes + framing_bytes if self._gunzip is None else self._counted_bytes
            events.append(Message(event.data, wire_bytes))
        self._close("", "", events)


class LinesDecoder(TextStream):
    """JSON lines: one line a message."""

    __slots__ = ()

    def __init__(self, request: bytes, *, gzip: bool = False, limit_bytes: int = LIMIT_BYTES) -> None:
        super().__init__(request, LineParser(limit_bytes), LINES, gzip=gzip, limit_bytes=limit_bytes)


class SseDecoder(TextStream):
    """Server-sent events: one event a message, whatever its name. Our servers' control lines have names, and their
    data has a `type`.
    """

    __slots__ = ()
    content_type = "text/event-stream"

    def __init__(self, request: bytes, *, gzip: bool = False, limit_bytes: int = LIMIT_BYTES) -> None:
        super().__init__(request, EventStreamParser(limit_bytes), EVENTS, gzip=gzip, limit_bytes=limit_bytes)
