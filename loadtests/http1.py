"""PURE. What the users need of HTTP/1.1 (RFC 9112): a request out, whole responses or the chunks of one in."""

from functools import lru_cache
from typing import Final

from httptools import HttpParserError, HttpResponseParser

from loadtests.events import ProtocolError

HEAD_MAX_BYTES: Final = 65_536
CHUNK_LINE_MAX_BYTES: Final = 1_024
ACCEPT_GZIP: Final = "Accept-Encoding: gzip\r\n"


def get(host: str, target: str, headers: str = "") -> bytes:
    """Return the bytes of a GET request. headers: whole lines, each ended by CRLF."""
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode("ascii")


class ResponseReader:
    """Reads one whole response after another from a connection that is kept alive.

    status, keep_alive, body, headers: of the last response, once `receive` has returned True.
    """

    def __init__(self) -> None:
        self._reads: list[bytes] = []
        self._parts: list[bytes] = []
        self.on_body = self._parts.append
        self._parser = HttpResponseParser(self)
        self._complete = True
        self.status = 0
        self.keep_alive = True
        self.body = b""

    def receive(self, data: bytes) -> bool:
        """Take bytes; return whether they complete a response. Raises ProtocolError."""
        if self._complete:
            self._complete = False
            self._reads = [data]
            self._parts.clear()
        else:
            self._reads.append(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as wrong:
            raise ProtocolError(f"not an HTTP response: {wrong}") from wrong
        if self._complete:
            self.body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        return self._complete

    @property
    def headers(self) -> dict[str, str]:
        """Names in lower case. Read when asked for: only refusals are asked, and a header costs as much as a row."""
        head = HeadReader()
        head.receive(b"".join(self._reads))
        return head.headers

    def on_message_complete(self) -> None:
        # Asked later, the parser would already speak of the next response.
        self.status = self._parser.get_status_code()
        self.keep_alive = self._parser.should_keep_alive()
        self._complete = True


class HeadReader:
    """Reads the head of one response, and leaves what follows it alone."""

    def __init__(self) -> None:
        self._buffer = b""
        self.status = 0
        self.headers: dict[str, str] = {}

    def receive(self, data: bytes) -> bytes | None:
        """Take bytes; return what follows the head once it is complete, else None. Raises ProtocolError."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > HEAD_MAX_BYTES:
                raise ProtocolError("a response head without end")
            return None
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise ProtocolError(f"not an HTTP/1.1 response: {first[:60]!r}")
        self.status = int(rest[:3])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return self._buffer[end + 4 :]


class ChunkReader:
    """Takes the chunk framing off a body (RFC 9112 section 7.1), and keeps account of how many bytes it was."""

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0
        self.framing_bytes = 0
        self.ended = False

    @property
    def at_rest(self) -> bool:
        """Whether what was received so far ends with a whole chunk."""
        return not (self._left or self._buffer)

    def receive(self, data: bytes) -> bytes:
        """Return the payload in these bytes; `framing_bytes` grows by the rest. Raises ProtocolError."""
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        elif not self._left:
            # Nearly every read is one whole chunk: no loop for it.
            start = data.find(b"\r\n") + 2
            if start > 1 and start + _chunk_bytes(data[: start - 2]) + 2 == len(data) and not self.ended:
                self.ended = len(data) == start + 2
                self.framing_bytes += start + 2
                return data[start:-2]
        payload: list[bytes] = []
        at, size = 0, len(data)
        while at < size and not self.ended:
            if self._left > 2:
                take = min(self._left - 2, size - at)
                payload.append(data[at : at + take])
                at += take
                self._left -= take
            elif self._left:
                take = min(self._left, size - at)
                at += take
                self._left -= take
                self.framing_bytes += take
            else:
                line_end = data.find(b"\r\n", at)
                if line_end < 0:
                    if size - at > CHUNK_LINE_MAX_BYTES:
                        raise ProtocolError("a chunk size without end")
                    self._buffer = data[at:]
                    break
                self._left = _chunk_bytes(data[at:line_end]) + 2
                self.framing_bytes += line_end + 2 - at
                at = line_end + 2
                self.ended = self._left == 2
        return payload[0] if len(payload) == 1 else b"".join(payload)


@lru_cache(maxsize=1024)
def _chunk_bytes(line: bytes) -> int:
    size = line.split(b";", 1)[0].strip()
    if not size or size.strip(b"0123456789abcdefABCDEF"):
        raise ProtocolError(f"{line[:20]!r} is not a chunk size")
    return int(size, 16)
