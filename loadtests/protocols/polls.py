"""PURE. Polls: requests one after another on a connection, each for what comes after the answers before it."""

from typing import Final

import msgspec

from loadtests.protocols.asking import Ask
from loadtests.protocols.events import Closed, Event, Head, Message, ProtocolError
from loadtests.protocols.http1 import ResponseReader
from servers.feed.message import decode_stamp

NOT_MODIFIED: Final = 304
NO_CONTENT: Final = 204
GOOD: Final = frozenset({200, NO_CONTENT, NOT_MODIFIED})


class PollBody(msgspec.Struct, frozen=True):
    """The body of a poll, its messages still encoded, so that each one's bytes can be counted.

    cursor: "gone" or "ahead" where what was asked for is not kept any more, or not yet; first_id: the oldest that is.
    """

    messages: list[msgspec.Raw]
    cursor: str = ""
    first_id: int = 0

    def lengths(self, share: float) -> list[int]:
        """Return the bytes of each message and the comma behind it, of which a share came over the network."""
        return [round((len(memoryview(raw)) + 1) * share) for raw in self.messages]


NOTHING: Final = PollBody([])
decode_poll: Final = msgspec.json.Decoder(PollBody).decode


def answer_of(reader: ResponseReader) -> tuple[PollBody, float]:
    """Return what was answered, and which share of its length came over the network. Raises ProtocolError.

    A 304 says that it is what was said before, which is nothing new; a 204 that there is nothing.
    """
    if reader.status != 200:
        return NOTHING, 1.0
    body = reader.body
    try:
        return decode_poll(body), reader.sent_bytes / len(body)
    except (ValueError, RecursionError) as wrong:
        raise ProtocolError(f"{body[:60]!r} is no answer to a poll: {wrong}") from wrong


class Polls:
    """The decoder of a connection that asks, reads the whole answer, and asks again.

    query: what a request says beside the cursor. `take_output` gives the next request once the last one is answered;
    when that is sent is for whoever sends it. cursor: moves with what is answered.
    """

    def __init__(self, ask: Ask, query: str = "") -> None:
        self._head = f"GET {ask.path}?{query}last_id="
        self._tail = f" HTTP/1.1\r\nHost: {ask.netloc}\r\n{ask.encoding}"
        self._reader = ResponseReader(gzip=ask.gzip, limit_bytes=ask.limit_bytes)
        self._asked = False
        self.cursor = ask.cursor

    def request(self, cursor: int, etag: str = "") -> bytes:
        """Return the request for what comes after a cursor, unless that is still what `etag` stands for."""
        known = f"If-None-Match: {etag}\r\n" if etag else ""
        return f"{self._head}{cursor}{self._tail}{known}\r\n".encode("latin-1")

    @property
    def at_rest(self) -> bool:
        return not self._reader.begun

    def take_output(self) -> bytes:
        if self._asked:
            return b""
        self._asked = True
        return self.request(self.cursor)

    def lone(self, data: bytes) -> None:  # noqa: ARG002  (an answer is never one message and nothing else)
        return None

    def receive(self, data: bytes) -> list[Event]:
        reader = self._reader
        begun = reader.begun
        if not reader.receive(data):
            return [] if data else [Closed("reset" if begun else "", "")]
        self._asked = reader.status not in GOOD
        answer, share = answer_of(reader)
        events: list[Event] = [Head(reader.status, "", answer.cursor, answer.first_id)]
        if answer.cursor:
            self.cursor = answer.first_id - 1
        for raw, wire_bytes in zip(answer.messages, answer.lengths(share), strict=True):
            events.append(Message(bytes(raw), wire_bytes))
            self.cursor = max(self.cursor, decode_stamp(raw).id)
        if reader.status not in GOOD:
            events.append(Closed("status", f"the server answered {reader.status}"))
        return events
