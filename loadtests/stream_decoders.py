"""PURE. The HTTP/1.1 streams: JSON lines and server-sent events in chunks, and WebSocket frames. Bytes in, events out.

No decoder relies on a chunk, a frame or a read being a message: proxies may cut bytes anew (RFC 6202 section 3.2).
"""

import base64
import hashlib
import struct
from collections.abc import Sequence
from typing import Final

from loadtests.events import Closed, Event, Head, Message, ProtocolError
from loadtests.http1 import NO_HEAD, HeadReader
from loadtests.http1_bodies import LIMIT_BYTES, Framing, Gunzip, LengthReader
from loadtests.text_parsers import EventStreamParser, LineParser, TextEvent, TextParser

FRAME_MAX_BYTES: Final = 16_777_216
EVENT_BYTES: Final = 256
"""What a message costs us beside its text."""
CONTROL_MAX_BYTES: Final = 125
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Http1Stream:
    """A request whose response goes on: its head is read, what follows is `_body`'s.

    head: of the response, NO_HEAD until it is there.
    """

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
        cursor, retry_after = (head.headers.get(name, "") for name in ("x-cursor", "retry-after"))
        events.append(Head(head.status, cursor=cursor, retry_after=retry_after))
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
    limit_bytes: the longest chunk that is taken.
    """

    content_type = ""

    def __init__(
        self, request: bytes, parser: TextParser, *, gzip: bool = False, limit_bytes: int = LIMIT_BYTES
    ) -> None:
        super().__init__(request)
        self.parser = parser
        self._gzip = gzip
        self._limit_bytes = limit_bytes
        self._framing: Framing = LengthReader(None)
        self._gunzip: Gunzip | None = None
        self._counted_bytes = 0
        self.found: Sequence[TextEvent] = ()

    @property
    def at_rest(self) -> bool:
        return self._head is None and self.parser.at_rest and self._framing.at_rest

    def _begin(self, reader: HeadReader, data: bytes, events: list[Event]) -> bytes:
        rest = super()._begin(reader, data, events)
        if self._framing.ended:
            self._close("", "", events)
        return rest

    def _check(self, head: HeadReader) -> None:
        given = head.headers.get("content-type", "")
        if self.content_type and given.partition(";")[0].strip().lower() != self.content_type:
            raise ProtocolError(f"a Content-Type of {given[:60]!r}, not {self.content_type}")
        self._framing = head.head.framing(self._limit_bytes)
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

    def __init__(self, request: bytes, *, gzip: bool = False, limit_bytes: int = LIMIT_BYTES) -> None:
        super().__init__(request, LineParser(limit_bytes), gzip=gzip, limit_bytes=limit_bytes)


class SseDecoder(TextStream):
    """Server-sent events: one event a message, whatever its name. Our servers' control lines have names, and their
    data has a `type`.
    """

    content_type = "text/event-stream"

    def __init__(self, request: bytes, *, gzip: bool = False, limit_bytes: int = LIMIT_BYTES) -> None:
        super().__init__(request, EventStreamParser(limit_bytes), gzip=gzip, limit_bytes=limit_bytes)


class WebSocketDecoder(Http1Stream):
    """WebSocket frames of a server (RFC 6455). Pings are answered, a close is answered and ends the stream.

    key: what the request carried as Sec-WebSocket-Key; the server must prove that it has read it (section 4.2.2).
    """

    good_status = 101

    def __init__(self, request: bytes, key: bytes) -> None:
        super().__init__(request)
        self._accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()  # noqa: S324
        self._buffer = b""
        self._parts = b""
        self._parts_wire_bytes = 0
        self._in_message = False

    @property
    def at_rest(self) -> bool:
        return self._head is None and not self._buffer and not self._in_message

    def _check(self, head: HeadReader) -> None:
        if head.headers.get("sec-websocket-accept") != self._accept:
            raise ProtocolError("the server did not prove that it speaks WebSocket")

    def _body(self, data: bytes, events: list[Event]) -> None:
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        at, size = 0, len(data)
        while size - at >= 2 and not self._over:
            first, length, start = data[at], data[at + 1], at + 2
            if length & 0x80:
                raise ProtocolError("a masked frame from a server")
            if length == 126:
                if size - at < 4:
                    break
                (length,), start = struct.unpack_from(">H", data, start), at + 4
            elif length == 127:
                if size - at < 10:
                    break
                (length,), start = struct.unpack_from(">Q", data, start), at + 10
            if length > FRAME_MAX_BYTES:
                raise ProtocolError(f"a frame of {length} bytes")
            end = start + length
            if end > size:
                break
            self._frame(first, data[start:end], end - at, events)
            at = end
        self._buffer = data[at:]

    def _frame(self, first: int, payload: bytes, wire_bytes: int, events: list[Event]) -> None:
        opcode, final = first & 0x0F, first & 0x80
        if first & 0x70 or opcode not in {0, 1, 2, 8, 9, 10} or (opcode >= 8 and not final):
            raise ProtocolError(f"a frame that begins with {first:#x}")
        if opcode >= 8 and len(payload) > CONTROL_MAX_BYTES:
            raise ProtocolError(f"a control frame of {len(payload)} bytes")
        if opcode == 8:
            self._out += client_frame(8, payload[:2])
            self._close("", payload[2:].decode("utf-8", "replace"), events)
        elif opcode == 9:
            self._out += client_frame(10, payload)
        elif opcode < 8:
            if (opcode == 0) != self._in_message:
                raise ProtocolError("a continuation without its message, or a message within one")
            self._parts += payload
            self._parts_wire_bytes += wire_bytes
            self._in_message = not final
            if final:
                events.append(Message(self._parts, self._parts_wire_bytes))
                self._parts, self._parts_wire_bytes = b"", 0


def client_frame(opcode: int, payload: bytes) -> bytes:
    """Return a short frame as clients must send it: masked. The mask is 0, which leaves the payload as it is:
    masking protects proxies from scripts in browsers (RFC 6455 section 10.3), and there is neither here."""
    if len(payload) > CONTROL_MAX_BYTES:
        raise ValueError(f"a control frame carries at most {CONTROL_MAX_BYTES} bytes, not {len(payload)}")
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload
