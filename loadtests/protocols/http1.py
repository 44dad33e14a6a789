"""PURE. What the users need of HTTP/1.1 (RFC 9112): a request out, the heads of responses and whole responses in.

Nothing here knows our messages or a socket: `ResponseReader` gives any server's status, header fields and body.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from loadtests.protocols.events import ProtocolError
from loadtests.protocols.http1_bodies import LIMIT_BYTES, ChunkReader, Framing, LengthReader, gunzip

HEAD_MAX_BYTES: Final = 65_536
HEAD_KEPT_BYTES: Final = 2_048
"""Longer heads are read anew each time, so that those kept for the next response stay a few megabytes."""
LENGTH_DIGITS: Final = 18
"""No body is longer than this many digits say, and Python takes seconds to read a number of thousands."""
_STATUS_LINE: Final = re.compile(r"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: [^\r\n\0]*)?")
_FOLDED_LINE: Final = re.compile(r"[ \t][^\r\n\0]*")
WHITESPACE: Final = " \t"
_FIELD_LINE: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)")


def get(host: str, target: str, headers: str = "") -> bytes:
    """Return the bytes of a GET request. headers: whole lines, each ended by CRLF."""
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode("ascii")


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A response's head. fields: as they came; headers: by names in lower case, values of the same name joined.

    keep_alive: the server means to keep the connection. length: of the body, None where its own end tells; chunked:
    that is the last chunk, else the end of the connection. plain_bytes: the length of a body that is there to be read
    as it is, -1 of any other.
    """

    status: int
    fields: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    keep_alive: bool
    length: int | None
    chunked: bool
    plain_bytes: int = -1

    def framing(self, limit_bytes: int) -> Framing:
        return ChunkReader(limit_bytes) if self.chunked else LengthReader(self.length)

    def is_gzip(self, *, asked: bool) -> bool:
        """Whether the body comes in gzip. Raises ProtocolError for a coding that the request did not ask for."""
        coding = self.headers.get("content-encoding", "").lower()
        if asked and coding in {"gzip", "x-gzip"}:
            return True
        if coding in {"", "identity"}:
            return False
        raise ProtocolError(f"a body in {coding[:40]!r}, which was not asked for")


NO_HEAD: Final = ResponseHead(0, (), {}, keep_alive=False, length=0, chunked=False)


def read_head(head: bytes) -> ResponseHead:
    """Read a head without the empty line that ends it. Raises ProtocolError.

    What servers say differs by little from one response to the next, so most heads have been read before.
    """
    return _read_kept(head) if len(head) <= HEAD_KEPT_BYTES else _read(head)


def _read(head: bytes) -> ResponseHead:
    first, *lines = head.decode("latin-1").split("\r\n")
    status_line = _STATUS_LINE.fullmatch(first)
    if status_line is None:
        raise ProtocolError(f"not an HTTP/1.1 response: {first[:60]!r}")
    fields: list[tuple[str, str]] = []
    for line in lines:
        if fields and _FOLDED_LINE.fullmatch(line):
            # A value that goes on in the next line: obsolete, and one space (RFC 9112 section 5.2).
            fields[-1] = (fields[-1][0], f"{fields[-1][1]} {line.strip(WHITESPACE)}".strip(WHITESPACE))
            continue
        field = _FIELD_LINE.fullmatch(line)
        if field is None:
            raise ProtocolError(f"{line[:60]!r} is not a header field")
        fields.append((field[1], field[2].rstrip(WHITESPACE)))
    headers: dict[str, str] = {}
    for name, value in fields:
        low = name.lower()
        headers[low] = f"{headers[low]}, {value}" if low in headers else value
    status, old = int(status_line[2]), status_line[1] == "0"
    length, chunked = _body_of(status, headers)
    options = _listed(headers, "connection")
    kept = "keep-alive" in options if old else "close" not in options
    # Chunks are unknown to HTTP/1.0: read, but not trusted any further (RFC 9112 section 6.1).
    keep_alive = kept and (chunked or length is not None) and not (old and chunked)
    plain = length is not None and status >= 200 and "content-encoding" not in headers
    plain_bytes = length if plain and length is not None else -1
    return ResponseHead(status, tuple(fields), headers, keep_alive, length, chunked, plain_bytes)


_read_kept: Final = lru_cache(maxsize=1024)(_read)


def _listed(headers: dict[str, str], name: str) -> list[str]:
    """Return the elements of a list in lower case; empty ones are none (RFC 9110 section 5.6.1)."""
    return [element for part in headers.get(name, "").lower().split(",") if (element := part.strip(WHITESPACE))]


def _body_of(status: int, headers: dict[str, str]) -> tuple[int | None, bool]:
    """Return the body's length and whether it is in chunks, by RFC 9112 section 6.3. Raises ProtocolError."""
    if status < 200 or status in {204, 304}:
        return 0, False
    if "transfer-encoding" in headers:
        codings = _listed(headers, "transfer-encoding")
        if codings != ["chunked"] or "content-length" in headers:
            raise ProtocolError(f"a body whose Transfer-Encoding is {headers['transfer-encoding'][:40]!r}, not chunked")
        return None, True
    if "content-length" not in headers:
        return None, False
    lengths = set(_listed(headers, "content-length"))
    digits = lengths.pop() if len(lengths) == 1 else ""
    if not re.fullmatch(f"0*[0-9]{{1,{LENGTH_DIGITS}}}", digits):
        raise ProtocolError(f"a Content-Length of {headers['content-length'][:40]!r}")
    return int(digits[-LENGTH_DIGITS:]), False


