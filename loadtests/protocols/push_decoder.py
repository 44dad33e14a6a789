"""PURE. One HTTP/2 connection that asks for updates once and takes what is pushed: bytes in, events and bytes out.

Not on h2, which needs 120 us for a push: in a broadcast to N users the average one waits for half the others, so a
process of 500 would add 30 ms that the report blames on the pattern. This reader needs 12. It keeps to what one
request takes, refuses what RFC 9113 forbids a server, and the tests hold it against h2 on the same bytes.
"""

from typing import Final

from loadtests.protocols.events import Closed, Event, Head, Message, ProtocolError, Refused
from loadtests.protocols.http1_bodies import LIMIT_BYTES
from loadtests.protocols.http2_fields import FieldDecoder, Section
from loadtests.protocols.http2_frames import (
    ACK,
    DATA,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PING,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    UINT32,
    WINDOW_BYTES,
    WINDOW_UPDATE,
    Frame,
    FrameReader,
    Http2Error,
    Windows,
    frame,
    opening,
    refused,
    settings_of,
)
from loadtests.protocols.http2_responses import OPEN_PUSHES, Pushes, Response

OURS: Final = 1
"""The stream of our one request."""
FIRST_ID_DIGITS: Final = 20
REFUSED_STREAM: Final = 0x7


