"""PURE. What a client of one request needs of HTTP/2 (RFC 9113): frames out, frames in, and what no frame may be."""

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from hpack import Encoder

from loadtests.protocols.events import ProtocolError

DATA, HEADERS, PRIORITIES, RST_STREAM, SETTINGS, PUSH_PROMISE = 0x0, 0x1, 0x2, 0x3, 0x4, 0x5
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0x6, 0x7, 0x8, 0x9
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, PRIORITY = 0x4, 0x8, 0x20

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW_BYTES: Final = 2**31 - 1
FRAME_MAX_BYTES: Final = 16_384
BLOCK_MAX_BYTES: Final = 65_536
UINT32: Final = Struct(">L")
_HEAD: Final = Struct(">HBBBL")
_SETTING: Final = Struct(">HL")
_BLOCKS: Final = frozenset({HEADERS, PUSH_PROMISE})
_ENABLE_PUSH, _MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 0x2, 0x3, 0x4, 0x5
FIRST_WINDOW_BYTES: Final = 65_535
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED = 0x1, 0x3, 0x5
FRAME_SIZE_ERROR, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 0x6, 0x9, 0xB
_RESERVED: Final = 1 << 31
_COMMON: Final = frozenset({DATA, HEADERS, PUSH_PROMISE})
_BLOCK_PARTS: Final = 64
_HTTP1: Final = (ord("P"), ord("/"))
"""What would be type and flags, where the bytes begin with `HTTP/1.1`."""
_RULES: Final = {
    DATA: (0, FRAME_MAX_BYTES, True),
    HEADERS: (0, FRAME_MAX_BYTES, True),
    PRIORITIES: (5, 5, True),
    RST_STREAM: (4, 4, True),
    SETTINGS: (0, FRAME_MAX_BYTES, False),
    PUSH_PROMISE: (4, FRAME_MAX_BYTES, True),
    PING: (8, 8, False),
    GOAWAY: (8, FRAME_MAX_BYTES, False),
    WINDOW_UPDATE: (4, 4, None),
    CONTINUATION: (0, FRAME_MAX_BYTES, True),
}
"""Least and most bytes, and whether it belongs to a stream (RFC 9113 6.1 to 6.10). Other frames are anything."""


class Http2Error(ProtocolError):
    """code: what GOAWAY is to say of it (RFC 9113 7)."""

    code = PROTOCOL_ERROR


def refused(reason: str, code: int = PROTOCOL_ERROR) -> Http2Error:
    error = Http2Error(reason)
    error.code = code
    return error


class Frame(NamedTuple):
    """One frame, padding and priority taken off, a header block put together from all its CONTINUATIONs."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes
    wire_bytes: int


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    return _HEAD.pack(len(payload) >> 8, len(payload) & 0xFF, kind, flags, stream_id) + payload


def opening(authority: str, target: str, scheme: str, streams: int, *, accept_push: bool) -> bytes:
    """Return what a client says first: preface, SETTINGS, windows wide open, and its one request, GET, as stream 1."""
    settings = [(_ENABLE_PUSH, accept_push), (_MAX_CONCURRENT_STREAMS, streams), (INITIAL_WINDOW_SIZE, WINDOW_BYTES)]
    request = [(":method", "GET"), (":scheme", scheme), (":authority", authority), (":path", target)]
    return b"".join((
        PREFACE,
        frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(code, value) for code, value in settings)),
        frame(WINDOW_UPDATE, 0, 0, UINT32.pack(WINDOW_BYTES - FIRST_WINDOW_BYTES)),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, Encoder().encode(request)),
    ))  # fmt: skip


class FrameReader:
    """Cuts bytes into frames, however they were split on the way."""

    def __init__(self) -> None:
        self._rest = b""
        self._block: Frame | None = None
        self._parts = 0
        self._begun = False
        self._open = False

    @property
    def at_rest(self) -> bool:
        """Whether what was received so far ends with a whole frame, or header block."""
        return not self._rest and self._block is None

    def receive(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete now; must be read to its end. Raises ProtocolError behind what is good."""
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        while size - at >= 9:
            high, low, kind, flags, stream_id = _HEAD.unpack_from(data, at)
            length = high << 8 | low
            if not (kind in _COMMON and self._open and 0 < stream_id < _RESERVED and 3 < length <= FRAME_MAX_BYTES):
                self._check(kind, flags, stream_id & ~_RESERVED, length)
            end = at + 9 + length
            if end > size:
                break
            part = Frame(kind, flags, stream_id & ~_RESERVED, data[at + 9 : end], end - at)
            if flags & (PADDED | PRIORITY) or kind == CONTINUATION or (kind in _BLOCKS and not flags & END_HEADERS):
                whole = self._whole(part)
                if whole is not None:
                    yield whole
            else:
                yield part
            at = end
        self._rest = data[at:]

    def _check(self, kind: int, flags: int, stream_id: int, length: int) -> None:
        """Raise Http2Error for a frame that its head condemns; its payload is not waited for."""
        least, most, on_stream = _RULES.get(kind, (0, FRAME_MAX_BYTES, None))
        if not self._begun and (kind, flags) == _HTTP1:
            raise refused("an answer in HTTP/1.1")
        if not least <= length <= most:
            raise refused(f"a frame of type {kind} of {length} bytes instead of {least} to {most}", FRAME_SIZE_ERROR)
        if on_stream is not None and bool(stream_id) != on_stream:
            raise refused(f"a frame of type {kind} on stream {stream_id}")
        if kind == SETTINGS and (length if flags & ACK else length % 6):
            raise refused(f"SETTINGS of {length} bytes", FRAME_SIZE_ERROR)
        if not self._begun:
            if kind != SETTINGS or flags & ACK:
                raise refused("a connection that does not begin with SETTINGS")
            self._begun = self._open = True
        block = self._block
        if (block is None) == (kind == CONTINUATION) or (block and block.stream_id != stream_id):
            raise refused("CONTINUATION without its header block, or something else within one")

    def _whole(self, part: Frame) -> Frame | None:
        """Strip what is not content, and hold a header block back until it is whole (RFC 9113 4.3, 6.10)."""
        block = self._block
        if block is None:
            whole = part._replace(payload=_content(part))
            self._parts = 0
        else:
            self._parts += 1
            payload, wire_bytes = block.payload + part.payload, block.wire_bytes + part.wire_bytes
            whole = Frame(block.kind, block.flags | part.flags & END_HEADERS, block.stream_id, payload, wire_bytes)
            if len(payload) > BLOCK_MAX_BYTES or self._parts > _BLOCK_PARTS:
                raise refused("a header block without end", ENHANCE_YOUR_CALM)
        self._block = whole if whole.kind in _BLOCKS and not whole.flags & END_HEADERS else None
        self._open = self._block is None
        return whole if self._open else None


