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
    last_id: the reader's next cursor. It is the newest id, also when bodies is empty.
    first_id: the oldest id still kept (newest + 1 when none is).
    cursor: "" when nothing was skipped; "gone" when messages after the cursor have been forgotten; "ahead" when
        the cursor is newer than the newest message, as after a restart: then bodies is everything kept.
    """

    bodies: tuple[bytes, ...]
    last_id: int
    first_id: int
    cursor: Cursor = ""


class History:
    """The last `limit` message bodies. Ids are 1, 2, 3, ... without gaps."""

    def __init__(self, limit: int) -> None:
        self._bodies: deque[bytes] = deque(maxlen=limit)
        self.newest_id = 0

    @property
    def first_id(self) -> int:
        return self.newest_id - len(self._bodies) + 1

    def append(self, body: bytes) -> int:
        """Keep the body of message `newest_id + 1`, forget the oldest beyond the limit; return the new id."""
        self._bodies.append(body)
        self.newest_id += 1
        return self.newest_id

    def after(self, last_id: int) -> Replay:
        """Return what comes after `last_id`; 0 means everything still kept, which is never "gone"."""
        newest_id, first_id = self.newest_id, self.first_id
        if last_id > newest_id:
            return Replay(tuple(self._bodies), newest_id, first_id, "ahead")
        if last_id == newest_id:
            return Replay((), newest_id, first_id)
        if last_id == newest_id - 1 and self._bodies:
            return Replay((self._bodies[-1],), newest_id, first_id)
        skip = max(0, last_id + 1 - first_id)
        gone: Cursor = "gone" if 0 < last_id < first_id - 1 else ""
        return Replay(tuple(islice(self._bodies, skip, None)), newest_id, first_id, gone)
