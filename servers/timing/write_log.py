"""Notes when each message was written to each client's socket: the truth a load generator is calibrated against.

A connection's transport is wrapped, so every pattern is covered and none knows of it. uvloop would hold small writes
back to the end of its turn, behind all other clients; watched connections write at once, so that the instant is read
a few microseconds before the kernel has the bytes. That costs the server time, which is why it is never on by itself.
"""

import asyncio
import re
from array import array
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, cast

from servers.timing.clock import now_ns

WRITE_COLUMNS: Final = "connection,id,written_ns"
BODY: Final = re.compile(rb'\{"id":(\d+),"due_ns"')
"""How an encoded message begins, in whatever frame it travels."""

Note = Callable[[bytes], None]


class Writes:
    """What was written, in memory until the server ends: a file kept up to date would disturb what is timed."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._connections = 0

    def watch(self, protocol: asyncio.Protocol) -> asyncio.Protocol:
        """Return a protocol that does the same, and has what its transport is given noted."""
        self._connections += 1
        return _Watched(protocol, partial(self._note, self._connections))

    def save(self, write: Callable[[bytes], object]) -> None:
        rows = zip(self._rows[0::3], self._rows[1::3], self._rows[2::3], strict=True)
        write(b"".join(b"%d,%d,%d\n" % row for row in rows))

    def _note(self, connection: int, data: bytes) -> None:
        written_ns = now_ns()
        for message_id in BODY.findall(data):
            self._rows.extend((connection, int(message_id), written_ns))


class _Watched(asyncio.Protocol):
    """Passes on what the event loop calls; the protocol behind it gets a transport that notes."""

    def __init__(self, protocol: asyncio.Protocol, note: Note) -> None:
        self._note = note
        self._protocol = protocol
        self.data_received = protocol.data_received  # type: ignore[method-assign]
        self.eof_received = protocol.eof_received  # type: ignore[method-assign]
        self.connection_lost = protocol.connection_lost  # type: ignore[method-assign]
        self.pause_writing = protocol.pause_writing  # type: ignore[method-assign]
        self.resume_writing = protocol.resume_writing  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        real = cast(asyncio.Transport, transport)
        real.set_write_buffer_limits(high=0)
        self._protocol.connection_made(cast(asyncio.Transport, _NotingTransport(real, self._note)))


class _NotingTransport:
    """A transport in all but `write` and `writelines`, which note first."""

    def __init__(self, transport: asyncio.Transport, note: Note) -> None:
        self._transport = transport
        self._note = note

    def write(self, data: bytes) -> None:
        self._note(data)
        self._transport.write(data)

    def writelines(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
