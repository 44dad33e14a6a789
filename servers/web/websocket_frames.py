"""PURE. WebSocket frames as clients and servers read them (RFC 6455 section 5): bytes in, whole messages out.

Both sides obey the same rules and differ in who masks. Who breaks one gets a FrameError with the close code to answer.
"""

from collections.abc import Iterator
from typing import Final

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
FINAL: Final = 0x80
CONTROL_MAX_BYTES: Final = 125
MESSAGE_MAX_BYTES: Final = 16_777_216
PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009

_CONTINUATION: Final = 0x0
_CONTROL: Final = 0x08
_MASKED: Final = 0x80
_FIRST_BYTES: Final = frozenset({0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A})
"""No reserved bit, no reserved opcode, and control frames in one piece (5.2, 5.4)."""
_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})
"""What a close frame may carry (7.4, and IANA's register): 1004 to 1006 and 1015 never travel."""

Frame = tuple[int, bytes, int]
"""Opcode (TEXT, BINARY, CLOSE, PING or PONG), payload, and how many bytes on the wire that was."""


class FrameError(Exception):
    """The other side has broken the protocol. code: what to close with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class FrameReader:
    """Reads whole messages and control frames from bytes that may have been cut anywhere; nothing follows a close.

    masked: whether the other side must mask, as clients must. limit_bytes: the longest message that is taken.
    """

    def __init__(self, *, masked: bool, limit_bytes: int = MESSAGE_MAX_BYTES) -> None:
        self._mask_bit, self._mask_bytes = (_MASKED, 4) if masked else (0, 0)
        self._limit_bytes = limit_bytes
        self._rest = bytearray()
        self._needed_bytes = 2
        self._opcode = 0
        self._parts = bytearray()
        self._parts_wire_bytes = 0
        self._over = False

    @property
    def at_rest(self) -> bool:
        """Whether what was received so far ends with a whole message or control frame."""
        return not (self._rest or self._opcode)

    @property
    def is_open(self) -> bool:
        """Whether a message may begin now."""
        return self.at_rest and not self._over

    def receive(self, data: bytes) -> Iterator[Frame]:
        """Yield what is complete now; must be read to its end. Raises FrameError behind what was still good."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed_bytes:
                return
            data = bytes(self._rest)
            self._rest.clear()
        at, size = 0, len(data)
        while not self._over:
            start, end = self._bounds(data, at, size)
            if end > size:
                self._needed_bytes = end - at
                self._rest += data[at:]
                return
            first, payload = data[at], data[start:end]
            if self._mask_bytes:
                payload = unmasked(payload, data[start - 4 : start])
            if first & _CONTROL:
                if first & 0xF == CLOSE:
                    self._over = True
                    _check_close(payload)
                yield first & 0xF, payload, end - at
            elif first & FINAL and first & 0xF and not self._opcode:
                if first & 0xF == TEXT and not payload.isascii():
                    self._check_text(payload)
                yield first & 0xF, payload, end - at
            else:
                yield from self._fragment(first, payload, end - at)
            at = end

    def _bounds(self, data: bytes, at: int, size: int) -> tuple[int, int]:
        """Return where the payload of the frame at `at` begins and ends: beyond `size` when more is to come first."""
        if size - at < 2:
            return size, at + 2
        first, length = data[at], data[at + 1] ^ self._mask_bit
        if first not in _FIRST_BYTES:
            raise self._refused(f"a frame that begins with {first:#04x}")
        if length & 0x80:
            raise self._refused("a masked frame from a server" if not self._mask_bit else "an unmasked frame")
        start = at + 2
        if length > CONTROL_MAX_BYTES:
            if first & _CONTROL:
                raise self._refused(f"a control frame of more than {CONTROL_MAX_BYTES} bytes")
            start += 2 if length == 126 else 8
            if start > size:
                return size, start
            short_bytes = 125 if length == 126 else 65_535
            length = int.from_bytes(data[at + 2 : start], "big")
            if length <= short_bytes or length >> 63:
                raise self._refused(f"a length of {length} in the form for another")
        if length + len(self._parts) > self._limit_bytes and not first & _CONTROL:
            raise self._refused(f"a message of more than {self._limit_bytes} bytes", TOO_BIG)
        start += self._mask_bytes
        return start, start + length

    def _fragment(self, first: int, payload: bytes, wire_bytes: int) -> Iterator[Frame]:
        """Put a message together from its frames (5.4)."""
        opcode = first & 0xF
        if (opcode == _CONTINUATION) != bool(self._opcode):
            raise self._refused("a continuation without its message, or a message within one")
        self._opcode = self._opcode or opcode
        self._parts += payload
        self._parts_wire_bytes += wire_bytes
        if first & FINAL:
            opcode, message, wire_bytes = self._opcode, bytes(self._parts), self._parts_wire_bytes
            self._opcode, self._parts, self._parts_wire_bytes = 0, bytearray(), 0
            if opcode == TEXT:
                self._check_text(message)
            yield opcode, message, wire_bytes

    def _check_text(self, message: bytes) -> None:
        try:
            message.decode("utf-8")
        except UnicodeDecodeError:
            raise self._refused("text that is not UTF-8", INVALID_DATA) from None

    def _refused(self, reason: str, code: int = PROTOCOL_ERROR) -> FrameError:
        self._over = True
        return FrameError(code, reason)


def lone_text(data: bytes) -> bytes | None:
    """Return the text of a read that is one frame of a server's, in ASCII, and no more; None for any other."""
    text = data[2:] if data[1:2] < b"\x7e" else data[4:]
    return text if data == frame(FINAL | TEXT, text) and text.isascii() else None


def close_code(payload: bytes) -> int:
    """Return the code in a close frame that was read; 0 for none."""
    return int.from_bytes(payload[:2], "big")


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """Apply a mask, which also takes it off again (5.3)."""
    if mask == b"\0\0\0\0":
        return payload
    size = len(payload)
    stream = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


def frame(first: int, payload: bytes, mask_bit: int = 0) -> bytes:
    """Return a frame. first: FINAL and opcode. mask_bit: 0x80 from a client, with a mask of 0.

    That leaves the payload as it is: masking protects proxies from scripts in browsers (10.3), and there is neither.
    """
    size, mask = len(payload), b"\0\0\0\0" if mask_bit else b""
    if size < 126:
        return bytes((first, mask_bit | size)) + mask + payload
    if size < 65_536:
        return bytes((first, mask_bit | 126)) + size.to_bytes(2, "big") + mask + payload
    return bytes((first, mask_bit | 127)) + size.to_bytes(8, "big") + mask + payload


def _check_close(payload: bytes) -> None:
    """Raise FrameError for a close frame whose code or reason is not allowed (5.5.1, 7.4)."""
    if payload and (len(payload) == 1 or close_code(payload) not in _CODES):
        raise FrameError(PROTOCOL_ERROR, f"a close frame with {payload[:2].hex()} for a code")
    try:
        payload[2:].decode("utf-8")
    except UnicodeDecodeError:
        raise FrameError(INVALID_DATA, "a close frame whose reason is not UTF-8") from None
