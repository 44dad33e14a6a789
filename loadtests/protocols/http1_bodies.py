"""PURE. Bodies of HTTP/1.1, told from what surrounds them (chunks, a length, the end of the connection); and gzip.

Bytes in, payload out, whatever a read holds. None of it keeps more than a line of framing.
"""

import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Protocol

from loadtests.protocols.events import ProtocolError

LIMIT_BYTES: Final = 16_777_216
"""The longest message, or answer to a poll, that is taken unless a user says otherwise."""
CHUNK_LINE_MAX_BYTES: Final = 1_024
TRAILERS_MAX_BYTES: Final = 65_536
INFLATED_AT_ONCE_BYTES: Final = 65_536
GZIP_BITS: Final = 31
"""zlib's word for gzip with any window."""


class Framing(Protocol):
    """Takes the framing off one body.

    ended: the body is whole; rest: what came behind it. framing_bytes: of all bytes so far, those that were no
    payload. at_rest: no chunk is under way.
    """

    ended: bool
    rest: bytes
    framing_bytes: int

    @property
    def at_rest(self) -> bool: ...

    def receive(self, data: bytes) -> bytes:
        """Return the payload in these bytes. Raises ProtocolError, whose `payload` is what came before."""

    def close(self) -> bool:
        """Take note that the connection has ended; return whether the body is whole."""


class LengthReader:
    """A body of so many bytes; None: as many as come before the connection ends (RFC 9112 section 6.3 rule 8)."""

    def __init__(self, length: int | None) -> None:
        self._left = length
        self.ended = length == 0
        self.rest = b""
        self.framing_bytes = 0
        self.at_rest = True

    def receive(self, data: bytes) -> bytes:
        if self._left is None:
            return data
        payload, self.rest = data[: self._left], data[self._left :]
        self._left -= len(payload)
        self.ended = not self._left
        return payload

    def close(self) -> bool:
        self.ended = self.ended or self._left is None
        return self.ended


class ChunkReader:
    """A body in chunks (RFC 9112 section 7.1). limit_bytes: the longest chunk that is taken."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._between = True
        self._line = b""
        self._left = 0
        self._trailers_bytes = 0
        self._in_trailers = False
        self.framing_bytes = 0
        self.ended = False
        self.rest = b""

    @property
    def at_rest(self) -> bool:
        return self._between or not (self._left or self._line or self._in_trailers)

    def receive(self, data: bytes) -> bytes:
        if self._between and (start := lone_chunk(data, self._limit_bytes)):
            self.framing_bytes += start + 2
            return data[start:-2]
        payload: list[bytes] = []
        try:
            self._cut(data, payload)
        except ProtocolError as wrong:
            wrong.payload = b"".join(payload)
            raise
        self._between = not (self._left or self._line or self._in_trailers or self.ended)
        return payload[0] if len(payload) == 1 else b"".join(payload)

    def close(self) -> bool:
        """The zero-sized chunk ends a body, whatever becomes of the trailers (RFC 9112 section 8)."""
        self.ended = self.ended or self._in_trailers
        return self.ended

    def _cut(self, data: bytes, payload: list[bytes]) -> None:
        at, size = 0, len(data)
        while at < size and not self.ended:
            if self._left > 2:
                take = min(self._left - 2, size - at)
                payload.append(data[at : at + take])
                at += take
                self._left -= take
            elif self._left:
                if data[at] != b"\n\r"[self._left - 1]:
                    raise ProtocolError("a chunk that does not end with CRLF")
                at += 1
                self._left -= 1
                self.framing_bytes += 1
            else:
                at = self._take_line(data, at)
        if self.ended:
            self.rest = data[at:]

    def _take_line(self, data: bytes, at: int) -> int:
        """Read a chunk's size or a trailer; return where in `data` it ends."""
        held = len(self._line)
        line = self._line + data[at : at + CHUNK_LINE_MAX_BYTES + 2]
        end = line.find(b"\r\n")
        if end < 0 or end > CHUNK_LINE_MAX_BYTES:
            if len(line) > CHUNK_LINE_MAX_BYTES + 1 or end > 0:
                raise ProtocolError(f"a {'trailer' if self._in_trailers else 'chunk size'} without end")
            self._line = line
            return len(data)
        self._line = b""
        self.framing_bytes += end + 2
        if self._in_trailers:
            self._trailers_bytes += end + 2
            if self._trailers_bytes > TRAILERS_MAX_BYTES:
                raise ProtocolError("trailers without end")
            self.ended, self._in_trailers = not end, bool(end)
        else:
            size = chunk_bytes(line[:end])
            if size > self._limit_bytes:
                raise ProtocolError(f"a chunk of {size} bytes, and the limit is {self._limit_bytes}")
            self._in_trailers = not size
            self._left = size + 2 if size else 0
        return at + end + 2 - held


def lone_chunk(data: bytes, limit_bytes: int) -> int:
    """Return where the payload of the one chunk begins that these bytes are, up to two bytes before their end; else 0.

    Nearly every read is one, and needs no loop.
    """
    start = data.find(b"\r\n", 0, CHUNK_LINE_MAX_BYTES) + 2
    size = chunk_bytes(data[: start - 2]) if start > 2 else 0
    whole = size and start + size + 2 == len(data) and size <= limit_bytes and data.endswith(b"\r\n")
    return start if whole else 0


@lru_cache(maxsize=1024)
def chunk_bytes(line: bytes) -> int:
    """Read the first line of a chunk, without its end. Raises ProtocolError."""
    size, _, extension = line.partition(b";")
    size = size.rstrip(b" \t")
    if not size or size.strip(b"0123456789abcdefABCDEF") or b"\n" in extension or b"\r" in extension:
        raise ProtocolError(f"{line[:20]!r} is not a chunk size")
    return int(size, 16)


class Gunzip:
    """Unpacks gzip as it comes, one member after another (RFC 1952 section 2.2), never much at a time."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(GZIP_BITS)

    @property
    def ended(self) -> bool:
        """Whether what came so far ends with a whole member."""
        return self._inflate.eof

    def receive(self, data: bytes) -> Iterator[bytes]:
        """Give what these bytes unpack to, in pieces. Raises ProtocolError."""
        try:
            while data:
                if self._inflate.eof:
                    self._inflate = zlib.decompressobj(GZIP_BITS)
                piece = self._inflate.decompress(data, INFLATED_AT_ONCE_BYTES)
                data = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
                if piece:
                    yield piece
            # What the last call had no room for stays within zlib until it is asked again.
            while len(piece := self._inflate.decompress(b"", INFLATED_AT_ONCE_BYTES)):
                yield piece
        except zlib.error as wrong:
            raise ProtocolError(f"not gzip: {wrong}") from wrong


def gunzip(data: bytes, limit_bytes: int) -> bytes:
    """Unpack a whole body. Raises ProtocolError, also when it is longer than `limit_bytes`."""
    unpacking, pieces, size = Gunzip(), [], 0
    for piece in unpacking.receive(data):
        pieces.append(piece)
        size += len(piece)
        if size > limit_bytes:
            raise ProtocolError(f"{len(data)} bytes of gzip that unpack to more than the limit of {limit_bytes}")
    if not unpacking.ended:
        raise ProtocolError("gzip that is cut off")
    return b"".join(pieces)
