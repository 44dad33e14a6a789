"""PURE. summary.json: what stays of the deliveries and requests of a cell, as exact counts that can be added up.

Its size depends on clients and on how far latencies spread, not on how many messages there were.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import nan
from typing import Final

import msgspec
import numpy as np

from loadtests.metrics.histogram import THREE_DIGITS, Histogram
from loadtests.records.manifest import Count

FILE: Final = "summary.json"
TAKEN: Final = ("requests", "deliveries")
"""The tables that it stands for."""


def finest() -> Histogram:
    return Histogram(schema=THREE_DIGITS)


class Users(msgspec.Struct, kw_only=True):
    """Of each client that left records, in columns of one length; see reports/measures/losses.py for the words.

    oldest, newest: ids that it got, 0 for none. firsts, repeats, falls: its deliveries in the whole cell; delivered,
    duplicated, reordered: those of them that were due in the window. recorded: its deliveries; brought: what its
    requests say they brought. reconnects: its connections but the first.
    """

    user: list[int] = []
    oldest: list[int] = []
    newest: list[int] = []
    firsts: list[int] = []
    repeats: list[int] = []
    falls: list[int] = []
    delivered: list[int] = []
    duplicated: list[int] = []
    reordered: list[int] = []
    recorded: list[int] = []
    brought: list[int] = []
    reconnects: list[int] = []


class Deliveries(msgspec.Struct, kw_only=True):
    """recorded, payload_bytes, pushed: of all; by_look: those of a process until each of its looks at its sockets near
    an edge of the window, as PROCESS:NUMBER, from 0: what its clock showed then may be known better later. The rest are
    first arrivals due in the window: early: received before they were published, by more than the clocks may be wrong.

    wait, network, and prompt, which is lateness: of those that the kernel stamped.
    """

    recorded: int = 0
    payload_bytes: int = 0
    pushed: int = 0
    early: int = 0
    by_look: dict[str, int] = {}
    latency: Histogram = msgspec.field(default_factory=finest)
    transit: Histogram = msgspec.field(default_factory=finest)
    lateness: Histogram = msgspec.field(default_factory=finest)
    wait: Histogram = msgspec.field(default_factory=finest)
    network: Histogram = msgspec.field(default_factory=finest)
    prompt: Histogram = msgspec.field(default_factory=finest)


class Requests(msgspec.Struct, kw_only=True):
    """recorded, repeated, errors: of all. answered, empty, held_ns, answer, turnaround: of those whose answer was
    complete in the window. inside_bytes, inside_messages: bytes both ways and messages of each, by the part of its
    life that lay in the window. late: how late those due in the window were sent.

    polls_due, polls_sent: of users that ask at fixed instants, 0 for others.
    """

    recorded: int = 0
    repeated: int = 0
    errors: dict[str, int] = {}
    answered: int = 0
    empty: int = 0
    held_ns: int = 0
    answer: Histogram = msgspec.field(default_factory=finest)
    turnaround: Histogram = msgspec.field(default_factory=finest)
    inside_bytes: float = 0.0
    inside_messages: float = 0.0
    late: Histogram = msgspec.field(default_factory=finest)
    polls_due: int = 0
    polls_sent: int = 0


class Summary(msgspec.Struct, kw_only=True):
    """Instants are those of the cell. Counts of processes, and of hosts, add up: a client lives in one process."""

    window_from_ns: Count
    window_until_ns: Count
    users: Users = msgspec.field(default_factory=Users)
    deliveries: Deliveries = msgspec.field(default_factory=Deliveries)
    requests: Requests = msgspec.field(default_factory=Requests)

    def received(self, process: str, after: int, until: int) -> float:
        """Return how many deliveries a process had between two of its looks; NaN for looks far from the edges."""
        by_look = self.deliveries.by_look
        return by_look.get(f"{process}:{until}", nan) - by_look.get(f"{process}:{after}", nan)

    def merge(self, other: "Summary") -> None:
        """Add what others counted. Raises ValueError where it is of another window."""
        if (self.window_from_ns, self.window_until_ns) != (other.window_from_ns, other.window_until_ns):
            raise ValueError("two summaries of different windows cannot be added")
        _add(self.users, other.users)
        _add(self.deliveries, other.deliveries)
        _add(self.requests, other.requests)


class Folded(msgspec.Struct, kw_only=True):
    """What one who read rows made of them.

    taken: rows counted, by the name that load processes count them under. clock_error_ns: by how much instants of rows
    may be wrong, of processes by another clock than the publisher's: what is counted as it comes is moved by what is
    known by then.
    """

    summary: Summary
    taken: dict[str, Count]
    clock_error_ns: dict[str, Count]

    def unaccounted(self, recorded: Mapping[str, int]) -> list[str]:
        """Return a line for each file of which other rows were counted than its process says it recorded."""
        meant = {name: rows for name, rows in recorded.items() if name.partition("-")[0] in TAKEN}
        return [
            f"{self.taken.get(name, 0)} rows of {name} were counted, its process recorded {meant.get(name, 0)}"
            for name in sorted({*meant, *self.taken})
            if self.taken.get(name, 0) != meant.get(name, 0)
        ]


def together(parts: Iterable[Folded]) -> Folded:
    """Add up what several counted of one cell, as `merged` does and with what that raises."""
    taken: dict[str, int] = {}
    clock_error_ns: dict[str, int] = {}

    def summaries() -> Iterator[Summary]:
        for each in parts:
            taken.update(each.taken)
            clock_error_ns.update(each.clock_error_ns)
            yield each.summary

    return Folded(summary=merged(summaries()), taken=taken, clock_error_ns=clock_error_ns)


def merged(summaries: Iterable[Summary]) -> Summary:
    """Add up summaries, at least one, each of which may be forgotten when the next one comes; the first is changed.

    Raises ValueError as `merge` does, and where two have the same client, who would count twice.
    """
    rest = iter(summaries)
    total = next(rest)
    for each in rest:
        total.merge(each)
    users, counts = np.unique(np.asarray(total.users.user, np.int64), return_counts=True)
    if len(twice := users[counts > 1]):
        raise ValueError(f"client {twice[0]} is in two summaries, and would count twice")
    return total


def _add(mine: msgspec.Struct, its: msgspec.Struct) -> None:
    for name in mine.__struct_fields__:
        value, more = getattr(mine, name), getattr(its, name)
        if isinstance(value, Histogram):
            value.merge(more)
        elif isinstance(value, list):
            value.extend(more)
        elif isinstance(value, dict):
            for key, count in more.items():
                value[key] = value.get(key, 0) + count
        else:
            setattr(mine, name, value + more)
