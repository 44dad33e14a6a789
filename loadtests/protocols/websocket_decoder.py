"""PURE. A WebSocket as a client sees it (RFC 6455): a handshake out, messages in, pings and closes answered.

Nothing here knows what a message says, nor holds a socket: whoever does sends `take_output` and hands over what comes.
"""

import base64
import hashlib
from collections.abc import Sequence
from typing import Final

from loadtests.protocols.events import Closed, Event, Head, Message, ProtocolError
from loadtests.protocols.http1 import HeadReader, get
from loadtests.protocols.lone import LONE_BYTES, Lone, Said
from servers.web.websocket_frames import (
    BINARY,
    CLOSE,
    FINAL,
    MESSAGE_MAX_BYTES,
    PING,
    PONG,
    FrameError,
    FrameReader,
    close_code,
    frame,
    lone_text,
)

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MASKED: Final = 0x80
_IN_PEACE: Final = frozenset({0, 1000, 1001, 1012})
"""No code, done, going away, restarting: the server ends what it has no quarrel with (RFC 6455 7.4.1; IANA)."""
_ERRORS: Final = {1011: "reset", 1014: "reset", 1008: "refused", 1013: "refused"}
"""Broken at the server's side, or turned away. Of the other codes below 3000 each says that the protocol was broken."""
_APPLICATION: Final = 3000
"""From here on codes are the application's own; one that is given is a refusal, as in graphql-ws and Phoenix."""


def _one_text(data: bytes) -> Said | None:
    text = lone_text(data)
    return (text, b"") if text is not None else None


TEXTS: Final = Lone(_one_text)


def handshake(host: str, target: str, key: bytes, headers: str = "", subprotocols: Sequence[str] = ()) -> bytes:
    """Return the request that opens a WebSocket. key: 16 random bytes in base64. headers: whole lines, with CRLF."""
    offered = f"Sec-WebSocket-Protocol: {', '.join(subprotocols)}\r\n" if subprotocols else ""
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    return get(host, target, f"{upgrade}Sec-WebSocket-Key: {key.decode('ascii')}\r\n{offered}{headers}")


def client_frame(opcode: int, payload: bytes) -> bytes:
    """Return a whole message or control frame as a client sends it."""
    return frame(FINAL | opcode, payload, _MASKED)


class WebSocketDecoder:
    """Decodes one connection, whose first output is `request`.

    key: what the request carried as Sec-WebSocket-Key; the server must prove that it has read it (section 4.2.2).
    subprotocols: those that were offered. limit_bytes: the longest message that is taken.
    """

    def __init__(
        self,
        request: bytes,
        key: bytes,
        limit_bytes: int = MESSAGE_MAX_BYTES,
        subprotocols: Sequence[str] = (),
    ) -> None:
        self._out = request
        self._accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()  # noqa: S324
        self._subprotocols = ("", *subprotocols)
        self._head: HeadReader | None = HeadReader()
        self._frames = FrameReader(masked=False, limit_bytes=limit_bytes)
        self._limit_bytes = limit_bytes
        self._refused = self._may_be_lone = False

    @property
    def at_rest(self) -> bool:
        return self._head is None and self._frames.at_rest

    def take_output(self) -> bytes:
        """Return what is to be sent now, at first the request; b"" for nothing. Behind an error it says which."""
        out, self._out = self._out, b""
        return out

    def lone(self, data: bytes) -> bytes | None:
        if not self._may_be_lone or (data != TEXTS.data and not TEXTS.learn(data)):
            return None
        return TEXTS.body

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes however they were cut. Raises ProtocolError, with the events that came before it."""
        self._may_be_lone = False
        events: list[Event] = []
        if self._head is not None:
            rest = self._head.receive(data)
            if rest is None:
                return events
            head, self._head = self._head, None
            if head.status == 101:
                self._check(head)
            cursor, retry_after, location = (
                head.headers.get(name, "") for name in ("x-cursor", "retry-after", "location")
            )
            events.append(Head(head.status, cursor=cursor, retry_after=retry_after, location=location))
            if head.status != 101:
                self._refused = True
                events.append(Closed("status", f"the server answered {head.status}"))
            data = rest
        if data and not self._refused:
            self._take(data, events)
        self._may_be_lone = not self._refused and self._frames.is_open and self._limit_bytes >= LONE_BYTES
        return events

    def _check(self, head: HeadReader) -> None:
        """Hold the answer against what was asked for (section 4.1)."""
        fields = head.headers
        if fields.get("upgrade", "").lower() != "websocket":
            raise ProtocolError(f"a change to {fields.get('upgrade', '')!r} instead of WebSocket")
        if "upgrade" not in {each.strip().lower() for each in fields.get("connection", "").split(",")}:
            raise ProtocolError("a change of protocol without Connection: Upgrade")
        if fields.get("sec-websocket-accept") != self._accept:
            raise ProtocolError("the server did not prove that it speaks WebSocket")
        if fields.get("sec-websocket-extensions", ""):
            raise ProtocolError(f"an extension that was not asked for: {fields['sec-websocket-extensions'][:60]!r}")
        if fields.get("sec-websocket-protocol", "") not in self._subprotocols:
            raise ProtocolError(f"a subprotocol that was not asked for: {fields['sec-websocket-protocol'][:60]!r}")

    def _take(self, data: bytes, events: list[Event]) -> None:
        try:
            for opcode, payload, wire_bytes in self._frames.receive(data):
                if opcode <= BINARY:
                    events.append(Message(payload, wire_bytes))
                elif opcode == PING:
                    self._out += client_frame(PONG, payload)
                elif opcode == CLOSE:
                    self._out += client_frame(CLOSE, payload[:2])
                    events.append(Closed(error_of(close_code(payload)), payload[2:].decode("utf-8")))
        except FrameError as wrong:
            self._out += client_frame(CLOSE, wrong.code.to_bytes(2, "big"))
            raise ProtocolError(str(wrong), events) from None


def error_of(code: int) -> str:
    """Return which of arrival.ERRORS a close with this code is, "" for a clean end."""
    if code in _IN_PEACE:
        return ""
    return _ERRORS.get(code, "protocol" if code < _APPLICATION else "refused")
