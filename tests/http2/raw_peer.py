"""HTTP/2 frames by hand, on a blocking socket: nothing is checked on the way out, and all that comes is kept."""

import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, NamedTuple, Self

from h2.errors import ErrorCodes
from hpack import Encoder

from tests.server_process import HANG_S

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
Fields = Sequence[tuple[str, str]]


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def ends_stream(self) -> bool:
        return self.kind == RST or (self.kind in {DATA, HEADERS} and bool(self.flags & 1))


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBL", kind, flags, stream) + payload


def settings(*pairs: tuple[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HL", code, value) for code, value in pairs))


def window(stream: int, size: int) -> bytes:
    return frame(WINDOW, 0, stream, struct.pack(">L", size))


def rst(stream: int, code: int) -> bytes:
    return frame(RST, 0, stream, struct.pack(">L", code))


def block(
    path: str = "/api/poll", *more: tuple[str, str], method: str = "GET", drop: str = "", first: Fields = ()
) -> bytes:
    """Return a block of fields. drop: a pseudo-header field left out; first: fields ahead of all others."""
    pseudo = [(":method", method), (":scheme", "http"), (":authority", "h"), (":path", path)]
    return Encoder().encode([*first, *(field for field in pseudo if field[0] != drop), *more])


def get(stream: int, path: str = "/api/poll", *more: tuple[str, str], drop: str = "", first: Fields = ()) -> bytes:
    return frame(HEADERS, 5, stream, block(path, *more, drop=drop, first=first))


def post(*more: tuple[str, str]) -> bytes:
    """Begin a request on stream 1 whose content is still to come."""
    return frame(HEADERS, 4, 1, block("/api/message", *more, method="POST"))


class RawPeer:
    """One connection that has sent its preface, unless that is given."""

    def __init__(self, port: int, *first: tuple[int, int], preface: bytes | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=HANG_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._fences = 0
        self.frames: list[Frame] = []
        self.closed = False
        self.send(PREFACE + settings(*first) if preface is None else preface)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, where: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, *wires: bytes) -> Self:
        """Send; a server that has closed already takes nothing more, and what it has said is still there to read."""
        with suppress(ConnectionError):
            self._socket.sendall(b"".join(wires))
        return self

    def until(self, condition: Callable[[], object]) -> None:
        """Read until a condition holds or the server closes; a server that does neither fails the test."""
        while not condition() and not self.closed:
            try:
                data = self._socket.recv(65_536)
            except ConnectionError:
                data = b""
            self.closed = not data
            self._rest += data
            while len(self._rest) >= 9 and len(self._rest) >= (end := 9 + int.from_bytes(self._rest[:3], "big")):
                kind, flags, stream = struct.unpack_from(">BBL", self._rest, 3)
                self.frames.append(Frame(kind, flags, stream & 0x7FFFFFFF, self._rest[9:end]))
                self._rest = self._rest[end:]

    def fence(self) -> None:
        """Have the server answer everything sent so far, as far as it answers at once."""
        self._fences += 1
        number = self._fences.to_bytes(8, "big")
        self.send(frame(PING, 0, 0, number))
        self.until(lambda: any(one.payload == number for one in self.of(PING)))

    def of(self, kind: int, stream: int | None = None) -> list[Frame]:
        return [one for one in self.frames if one.kind == kind and stream in (None, one.stream)]

    def content(self, stream: int) -> bytes:
        return b"".join(one.payload for one in self.of(DATA, stream))

    def ended(self, stream: int) -> bool:
        return any(one.stream == stream and one.ends_stream for one in self.frames)

    def outcome(self, stream: int = 1) -> str:
        """Return what becomes of a stream: the code of its reset or of the connection's end, else "answered"."""
        self.until(lambda: self.of(GOAWAY) or self.ended(stream))
        for kind, name, at, of in ((GOAWAY, "GOAWAY", 4, None), (RST, "RST", 0, stream)):
            if found := self.of(kind, of):
                return f"{name} {ErrorCodes(int.from_bytes(found[0].payload[at : at + 4], 'big')).name}"
        return "answered" if self.of(HEADERS, stream) else "closed"
