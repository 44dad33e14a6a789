"""PURE. Which messages reached which user: missed and duplicated, exact at every moment, in bounded memory.

The server counts its messages 1, 2, 3, ... without gaps, and a user starts at a known id. So whatever lies between two
ids that a user received one after the other was missed, until it comes late after all; and an id that is not newer and
fills no gap came twice. Nobody has to be asked, and what is merely under way counts as neither, as in
reports/accounting.py. A user lives in one process, so the counts of processes add up.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from loadtests.recorder import Rows

NS_PER_S: Final = 1_000_000_000
GAPS_KEPT: Final = 1_000
"""Of each user. What is missed in older gaps is missed for good: if it came after all, it would count as duplicated."""


class Finding(NamedTuple):
    """Messages missed and duplicated, to be counted in a second of the clock.

    A message that comes late takes itself back (-1) in the second in which it had been counted as missed.
    """

    second: int
    missed: int
    duplicated: int


class _Gap(NamedTuple):
    first: int
    last: int
    second: int


class _User:
    """One user's place in the feed. newest: None until a first message says where a user of unknown start began."""

    def __init__(self, newest: int | None) -> None:
        self.newest = newest
        self._published_ns = 0
        self._gaps: list[_Gap] = []

    def skip(self, newest: int, published_ns: int) -> None:
        """Move on over messages that came in order."""
        self.newest, self._published_ns = newest, published_ns

    def take(self, message_id: int, published_ns: int, second: int) -> Finding | None:
        if self.newest is None:
            self.newest = message_id - 1
        if message_id <= self.newest and published_ns > self._published_ns > 0:
            # Older by id and newer by clock: the server was restarted, and counts from 1 again.
            self.newest, self._gaps = 0, []
        if message_id > self.newest:
            before, self.newest, self._published_ns = self.newest, message_id, published_ns
            if message_id == before + 1:
                return None
            self._gaps = [*self._gaps[1 - GAPS_KEPT :], _Gap(before + 1, message_id - 1, second)]
            return Finding(second, message_id - before - 1, 0)
        return self._late(message_id) or Finding(second, 0, 1)

    def _late(self, message_id: int) -> Finding | None:
        for at, gap in enumerate(self._gaps):
            if gap.first <= message_id <= gap.last:
                parts = gap._replace(last=message_id - 1), gap._replace(first=message_id + 1)
                self._gaps[at : at + 1] = [part for part in parts if part.first <= part.last]
                return Finding(gap.second, -1, 0)
        return None


class Ledger:
    """The users of one pattern in one process. start_id: their cursor when they start, None when nobody knows it."""

    def __init__(self, start_id: int | None) -> None:
        self._start_id = start_id
        self._users: dict[int, _User] = {}

    def take(self, rows: Rows) -> Iterator[Finding]:
        """Take deliveries in the order in which they were recorded; give what is to be counted.

        A user whose messages all came in order, which is nearly every user nearly always, is done with in three
        look-ups; the others message by message.
        """
        if not len(rows):
            return
        rows = rows[np.argsort(rows["user"], kind="stable")]
        users, firsts = np.unique(rows["user"], return_index=True)
        ends = np.append(firsts[1:], len(rows))
        steps = np.diff(rows["id"], prepend=0)
        steps[firsts] = 1
        in_order = np.logical_and.reduceat(steps == 1, firsts)
        for number, first, end, ordered in zip(users.tolist(), firsts, ends, in_order, strict=True):
            user = self._users.setdefault(number, _User(self._start_id))
            if ordered and user.newest in {None, rows["id"][first] - 1}:
                user.skip(int(rows["id"][end - 1]), int(rows["published_ns"][end - 1]))
                continue
            for row in rows[["id", "published_ns", "received_ns"]][first:end].tolist():
                finding = user.take(row[0], row[1], row[2] // NS_PER_S)
                if finding is not None:
                    yield finding
