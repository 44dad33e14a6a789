"""PURE. Text that goes on and on, cut into what it is made of: server-sent events, or lines. Bytes in, events out.

Nothing here knows HTTP or what an event says. Cut the bytes anywhere: the events are the same.
"""

import re
from collections.abc import Iterable
from itertools import repeat
from typing import Final, Protocol

import msgspec

from loadtests.protocols.events import ProtocolError
from loadtests.protocols.http1_bodies import LIMIT_BYTES
from loadtests.protocols.lone import Said

BOM: Final = b"\xef\xbb\xbf"
FIELD_NAME_BYTES: Final = 64
"""What a line may be longer than the data in it."""
RETRY_DIGITS: Final = 9
_LINE_END: Final = re.compile(rb"(\r\n|\r|\n)")
_EVENT: Final = re.compile(rb"id: ([^\r\n\0]*)\ndata: (.+)\n\n")
_COLON: Final = b":"[0]


class TextEvent(msgspec.Struct, frozen=True, gc=False):
    """data: what it says. text_bytes: its share of the text, from its first line to its end.

    name, id: of a server-sent event, in UTF-8; name is b"" for a plain "message", id the last one that was set.
    """

    data: bytes
    text_bytes: int
    name: bytes = b""
    id: bytes = b""


def lone_line(text: bytes) -> Said | None:
    """Return what a text says that is one line, and not an empty one."""
    if text.find(b"\n") != len(text) - 1 or text.isspace():
        return None
    return text[:-1].removesuffix(b"\r"), b""


def lone_event(text: bytes) -> Said | None:
    """Return what a text says that is one server-sent event as nearly all servers write it."""
    event = _EVENT.fullmatch(text)
    if event is None or b"\r" in text:
        return None
    return event[2], event[1]


class TextParser(Protocol):
    """wrong: what is wrong behind the events that were returned last. at_rest: no event is under way.

    last_id: the id that was set last, b"" for none.
    """

    wrong: ProtocolError | None
    last_id: bytes

    @property
    def at_rest(self) -> bool: ...

    def feed(self, text: bytes) -> list[TextEvent]:
        """Take text; return the events that it completes."""

    def end(self) -> list[TextEvent]:
        """Take note that the text is over; return the event that this completes, if any."""


class LineParser:
    """Lines, ended by LF or CRLF; empty ones are nothing, the last may lack its end (ndjson-spec, jsonlines.org)."""

    last_id = b""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._tail = bytearray()
        self.wrong: ProtocolError | None = None

    @property
    def at_rest(self) -> bool:
        return not self._tail

    def feed(self, text: bytes) -> list[TextEvent]:
        if not self._tail and 0 < text.find(b"\n") == len(text) - 1 <= self._limit_bytes and not text.isspace():
            # Nearly every text is one line.
            return [TextEvent(text[:-2] if text.endswith(b"\r\n") else text[:-1], len(text))]
        if self._tail:
            if b"\n" not in text:
                self._hold(text)
                return []
            text = bytes(self._tail) + text
            self._tail.clear()
        *lines, tail = text.split(b"\n")
        if tail:
            self._hold(tail)
        if len(text) > self._limit_bytes:
            lines = self._short(lines)
        return [TextEvent(line.removesuffix(b"\r"), len(line) + 1) for line in lines if line and not line.isspace()]

    def end(self) -> list[TextEvent]:
        tail = bytes(self._tail)
        self._tail.clear()
        return [TextEvent(tail.removesuffix(b"\r"), len(tail))] if tail.strip() else []

    def _hold(self, tail: bytes) -> None:
        self._tail += tail
        if len(self._tail) > self._limit_bytes + 1:
            self.wrong = self._too_long()

    def _short(self, lines: list[bytes]) -> list[bytes]:
        """Return the lines before the first one that is too long."""
        for at, line in enumerate(lines):
            if len(line) > self._limit_bytes + 1:
                self.wrong = self._too_long()
                return lines[:at]
        return lines

    def _too_long(self) -> ProtocolError:
        return ProtocolError(f"a line of more than the limit of {self._limit_bytes} bytes")


