"""PURE. The short way of a read that is one whole message and its framing, as nearly every read of a stream is.

What such bytes say depends on nothing before them, and a broadcast brings the same ones to a thousand clients: for the
first of them they are read, for the others compared.
"""

from collections.abc import Callable
from typing import Final

LONE_BYTES: Final = 65_536
"""Longer reads have no short way, nor has a client that would refuse a message as long."""

Said = tuple[bytes, bytes]
"""A message's body and its id, b"" for none."""


class Lone:
    """The last of these reads, for all decoders of one kind. data: what was read; body, id: what it says.

    read: returns what bytes say, None if they are no such read.
    """

    __slots__ = ("_read", "body", "data", "id")

    def __init__(self, read: Callable[[bytes], Said | None]) -> None:
        self._read = read
        self.data: bytes | None = None
        self.body = self.id = b""

    def learn(self, data: bytes) -> bool:
        """Read these bytes; return whether they are one whole message. Raises ProtocolError."""
        said = self._read(data) if len(data) <= LONE_BYTES else None
        if said is None:
            return False
        self.data, (self.body, self.id) = data, said
        return True
