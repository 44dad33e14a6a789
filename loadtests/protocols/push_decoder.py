"""PURE. One HTTP/2 connection that asks for updates once and takes what is pushed: bytes in, events and bytes out.

Not on h2, which needs 120 us for a push: in a broadcast to N users the average one waits for half the others, so a
process of 500 would add 30 ms that the report blames on the pattern. This reader needs 12. It keeps to what one
request takes, refuses what RFC 9113 forbids a server, and the tests hold it against h2 on the same bytes.
"""

from typing import Final

from loadtests.protocols.events import Closed, Event, Head, Message, ProtocolError, Refused
from loadtests.protocols.http2_frames import (
    ACK,
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    UINT32,
    WINDOW_BYTES,
    WINDOW_UPDATE,
    FieldDecoder,
    Fields,
    Frame,
    FrameReader,
    frame,
    opening,
)

OPEN_PUSHES: Final = 1_000
"""Pushed responses that may be under way at once. More are refused: a server that floods (RFC 9113 10.5)."""
OURS: Final = 1
"""The stream of our one request."""
REFUSED_STREAM: Final = 0x7


class _Push:
    """A pushed response under way."""

    __slots__ = ("body", "status", "wire_bytes")

    def __init__(self, wire_bytes: int) -> None:
        self.wire_bytes = wire_bytes
        self.status = b""
        self.body = b""


