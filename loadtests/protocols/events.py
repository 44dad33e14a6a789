"""PURE. What a decoder says it has read. Every stream decoder takes bytes and gives these, and holds no socket."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec


class ProtocolError(Exception):
    """The server has broken its protocol; the connection is of no more use.

    events, payload: what came before that in the same bytes, of a stream or of a body, and is good: what counts must
    not depend on where reads end.
    """

    payload = b""

    def __init__(self, reason: str, events: "Sequence[Event]" = ()) -> None:
        super().__init__(reason)
        self.events = events


class Head(NamedTuple):
    """The response to our request has begun. mode: "pushed", "inline", or "" when the server does not say.

    retry_after, location: those headers, as they came.
    """

    status: int
    mode: str = ""
    cursor: str = ""
    first_id: int = 0
    retry_after: str = ""
    location: str = ""


class Message(msgspec.Struct, frozen=True, gc=False):
    """A whole body arrived. wire_bytes: all framing that was sent for it alone, included. Control lines come so too."""

    body: bytes
    wire_bytes: int
    pushed: bool = False


class Closed(NamedTuple):
    """The response is over. error: one of arrival.ERRORS, "" for a clean end; reason: for people, "" if none given."""

    error: str
    reason: str


class Refused(NamedTuple):
    """A push was announced that will not arrive: turned down by us, taken back by the server, or no 200."""

    stream_id: int


Event = Head | Message | Closed | Refused


class StreamDecoder(Protocol):
    """One request whose response goes on. `take_output` gives what is to be sent now, at first the request itself.

    at_rest: what was received so far ends with a message, or with what is no part of one.
    """

    @property
    def at_rest(self) -> bool: ...

    def take_output(self) -> bytes: ...

    def lone(self, data: bytes) -> bytes | None:
        """Return the body of the one message that these bytes are, and then they are taken; else None.

        The short way for what nearly every read is: a decoder at rest, and one whole message with its framing. None
        means that nothing was taken, for whatever reason: `receive` does any bytes. Raises ProtocolError as it does.
        What is sent to many alike is one and the same object for all of them.
        """

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes however they were cut, b"" for the end of the connection.

        Raises ProtocolError, with the events that came before it.
        """


def message_bytes(events: list[Event]) -> int:
    """Return how many of the bytes read were messages'."""
    return sum([event.wire_bytes for event in events if type(event) is Message])
