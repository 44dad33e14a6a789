"""PURE. Which messages reached which user: missed and duplicated, exact at every moment, in bounded memory.

The server counts its messages 1, 2, 3, ... without gaps, and a user starts at a known id. So whatever lies between two
ids that a user received one after the other was missed, until it comes late after all; and an id that is not newer and
fills no gap came twice. No server has to be asked, and messages in flight count as neither, as in
reports/measures/losses.py. A user lives in one process, so the counts of processes add up.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from loadtests.records.recorder import Rows
from loadtests.records.rows import USERS_OF_A_PROCESS
from servers.timing import NS_PER_S

UNKNOWN: Final = -1
GAPS_KEPT: Final = 1_000
"""Of each user. What is missed in older gaps is missed for good: if it came after all, it would count as duplicated."""


class Finding(NamedTuple):
    """Messages missed and duplicated, to be counted in a second of the clock. at: the row that told, in its batch.

    A message that comes late takes itself back (-1) in the second in which it had been counted as missed.
    """

    second: int
    missed: int
    duplicated: int
    at: int = 0


class _Gap(NamedTuple):
    first: int
    last: int
    second: int


class Ledger:
    """The users of one pattern in one process. starts: the cursor at which each started, by its number here.

    A user that is not there begins at `otherwise`: with its first message, if that is UNKNOWN.
    """

    def __init__(self, starts: Mapping[int, int], otherwise: int = UNKNOWN) -> None:
        self._starts = starts
        self._otherwise = otherwise
        self._newest = np.zeros(0, np.int64)
        self._published_ns = np.zeros(0, np.int64)
        self._gaps: dict[int, list[_Gap]] = {}

    def take(self, rows: Rows) -> Iterator[Finding]:
        """Take deliveries in the order in which they were recorded; give what is to be counted.

        Users whose messages all came in order, which is nearly every user nearly always, are done with at once; the
        others message by message.
        """
        if not len(rows):
            return
        order = np.argsort(rows["user"], kind="stable")
        rows = rows[order]
        users, firsts = np.unique(rows["user"] % USERS_OF_A_PROCESS, return_index=True)
        lasts = np.append(firsts[1:], len(rows)) - 1
        self._grow(int(users[-1]) + 1)
        newest, ids = self._newest[users], rows["id"]
        steps = np.diff(ids, prepend=0)
        steps[firsts] = np.where(newest == UNKNOWN, 1, ids[firsts] - newest)
        in_order = np.logical_and.reduceat(steps == 1, firsts)
        self._newest[users[in_order]] = ids[lasts[in_order]]
        self._published_ns[users[in_order]] = rows["published_ns"][lasts[in_order]]
        for user, first, last in zip(users[~in_order], firsts[~in_order], lasts[~in_order], strict=True):
            own = rows[["id", "published_ns", "received_ns"]][first : last + 1].tolist()
            for at, row in zip(order[first : last + 1].tolist(), own, strict=True):
                finding = self._take_one(int(user), row[0], row[1], row[2] // NS_PER_S)
                if finding is not None:
                    yield finding._replace(at=at)

    def _grow(self, users: int) -> None:
        new = range(len(self._newest), users)
        self._newest = np.append(
            self._newest, np.fromiter((self._starts.get(user, self._otherwise) for user in new), np.int64)
        )
        self._published_ns = np.append(self._published_ns, np.zeros(len(new), np.int64))

    def _take_one(self, user: int, message_id: int, published_ns: int, second: int) -> Finding | None:
        newest = int(self._newest[user])
        if newest == UNKNOWN:
            newest = message_id - 1
        if message_id <= newest and published_ns > self._published_ns[user] > 0:
            # Older by id and newer by clock: the server was restarted, and counts from 1 again.
            newest = 0
            self._gaps.pop(user, None)
        if message_id <= newest:
            return self._late(user, message_id) or Finding(second, 0, 1)
        self._newest[user], self._published_ns[user] = message_id, published_ns
        if message_id == newest + 1:
            return None
        gaps = self._gaps.setdefault(user, [])
        gaps.append(_Gap(newest + 1, message_id - 1, second))
        del gaps[:-GAPS_KEPT]
        return Finding(second, message_id - newest - 1, 0)

    def _late(self, user: int, message_id: int) -> Finding | None:
        """Take a message out of the gap that it fills, if it does."""
        gaps = self._gaps.get(user, [])
        for at, gap in enumerate(gaps):
            if gap.first <= message_id <= gap.last:
                parts = gap._replace(last=message_id - 1), gap._replace(first=message_id + 1)
                gaps[at : at + 1] = [part for part in parts if part.first <= part.last]
                return Finding(gap.second, -1, 0)
        return None