class EventStreamParser:
    """Server-sent events, by WHATWG HTML sections 9.2.5 and 9.2.6.

    last_id: what Last-Event-ID is to say when the stream is resumed. retry_ms: the pause before that, which the
    server asked for last, None if it never did.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._bom: bytes | None = b""
        self._between = False
        self._after_cr = False
        self._tail = bytearray()
        self._data: bytes | bytearray | None = None
        self._name = self.last_id = b""
        self._id: bytes | None = None
        self._text_bytes = 0
        self.retry_ms: int | None = None
        self.wrong: ProtocolError | None = None

    @property
    def at_rest(self) -> bool:
        return not (self._text_bytes or self._tail or self._after_cr or self._bom)

    def feed(self, text: bytes) -> list[TextEvent]:
        events: list[TextEvent] = []
        if self._between and b"\r" not in text and len(text) <= self._limit_bytes:
            # Nearly every text is whole events as nearly all servers write them: no loop over their lines.
            at = 0
            while (event := _EVENT.match(text, at)) is not None:
                self.last_id, data = event.groups()
                begun, at = at, event.end()
                events.append(TextEvent(data, at - begun, b"", self.last_id))
            if at == len(text):
                return events
            text = text[at:]
        return events + self._any(text)

    def _any(self, text: bytes) -> list[TextEvent]:
        if self._bom is not None:
            text = self._without_bom(text)
        if self._after_cr and text:
            # A line end of two characters was cut in two: the line has ended already.
            self._after_cr = False
            text = text.removeprefix(b"\n")
        if self._tail:
            if b"\n" not in text and b"\r" not in text:
                self._hold(text)
                return []
            text = bytes(self._tail) + text
            self._tail.clear()
        if b"\r" in text:
            pieces = _LINE_END.split(text)
            self._after_cr = text.endswith(b"\r")
            events = self._lines(pieces[:-1:2], map(len, pieces[1::2]))
            tail = pieces[-1]
        else:
            *lines, tail = text.split(b"\n")
            events = self._lines(lines, repeat(1))
        if tail or self._data is not None:
            self._hold(tail)
        self._between = self._bom is None and self.at_rest
        return events

    def end(self) -> list[TextEvent]:
        """An event without its blank line is none."""
        return []

    def _without_bom(self, text: bytes) -> bytes:
        text = (self._bom or b"") + text
        if len(text) < len(BOM) and BOM.startswith(text):
            self._bom = text
            return b""
        self._bom = None
        return text.removeprefix(BOM)

    def _lines(self, lines: Iterable[bytes], ends: Iterable[int]) -> list[TextEvent]:
        events: list[TextEvent] = []
        for line, end in zip(lines, ends, strict=False):
            self._text_bytes += len(line) + end
            if line.startswith(b"data:"):
                self._add(line[6:] if line.startswith(b" ", 5) else line[5:])
            elif not line:
                if self._id is not None:
                    self.last_id, self._id = self._id, None
                if self._data is not None:
                    if len(self._data) > self._limit_bytes:
                        self.wrong = self._too_long()
                        break
                    events.append(TextEvent(bytes(self._data), self._text_bytes, self._name, self.last_id))
                    self._data = None
                self._name, self._text_bytes = b"", 0
            elif line[0] != _COLON:
                self._field(line)
            elif self._text_bytes == len(line) + end:
                # A comment before an event is no part of it.
                self._text_bytes = 0
        return events

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"id":
            if b"\0" not in value:
                self._id = value
        elif name == b"event":
            self._name = value
        elif name == b"data":
            self._add(value)
        elif name == b"retry" and value.isdigit():
            self.retry_ms = int(value[:RETRY_DIGITS])

    def _add(self, value: bytes) -> None:
        """Add a line to the data. Many lines are gathered in place: to join them one by one takes their square."""
        if self._data is None:
            self._data = value
        else:
            if isinstance(self._data, bytes):
                self._data = bytearray(self._data)
            self._data += b"\n" + value

    def _hold(self, tail: bytes) -> None:
        self._tail += tail
        if max(len(self._tail) - FIELD_NAME_BYTES, len(self._data or b"")) > self._limit_bytes:
            self.wrong = self._too_long()

    def _too_long(self) -> ProtocolError:
        return ProtocolError(f"an event of more than the limit of {self._limit_bytes} bytes")
