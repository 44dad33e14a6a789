"""PURE. What a client of one request needs of HTTP/2 (RFC 9113): frames out, frames in, header fields (RFC 7541)."""

from struct import Struct
from typing import Final, NamedTuple

from hpack import Decoder, Encoder, HPACKError

from loadtests.protocols.events import ProtocolError

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE = 0x0, 0x1, 0x3, 0x4, 0x5
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
_ENABLE_PUSH, _MAX_CONCURRENT_STREAMS, _INITIAL_WINDOW_SIZE = 0x2, 0x3, 0x4
_FIRST_WINDOW_BYTES: Final = 65_535
_KNOWN_BLOCKS: Final = 4_096

Fields = tuple[tuple[bytes, bytes], ...]


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
    settings = [(_ENABLE_PUSH, accept_push), (_MAX_CONCURRENT_STREAMS, streams), (_INITIAL_WINDOW_SIZE, WINDOW_BYTES)]
    request = [(":method", "GET"), (":scheme", scheme), (":authority", authority), (":path", target)]
    return b"".join((
        PREFACE,
        frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(code, value) for code, value in settings)),
        frame(WINDOW_UPDATE, 0, 0, UINT32.pack(WINDOW_BYTES - _FIRST_WINDOW_BYTES)),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, Encoder().encode(request)),
    ))  # fmt: skip


class FrameReader:
    """Cuts bytes into frames, however they were split on the way."""

    def __init__(self) -> None:
        self._rest = b""
        self._block: Frame | None = None

    @property
    def at_rest(self) -> bool:
        """Whether what was received so far ends with a whole frame, or header block."""
        return not self._rest and self._block is None

    def receive(self, data: bytes) -> list[Frame]:
        """Return the frames that are complete now. Raises ProtocolError."""
        if self._rest:
            data = self._rest + data
        frames: list[Frame] = []
        at, size = 0, len(data)
        while size - at >= 9:
            high, low, kind, flags, stream_id = _HEAD.unpack_from(data, at)
            length = high << 8 | low
            if length > FRAME_MAX_BYTES:
                raise ProtocolError(f"a frame of {length} bytes, more than the {FRAME_MAX_BYTES} allowed")
            end = at + 9 + length
            if end > size:
                break
            part = Frame(kind, flags, stream_id & 0x7FFFFFFF, data[at + 9 : end], end - at)
            if flags & (PADDED | PRIORITY) or kind == CONTINUATION or (kind in _BLOCKS and not flags & END_HEADERS):
                whole = self._whole(part)
                if whole is not None:
                    frames.append(whole)
            elif self._block is not None:
                raise ProtocolError("a header block was interrupted")
            else:
                frames.append(part)
            at = end
        self._rest = data[at:]
        return frames

    def _whole(self, part: Frame) -> Frame | None:
        """Strip what is not content, and hold a header block back until it is whole (RFC 9113 4.3, 6.10)."""
        block = self._block
        if (block is None) == (part.kind == CONTINUATION) or (block and block.stream_id != part.stream_id):
            raise ProtocolError("CONTINUATION without its header block, or something else within one")
        if block is None:
            whole = part._replace(payload=_content(part))
        else:
            payload, wire_bytes = block.payload + part.payload, block.wire_bytes + part.wire_bytes
            whole = Frame(block.kind, block.flags | part.flags & END_HEADERS, block.stream_id, payload, wire_bytes)
            if len(payload) > BLOCK_MAX_BYTES:
                raise ProtocolError("a header block without end")
        self._block = whole if whole.kind in _BLOCKS and not whole.flags & END_HEADERS else None
        return whole if self._block is None else None


def _content(part: Frame) -> bytes:
    """Return a payload without padding (RFC 9113 6.1) and without the deprecated priority of HEADERS (6.2)."""
    payload = part.payload
    if part.flags & PADDED and part.kind in {DATA, *_BLOCKS}:
        if not payload or payload[0] >= len(payload):
            raise ProtocolError("padding longer than its frame")
        payload = payload[1 : len(payload) - payload[0]]
    return payload[5:] if part.kind == HEADERS and part.flags & PRIORITY else payload


class FieldDecoder:
    """HPACK that remembers what it has decoded.

    What a block says depends on the block and the table, and a block that leaves the table alone can be looked up.
    All users of a process are sent the same blocks over equal tables, so one of them decodes, 30 us, for all.
    """

    _known: dict[tuple[int, bytes], Fields] = {}  # noqa: RUF012
    _tables: dict[tuple[object, ...], int] = {}  # noqa: RUF012

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._decoder.max_header_list_size = BLOCK_MAX_BYTES
        self._table = self._name_table()

    def decode(self, block: bytes) -> Fields:
        """Return the fields of a block. Blocks must come in the order of the wire. Raises ProtocolError."""
        key = (self._table, block)
        fields = self._known.get(key)
        if fields is None:
            try:
                fields = tuple((bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True))
            except HPACKError as wrong:
                raise ProtocolError(f"a header block that cannot be decoded: {wrong}") from wrong
            self._table = self._name_table()
            if self._table == key[0]:
                if len(self._known) >= _KNOWN_BLOCKS:
                    self._known.clear()
                self._known[key] = fields
        return fields

    def _name_table(self) -> int:
        """Return a number that stands for the table's content, the same for equal tables."""
        table = self._decoder.header_table
        content = (table.maxsize, *table.dynamic_entries)
        return self._tables.setdefault(content, len(self._tables))