class PushDecoder:
    """Decodes one connection. Its first output is preface, settings, and the request for `target`."""

    def __init__(self, authority: str, target: str, *, scheme: str = "http", accept_push: bool = True) -> None:
        self._accept_push = accept_push
        self._request = {b":method": b"GET", b":scheme": scheme.encode(), b":authority": authority.encode()}
        self._frames = FrameReader()
        self._fields = FieldDecoder()
        self._pushes: dict[int, _Push] = {}
        self._last_promised = 0
        self._head_seen = False
        self._over = False
        self._line = bytearray()
        self._line_wire_bytes = 0
        self._used_bytes = {0: 0, OURS: 0}
        self._out = bytearray(opening(authority, target, scheme, OPEN_PUSHES, accept_push=accept_push))

    @property
    def at_rest(self) -> bool:
        return self._frames.at_rest and not (self._pushes or self._line or self._line_wire_bytes)

    def take_output(self) -> bytes:
        """Return what is to be sent now, at first the request itself; b"" for nothing."""
        if not self._out:
            return b""
        out = bytes(self._out)
        self._out.clear()
        return out

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes as they came from the socket. Raises ProtocolError."""
        events: list[Event] = []
        for one in self._frames.receive(data):
            if one.kind == DATA:
                self._data(one, events)
            elif one.kind == HEADERS:
                self._headers(one, events)
            elif one.kind == PUSH_PROMISE:
                self._promise(one, events)
            elif one.kind == RST_STREAM:
                self._reset(one, events)
            elif one.kind == GOAWAY:
                self._goaway(one, events)
            elif one.kind in {SETTINGS, PING} and not one.flags & ACK:
                self._out += frame(one.kind, ACK, 0, one.payload if one.kind == PING else b"")
        return events

    def _data(self, one: Frame, events: list[Event]) -> None:
        self._give_back(0, one.wire_bytes - 9)
        if one.stream_id == OURS:
            self._give_back(OURS, one.wire_bytes - 9)
            self._lines(one, events)
            if one.flags & END_STREAM:
                self._close("", "", events)
            return
        push = self._open_push(one)
        if push is not None:
            push.body = push.body + one.payload if push.body else one.payload
            push.wire_bytes += one.wire_bytes
            if one.flags & END_STREAM:
                self._pushed(one.stream_id, push, events)

    def _lines(self, one: Frame, events: list[Event]) -> None:
        """Cut our response into lines: a frame is not a message, however often the two coincide."""
        if not self._head_seen:
            raise ProtocolError("DATA before the response")
        if self._over:
            return  # the text of an error
        self._line_wire_bytes += one.wire_bytes - len(one.payload)
        *lines, rest = one.payload.split(b"\n")
        for line in lines:
            body = bytes(self._line) + line
            self._line.clear()
            events.append(Message(body, self._line_wire_bytes + len(body) + 1, pushed=False))
            self._line_wire_bytes = 0
        self._line += rest

    def _headers(self, one: Frame, events: list[Event]) -> None:
        fields = self._fields.decode(one.payload)
        if one.stream_id == OURS:
            self._our_headers(one.flags, dict(fields), events)
            return
        push = self._open_push(one)
        if push is not None:
            push.wire_bytes += one.wire_bytes
            push.status = push.status or _status(fields)
            if one.flags & END_STREAM:
                self._pushed(one.stream_id, push, events)

    def _our_headers(self, flags: int, fields: dict[bytes, bytes], events: list[Event]) -> None:
        status = fields.get(b":status", b"")
        if status.startswith(b"1"):
            return  # an interim response, such as 103
        if not self._head_seen:
            if not status.isdigit():
                raise ProtocolError("a response without :status")
            first_id = fields.get(b"x-first-id", b"0")
            if not first_id.isdigit():
                raise ProtocolError(f"x-first-id {first_id[:20]!r} is not a number")
            self._head_seen = True
            mode, cursor, retry_after = (
                fields.get(name, b"").decode("latin-1") for name in (b"x-updates-mode", b"x-cursor", b"retry-after")
            )
            events.append(Head(int(status), mode, cursor, int(first_id), retry_after))
            if status != b"200":
                self._close("status", f"the server answered {int(status)}", events)
        if flags & END_STREAM:
            self._close("", fields.get(b"x-closed-reason", b"").decode("latin-1"), events)

    def _promise(self, one: Frame, events: list[Event]) -> None:
        """Accept a promise, or refuse it; one that RFC 9113 8.4.1 forbids is an error."""
        fields = dict(self._fields.decode(one.payload[4:]))
        promised_id = int.from_bytes(one.payload[:4], "big") & 0x7FFFFFFF
        if not self._accept_push:
            raise ProtocolError("a push, though we have set ENABLE_PUSH to 0")
        if one.stream_id != OURS or self._over:
            raise ProtocolError(f"a push promised on stream {one.stream_id}, which is not open")
        if promised_id <= self._last_promised or promised_id % 2:
            raise ProtocolError(f"a push promised as stream {promised_id} after {self._last_promised}")
        if not self._request.items() <= fields.items():
            raise ProtocolError("a push of something else than a GET from this server")
        self._last_promised = promised_id
        if len(self._pushes) < OPEN_PUSHES:
            self._pushes[promised_id] = _Push(one.wire_bytes)
        else:
            events.append(Refused(promised_id))
            self._out += frame(RST_STREAM, 0, promised_id, UINT32.pack(REFUSED_STREAM))

    def _open_push(self, one: Frame) -> _Push | None:
        """Return the push a frame belongs to, None for one refused while the frame was on its way."""
        push = self._pushes.get(one.stream_id)
        if push is None and (one.stream_id > self._last_promised or one.stream_id % 2):
            raise ProtocolError(f"a frame on stream {one.stream_id}, which was never opened")
        return push

    def _pushed(self, stream_id: int, push: _Push, events: list[Event]) -> None:
        del self._pushes[stream_id]
        if push.status == b"200":
            events.append(Message(push.body, push.wire_bytes, pushed=True))
        else:
            events.append(Refused(stream_id))

    def _reset(self, one: Frame, events: list[Event]) -> None:
        error_code = int.from_bytes(one.payload, "big")
        if one.stream_id == OURS:
            error = "refused" if error_code == REFUSED_STREAM else "reset"
            self._close(error, f"RST_STREAM with code {error_code}", events)
        elif self._pushes.pop(one.stream_id, None) is not None:
            events.append(Refused(one.stream_id))

    def _goaway(self, one: Frame, events: list[Event]) -> None:
        """After GOAWAY with NO_ERROR the server still ends what it has begun (RFC 9113 6.8): read on."""
        last_id, error_code = (int.from_bytes(one.payload[at : at + 4], "big") for at in (0, 4))
        if error_code:
            reason = one.payload[8:].decode("latin-1")
            self._close("reset", f"GOAWAY with code {error_code}: {reason}", events)
        elif last_id & 0x7FFFFFFF < OURS:
            self._close("refused", "GOAWAY before the request", events)

    def _close(self, error: str, reason: str, events: list[Event]) -> None:
        if not self._over:
            self._over = True
            events.append(Closed(error, reason))

    def _give_back(self, stream_id: int, length: int) -> None:
        """Open a window again when half of it is used up, which takes 1 GiB (RFC 9113 6.9)."""
        self._used_bytes[stream_id] += length
        if self._used_bytes[stream_id] > WINDOW_BYTES // 2:
            self._out += frame(WINDOW_UPDATE, 0, stream_id, UINT32.pack(self._used_bytes[stream_id]))
            self._used_bytes[stream_id] = 0


def _status(fields: Fields) -> bytes:
    return fields[0][1] if fields and fields[0][0] == b":status" else b""
