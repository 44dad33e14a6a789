"""PURE. The HTTP/1.1 streams: JSON lines and server-sent events in chunks. Bytes in, events out.

No decoder relies on a chunk, a frame or a read being a message: proxies may cut bytes anew (RFC 6202 section 3.2).
"""

import zlib
from collections.abc import Callable
from typing import Final

from loadtests.events import Closed, Event, Head, Message, ProtocolError
from loadtests.http1 import ChunkReader, HeadReader

GZIP_BITS: Final = 31
"""zlib's word for gzip with any window."""


class _Http1Stream:
    """A request whose response goes on: its head is read, what follows is `_body`'s."""

    good_status = 200

    def __init__(self, request: bytes) -> None:
        self._out = request
        self._head: HeadReader | None = HeadReader()
        self._over = False

    def take_output(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def receive(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        if self._head is not None:
            rest = self._head.receive(data)
            if rest is None:
                return events
            head, self._head = self._head, None
            cursor, retry_after = (head.headers.get(name, "") for name in ("x-cursor", "retry-after"))
            events.append(Head(head.status, cursor=cursor, retry_after=retry_after))
            if head.status != self.good_status:
                self._close("status", f"the server answered {head.status}", events)
            else:
                self._check(head)
            data = rest
        if data and not self._over:
            self._body(data, events)
        return events

    def _check(self, head: HeadReader) -> None:
        raise NotImplementedError

    def _body(self, data: bytes, events: list[Event]) -> None:
        raise NotImplementedError

    def _close(self, error: str, reason: str, events: list[Event]) -> None:
        if not self._over:
            self._over = True
            events.append(Closed(error, reason))


class _ChunkedStream(_Http1Stream):
    """Text in chunks, cut at a separator."""

    separator: bytes

    def __init__(self, request: bytes) -> None:
        super().__init__(request)
        self._chunks = ChunkReader()
        self._inflate: Callable[[bytes], bytes] | None = None
        self._text = b""
        self._counted_bytes = 0

    @property
    def at_rest(self) -> bool:
        return self._head is None and not self._text and self._chunks.at_rest

    def _check(self, head: HeadReader) -> None:
        if head.headers.get("transfer-encoding", "").lower() != "chunked":
            raise ProtocolError("a stream that is not chunked")
        if head.headers.get("content-encoding", "").lower() == "gzip":
            self._inflate = zlib.decompressobj(GZIP_BITS).decompress

    def _body(self, data: bytes, events: list[Event]) -> None:
        chunks = self._chunks
        if self._inflate is not None:
            self._compressed(data, self._inflate, events)
            return
        text = self._text + chunks.receive(data) if self._text else chunks.receive(data)
        *pieces, self._text = text.split(self.separator)
        for piece in pieces:
            framing_bytes, self._counted_bytes = chunks.framing_bytes - self._counted_bytes, chunks.framing_bytes
            self._piece(piece, len(piece) + len(self.separator) + framing_bytes, events)
        if chunks.ended:
            self._close("", "", events)

    def _compressed(self, data: bytes, inflate: Callable[[bytes], bytes], events: list[Event]) -> None:
        """Messages that were compressed together share what came over the network since the last one, evenly."""
        payload = self._chunks.receive(data)
        self._counted_bytes += len(data)
        try:
            text = self._text + inflate(payload)
        except zlib.error as wrong:
            raise ProtocolError(f"not gzip: {wrong}") from wrong
        *pieces, self._text = text.split(self.separator)
        for left in range(len(pieces), 0, -1):
            share, piece = self._counted_bytes // left, pieces[-left]
            self._counted_bytes -= share
            self._piece(piece, share, events)
        if self._chunks.ended:
            self._close("", "", events)

    def _piece(self, piece: bytes, wire_bytes: int, events: list[Event]) -> None:
        raise NotImplementedError


class LinesDecoder(_ChunkedStream):
    """JSON lines: one line a message."""

    separator = b"\n"

    def _piece(self, piece: bytes, wire_bytes: int, events: list[Event]) -> None:
        if piece:
            events.append(Message(piece, wire_bytes))


class SseDecoder(_ChunkedStream):
    """Server-sent events (WHATWG HTML section 9.2), as our servers write them: LF only, one data line an event.

    A comment is nothing; an event with a name other than "message" is a control line, and its data has a `type`.
    """

    separator = b"\n\n"

    def _piece(self, piece: bytes, wire_bytes: int, events: list[Event]) -> None:
        data: bytes | None = None
        for line in piece.split(b"\n"):
            if line.startswith(b"data:"):
                value = line[6:] if line.startswith(b"data: ") else line[5:]
                data = value if data is None else data + b"\n" + value
        if data is not None:
            events.append(Message(data, wire_bytes))
