"""What reaches one user: a message's stamp is read, and recorded with the instants at which it came."""

import msgspec

from loadtests.protocols.events import ProtocolError
from loadtests.records.rows import DELIVERY, ERRORS, MODES
from servers.feed.message import Stamp, decode_stamp
from servers.targets.tracer import Trace

CODES = {error: code for code, error in enumerate(ERRORS)}
INLINE, PUSHED = MODES.index("inline"), MODES.index("pushed")


def stamp_of(body: bytes | msgspec.Raw, *, control: bool = False) -> Stamp:
    """Return a message's stamp. Raises ProtocolError for what is none. control: a stream's control line is one, too."""
    try:
        stamp = decode_stamp(body)
    except (ValueError, RecursionError) as wrong:
        raise _not_ours(body, wrong) from wrong
    if not (stamp.id or (control and stamp.type)):
        raise _not_ours(body, "it has no id")
    return stamp


class Inbox:
    """What reaches one user: a row on the tape for each message. cursor: the newest one's id, which moves on only."""

    __slots__ = ("_number", "_rows", "cursor")

    def __init__(self, number: int, rows: bytearray, cursor: int = 0) -> None:
        self._number, self._rows, self.cursor = number, rows, cursor

    def take(self, stamp: Stamp | Trace, received_ns: int, arrived_ns: int, wire_bytes: int, mode: int = 0) -> None:
        """Record that a message is here."""
        self._rows += DELIVERY.pack(
            self._number, stamp.id, stamp.due_ns, stamp.published_ns, received_ns, wire_bytes, mode, arrived_ns
        )
        if stamp.id > self.cursor:
            self.cursor = stamp.id


def _not_ours(body: bytes | msgspec.Raw, why: object) -> ProtocolError:
    return ProtocolError(f"{bytes(memoryview(body)[:60])!r} is no message of ours: {why}")
