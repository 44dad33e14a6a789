"""PURE. A bounded ring of encoded messages, read by cursor, that never answers with a silent gap."""

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Literal

Cursor = Literal["", "gone", "ahead"]


@dataclass(frozen=True, slots=True)
class Replay:
    """What a reader at some cursor has not seen yet.

    bodies: encoded messages in id order, all those after the cursor that are still kept.
    last_id: the reader's next cursor.
    first_id: the oldest id from which on nothing is missing (newest + 1 when nothing is kept).
    cursor: "" when nothing was skipped; "gone" when messages after the cursor have been forgotten or never came; it
        then always comes with a message that did, so that whoever ignores it moves on all the same. "ahead" when the
        cursor is newer than the newest message, as after a restart: then bodies is everything kept.
    """

    bodies: tuple[bytes, ...]
    last_id: int
    first_id: int
    cursor: Cursor = ""


class History:
    """The newest `limit` messages, fewer if they have more than `limit_bytes`; the newest one in any case.

    Ids run from 1 upward without gaps; `newest_id` is 0 before the first.

    Only where messages come from another process can some be missing: `skip` says up to which id, and the next
    message that comes leaves a hole behind it. `known_id` is the newest id known to exist, here or missing.
    """

    def __init__(self, limit: int, limit_bytes: int) -> None:
        self._limit, self._limit_bytes = limit, limit_bytes
        self._bodies: deque[bytes | None] = deque()
        self._bytes = 0
        self._missing_id = 0
        self.newest_id = 0
        self.known_id = 0

    @property
    def first_id(self) -> int:
        return max(self.newest_id - len(self._bodies), self._missing_id) + 1

    def append(self, body: bytes) -> int:
        """Keep the body of message `known_id + 1`, forget the oldest beyond the limits; return the new id."""
        if self.known_id != self.newest_id:
            self._leave_hole()
        self._bodies.append(body)
        self._bytes += len(body)
        while len(self._bodies) > self._limit or (self._bytes > self._limit_bytes and len(self._bodies) > 1):
            self._bytes -= len(self._bodies.popleft() or b"")
        self.newest_id += 1
        self.known_id = self.newest_id
        return self.newest_id

    def skip(self, to_id: int) -> None:
        """Give up on what is missing up to `to_id`. Where nothing is kept yet, history begins behind it."""
        self.known_id = max(self.known_id, to_id)
        if not self._bodies:
            self.newest_id = self.known_id

    def after(self, last_id: int) -> Replay:
        """Return what comes after `last_id`; 0 means everything still kept, "gone" only if something between is not."""
        newest_id, first_id = self.newest_id, self.first_id
        if last_id > self.known_id:
            return Replay(self._kept(0), newest_id, first_id, "ahead")
        if last_id >= newest_id:
            return Replay((), last_id, first_id)
        newest = self._bodies[-1] if self._bodies else None
        if newest is None:
            return Replay((), last_id or newest_id, first_id)
        if last_id == newest_id - 1:
            return Replay((newest,), newest_id, first_id)
        oldest_id = newest_id - len(self._bodies) + 1
        skipped = last_id < first_id - 1 if last_id else oldest_id < first_id
        return Replay(self._kept(max(0, last_id + 1 - oldest_id)), newest_id, first_id, "gone" if skipped else "")

    def _kept(self, skip: int) -> tuple[bytes, ...]:
        return tuple(body for body in islice(self._bodies, skip, None) if body is not None)

    def _leave_hole(self) -> None:
        """Let the missing take the places of the messages that they are, so that ids still tell places."""
        missing = self.known_id - self.newest_id
        if missing >= self._limit:
            self._bodies.clear()
            self._bytes = 0
        self._bodies.extend([None] * min(missing, self._limit - 1))
        self._missing_id = self.newest_id = self.known_id