class HeadReader:
    """Reads the head of one response, and leaves what follows it alone. Interim responses (1xx) before it are skipped.

    head: once `receive` has returned what follows it.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._skipped_bytes = 0
        self.head = NO_HEAD

    @property
    def begun(self) -> bool:
        """Whether anything of a response has come."""
        return bool(self._buffer or self._skipped_bytes)

    @property
    def status(self) -> int:
        return self.head.status

    @property
    def headers(self) -> dict[str, str]:
        return self.head.headers

    def receive(self, data: bytes) -> bytes | None:
        """Take bytes; return what follows the head once it is complete, else None. Raises ProtocolError."""
        # Lines without anything before a response are a harmless fault of old servers.
        rest = self._buffer + data if self._buffer else data.lstrip(b"\r\n")
        while (end := rest.find(b"\r\n\r\n")) >= 0 and end + self._skipped_bytes <= HEAD_MAX_BYTES:
            head, rest = read_head(rest[:end]), rest[end + 4 :]
            if head.status >= 200 or head.status == 101:
                self.head, self._buffer = head, b""
                return rest
            self._skipped_bytes += end + 4
            rest = rest.lstrip(b"\r\n")
        if len(rest) + self._skipped_bytes > HEAD_MAX_BYTES:
            raise ProtocolError("a response head without end")
        if not rest.startswith(b"HTTP/1."[: len(rest)]) or b"\n\n" in rest:
            raise ProtocolError(f"not an HTTP/1.1 response: {rest[:60]!r}")
        self._buffer = rest
        return None


class ResponseReader:
    """Reads one whole response after another from a connection that is kept alive.

    gzip: the requests ask for it; body is unpacked. limit_bytes: the longest body that is taken, packed or not.
    head, status, body, sent_bytes, keep_alive: of the last response, once `receive` has returned True. sent_bytes: the
    length of its body as it was sent. keep_alive: whether the connection is of further use.
    """

    def __init__(self, *, gzip: bool = False, limit_bytes: int = LIMIT_BYTES) -> None:
        self._gzip = gzip
        self._limit_bytes = limit_bytes
        self._heads = HeadReader()
        self._framing: Framing | None = None
        self._held = bytearray()
        self._fresh = True
        self.head = NO_HEAD
        self.status = 0
        self.body = b""
        self.sent_bytes = 0
        self.keep_alive = True

    @property
    def headers(self) -> dict[str, str]:
        return self.head.headers

    @property
    def begun(self) -> bool:
        """Whether a response is under way."""
        return not self._fresh and (self._framing is not None or self._heads.begun)

    def receive(self, data: bytes) -> bool:
        """Take bytes, b"" for the end of the connection; return whether they complete a response.

        Raises ProtocolError.
        """
        if self._fresh:
            # Nearly every read is one whole response: no buffers for it.
            end = data.find(b"\r\n\r\n")
            if 0 < end <= HEAD_KEPT_BYTES and data.startswith(b"HTTP/"):
                head = _read_kept(data[:end])
                if head.plain_bytes == len(data) - end - 4 <= self._limit_bytes:
                    self.head, self.status, self.keep_alive = head, head.status, head.keep_alive
                    self.body, self.sent_bytes = data[end + 4 :], head.plain_bytes
                    return True
            self._fresh = False
        return self._take(data)

    def _take(self, data: bytes) -> bool:
        if self._framing is None:
            rest = self._heads.receive(data)
            if rest is None:
                return False
            self._framing = self._begin()
            self._feed(self._framing, rest)
        elif data:
            self._feed(self._framing, data)
        else:
            self._framing.close()
        if not self._framing.ended:
            return False
        head, framing = self._heads.head, self._framing
        stray, body = framing.rest, bytes(self._held)
        self._heads, self._framing, self._held, self._fresh = HeadReader(), None, bytearray(), True
        if stray.strip(b"\r\n") and not stray.startswith(b"HTTP/"):
            raise ProtocolError(f"{len(stray)} bytes after a response, without a request")
        # What looks like another response is said to nobody, such as 408 before an idle connection is closed.
        self._complete(head, body, keep_alive=head.keep_alive and bool(data) and not stray)
        return True

    def _begin(self) -> Framing:
        length = self._heads.head.length
        if length is not None and length > self._limit_bytes:
            raise ProtocolError(f"a body of {length} bytes, and the limit is {self._limit_bytes}")
        return self._heads.head.framing(self._limit_bytes)

    def _feed(self, framing: Framing, data: bytes) -> None:
        self._held += framing.receive(data)
        if len(self._held) > self._limit_bytes:
            raise ProtocolError(f"a body of more than the limit of {self._limit_bytes} bytes")

    def _complete(self, head: ResponseHead, body: bytes, *, keep_alive: bool) -> None:
        self.head, self.status, self.keep_alive = head, head.status, keep_alive
        self.body, self.sent_bytes = body, len(body)
        if body and head.status < 300 and "content-encoding" in head.headers and head.is_gzip(asked=self._gzip):
            self.body = gunzip(body, self._limit_bytes)