class PushDecoder:
    """Decodes one connection. Its first output is preface, settings, and the request for `target`.

    limit_bytes: the longest message that is taken. After a ProtocolError the output says good-bye.
    """

    def __init__(
        self,
        authority: str,
        target: str,
        *,
        scheme: str = "http",
        accept_push: bool = True,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        self._accept_push = accept_push
        self._limit_bytes = limit_bytes
        self._request = {b":method": b"GET", b":scheme": scheme.encode(), b":authority": authority.encode()}
        self._frames = FrameReader()
        self._fields = FieldDecoder()
        self._ours = Response(0)
        self._pushes = Pushes(limit_bytes)
        self._last_goaway = WINDOW_BYTES
        self._over = False
        self._line = bytearray()
        self._line_wire_bytes = 0
        self._windows = Windows(OURS)
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

    def lone(self, data: bytes) -> None:  # noqa: ARG002  (a push is several frames, and its fields need a table)
        return None

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes as they came from the socket; nothing follows a Closed. Raises ProtocolError."""
        events: list[Event] = []
        if self._over:
            return events
        try:
            for one in self._frames.receive(data):
                self._take(one, events)
                if events and type(events[-1]) is Closed:
                    break
        except ProtocolError as wrong:
            self._over = True
            code = wrong.code if isinstance(wrong, Http2Error) else PROTOCOL_ERROR
            self._out += frame(GOAWAY, 0, 0, UINT32.pack(self._pushes.last_id) + UINT32.pack(code))
            wrong.events = events
            raise
        return events

    def _take(self, one: Frame, events: list[Event]) -> None:
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
        elif one.kind == WINDOW_UPDATE:
            self._window(one)
        elif one.kind == PING and not one.flags & ACK:
            self._out += frame(PING, ACK, 0, one.payload)
        elif one.kind == SETTINGS and not one.flags & ACK:
            self._settings(one.payload)

    def _data(self, one: Frame, events: list[Event]) -> None:
        end = bool(one.flags & END_STREAM)
        self._out += self._windows.used(0, one.wire_bytes - 9)
        response = self._ours if one.stream_id == OURS else self._pushes.of(one.stream_id, end=end)
        if response is None:
            return
        response.content(len(one.payload), end=end)
        if response is self._ours:
            self._out += self._windows.used(OURS, one.wire_bytes - 9)
            self._lines(one, events)
            if end:
                self._close("", "", events)
            return
        self._pushes.keep(response, one.payload)
        response.wire_bytes += one.wire_bytes
        if end:
            self._pushed(one.stream_id, response, events)

    def _lines(self, one: Frame, events: list[Event]) -> None:
        """Cut our response into lines: a frame is not a message, however often the two coincide."""
        self._line_wire_bytes += one.wire_bytes - len(one.payload)
        *lines, rest = one.payload.split(b"\n")
        for line in lines:
            self._line += line
            self._check_line()
            body = bytes(self._line)
            self._line.clear()
            events.append(Message(body, self._line_wire_bytes + len(body) + 1, pushed=False))
            self._line_wire_bytes = 0
        self._line += rest
        self._check_line()

    def _check_line(self) -> None:
        if len(self._line) > self._limit_bytes:
            raise refused(f"a line of more than the limit of {self._limit_bytes} bytes", ENHANCE_YOUR_CALM)

    def _headers(self, one: Frame, events: list[Event]) -> None:
        section, end = self._fields.decode(one.payload), bool(one.flags & END_STREAM)
        response = self._ours if one.stream_id == OURS else self._pushes.of(one.stream_id, end=end)
        if response is None:
            return
        was_begun = bool(response.status)
        response.head(section, end=end)
        if response is self._ours:
            if response.status and not was_begun:
                self._our_head(response.status, section, events)
            if end:
                self._close("", section.fields.get(b"x-closed-reason", b"").decode("latin-1"), events)
            return
        response.wire_bytes += one.wire_bytes
        if end:
            self._pushed(one.stream_id, response, events)

    def _our_head(self, status: int, section: Section, events: list[Event]) -> None:
        first_id = section.fields.get(b"x-first-id", b"0")
        if not first_id.isdigit() or len(first_id) > FIRST_ID_DIGITS:
            raise refused(f"x-first-id {first_id[:20]!r} is not a number")
        mode, cursor, retry_after = (
            section.fields.get(name, b"").decode("latin-1") for name in (b"x-updates-mode", b"x-cursor", b"retry-after")
        )
        events.append(Head(status, mode, cursor, int(first_id), retry_after))
        if status != 200:
            self._close("status", f"the server answered {status}", events)

    def _promise(self, one: Frame, events: list[Event]) -> None:
        """Accept a promise, or refuse it; one that RFC 9113 8.4.1 forbids is an error."""
        section = self._fields.decode(one.payload[4:])
        promised_id = int.from_bytes(one.payload[:4], "big") & 0x7FFFFFFF
        if not self._accept_push:
            raise refused("a push, though we have set ENABLE_PUSH to 0")
        if one.stream_id != OURS:
            raise refused(f"a push promised on stream {one.stream_id}, which is not open")
        section.check_request()
        if not self._request.items() <= section.pseudo.items():
            raise refused("a push of something else than a GET from this server")
        if not self._pushes.promised(promised_id, one.wire_bytes):
            events.append(Refused(promised_id))
            self._out += frame(RST_STREAM, 0, promised_id, UINT32.pack(REFUSED_STREAM))

    def _pushed(self, stream_id: int, push: Response, events: list[Event]) -> None:
        self._pushes.ended(stream_id)
        if push.status == 200:
            body = push.parts[0] if len(push.parts) == 1 else b"".join(push.parts)
            events.append(Message(body, push.wire_bytes, pushed=True))
        else:
            events.append(Refused(stream_id))

    def _reset(self, one: Frame, events: list[Event]) -> None:
        error_code = int.from_bytes(one.payload, "big")
        if one.stream_id == OURS:
            error = "refused" if error_code == REFUSED_STREAM else "reset"
            self._close(error, f"RST_STREAM with code {error_code}", events)
            return
        self._pushes.check(one.stream_id)
        if self._pushes.ended(one.stream_id):
            events.append(Refused(one.stream_id))

    def _goaway(self, one: Frame, events: list[Event]) -> None:
        """After GOAWAY with NO_ERROR the server still ends what it has begun (RFC 9113 6.8): read on."""
        last_id, error_code = (int.from_bytes(one.payload[at : at + 4], "big") for at in (0, 4))
        last_id &= 0x7FFFFFFF
        if last_id > self._last_goaway:
            raise refused(f"GOAWAY that names stream {last_id}, after one that named {self._last_goaway}")
        self._last_goaway = last_id
        if error_code:
            reason = one.payload[8:].decode("latin-1")
            self._close("reset", f"GOAWAY with code {error_code}: {reason}", events)
        elif last_id < OURS:
            self._close("refused", "GOAWAY before the request", events)

    def _settings(self, payload: bytes) -> None:
        self._out += frame(SETTINGS, ACK, 0, b"")
        window = settings_of(payload).get(INITIAL_WINDOW_SIZE)
        if window is not None:
            self._windows.begin_with(window)

    def _window(self, one: Frame) -> None:
        if one.stream_id > OURS:
            self._pushes.check(one.stream_id)
        self._windows.widen(one.stream_id, int.from_bytes(one.payload, "big") & 0x7FFFFFFF)

    def _close(self, error: str, reason: str, events: list[Event]) -> None:
        if not self._over:
            self._over = True
            events.append(Closed(error, reason))