def _content(part: Frame) -> bytes:
    """Return a payload without padding (RFC 9113 6.1) and without the deprecated priority of HEADERS (6.2)."""
    payload = part.payload
    if part.flags & PADDED and part.kind in {DATA, *_BLOCKS}:
        if not payload or payload[0] >= len(payload):
            raise refused("padding longer than its frame")
        payload = payload[1 : len(payload) - payload[0]]
    least_bytes = 4 if part.kind == PUSH_PROMISE else 5 if part.kind == HEADERS and part.flags & PRIORITY else 0
    if len(payload) < least_bytes:
        raise refused("a frame with less than its own fields", FRAME_SIZE_ERROR)
    return payload[5:] if part.kind == HEADERS and part.flags & PRIORITY else payload


def settings_of(payload: bytes) -> dict[int, int]:
    """Read SETTINGS of a server; of several values the last counts. Raises Http2Error (RFC 9113 6.5.2)."""
    found: dict[int, int] = {}
    for code, value in _SETTING.iter_unpack(payload):
        if code == _ENABLE_PUSH and value:
            raise refused(f"ENABLE_PUSH = {value} from a server")
        if code == INITIAL_WINDOW_SIZE and value > WINDOW_BYTES:
            raise refused(f"INITIAL_WINDOW_SIZE = {value}", FLOW_CONTROL_ERROR)
        if code == _MAX_FRAME_SIZE and not FRAME_MAX_BYTES <= value < 2**24:
            raise refused(f"MAX_FRAME_SIZE = {value}")
        found[code] = value
    return found


class Windows:
    """Flow control of the connection, 0, and of one stream, in both directions (RFC 9113 5.2, 6.9).

    We send nothing that needs a window, but a server that widens one beyond all bounds is wrong.
    """

    def __init__(self, stream_id: int) -> None:
        self._stream_id = stream_id
        self._used_bytes = {0: 0, stream_id: 0}
        self._left_bytes = {0: FIRST_WINDOW_BYTES, stream_id: FIRST_WINDOW_BYTES}
        self._first_bytes = FIRST_WINDOW_BYTES

    def used(self, stream_id: int, length: int) -> bytes:
        """Return the frame that opens a window again when half of it is used up, which takes 1 GiB; else b""."""
        self._used_bytes[stream_id] += length
        if self._used_bytes[stream_id] <= WINDOW_BYTES // 2:
            return b""
        back = frame(WINDOW_UPDATE, 0, stream_id, UINT32.pack(self._used_bytes[stream_id]))
        self._used_bytes[stream_id] = 0
        return back

    def widen(self, stream_id: int, by: int) -> None:
        """Take a WINDOW_UPDATE. Raises Http2Error."""
        if not by:
            raise refused(f"WINDOW_UPDATE by 0 on stream {stream_id}")
        if stream_id in self._left_bytes:
            self._add(stream_id, by)

    def begin_with(self, first_bytes: int) -> None:
        """Take an INITIAL_WINDOW_SIZE, which changes what is open already (6.9.2). Raises Http2Error."""
        self._add(self._stream_id, first_bytes - self._first_bytes)
        self._first_bytes = first_bytes

    def _add(self, stream_id: int, by: int) -> None:
        self._left_bytes[stream_id] += by
        if self._left_bytes[stream_id] > WINDOW_BYTES:
            raise refused(f"a window of {self._left_bytes[stream_id]} bytes", FLOW_CONTROL_ERROR)
