"""PURE. What a message is, and the one way to turn it into bytes and back.

A message is encoded once, when it is published; every pattern frames those same bytes (the *body*). The load
side decodes only the `Stamp`: the three integers that a measurement needs, never the content.
"""

from typing import Annotated, Final

import msgspec

MAX_ID: Final = 2**53 - 1
"""Largest id a JSON number carries exactly in every client (RFC 8259 section 6)."""
Id = Annotated[int, msgspec.Meta(ge=0, le=MAX_ID)]
Instant = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Message(msgspec.Struct, frozen=True):
    """One update. Instants are nanoseconds of `servers.timing.clock`; `timestamp` is ISO 8601 UTC, for people."""

    id: int
    due_ns: int
    published_ns: int
    timestamp: str
    content: str


class Stamp(msgspec.Struct, frozen=True):
    """The part of a message that is measured. `type` is set only on a stream's control lines, which have no id."""

    id: Id = 0
    due_ns: Instant = 0
    published_ns: Instant = 0
    type: str = ""


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Message).decode
decode_stamp = msgspec.json.Decoder(Stamp).decode


def id_of(body: bytes) -> bytes:
    """Return the digits of an encoded message's id, which is its first field."""
    return body[6 : body.index(b",", 6)]
