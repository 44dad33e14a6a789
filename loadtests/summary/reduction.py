"""PURE. Rows -> summary, batch by batch, in memory that grows with clients and not with messages.

What counts, and how, is said where it is done to rows: reports/measures. A client's rows come in the order in which
they were recorded, and all of them from one process.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from loadtests.live.loss_tracker import Ledger
from loadtests.metrics.tail import Batch
from loadtests.records.recorder import Rows
from loadtests.records.rows import ERRORS, MODES, ROLES, USERS_OF_A_PROCESS
from loadtests.scenario.timetable import polls_due
from loadtests.summary.kept import Deliveries, Requests, Summary, Users
from servers.timing import NS_PER_S

Integers = np.ndarray[Any, np.dtype[np.int64]]
EDGE_NS: Final = 5 * NS_PER_S // 2
"""Looks at the sockets come once a second; so near to an edge of the window lie those that its traffic is read from."""
NEVER: Final = np.iinfo(np.int64).max
PUSHED: Final = MODES.index("pushed")
GENERATOR: Final = ROLES.index("generator")
BEGIN: Final = {"oldest": NEVER, "first_due_ns": NEVER, "first_connection": NEVER}
"""What a column begins with, where it is not 0."""
COUNTED: Final = ("firsts", "repeats", "falls", "delivered", "duplicated", "reordered", "recorded", "brought")
COLUMNS: Final = (
    *COUNTED,
    "there",
    "user",
    "oldest",
    "newest",
    "first_due_ns",
    "first_connection",
    "connection",
    "answered_ns",
)


def part_inside(started_ns: Integers, ended_ns: Integers, from_ns: int, until_ns: int) -> "np.ndarray[Any, Any]":
    """Return which part of the life of each request lay between two instants."""
    inside_ns = np.clip(np.minimum(ended_ns, until_ns) - np.maximum(started_ns, from_ns), 0, None)
    share: np.ndarray[Any, Any] = inside_ns / np.maximum(ended_ns - started_ns, 1)
    return share


@dataclass(frozen=True, slots=True)
class Window:
    """interval_ns: between two polls, where users ask at fixed instants."""

    from_ns: int
    until_ns: int
    interval_ns: int


@dataclass(slots=True)
class _Process:
    """One load process. own: column -> value of each of its users, by their number in it; answered_ns: 0 for never.

    near_ns: when deliveries came near an edge of the window; before, between: how many came before the first edge's
    neighbourhood, and between the two. looks_ns: number -> instant of its looks near an edge, of so many that it had.
    steady: whether all polls were due at whole intervals, moved: whether any was at another instant than its user's
    first.
    """

    ledger: Ledger = field(default_factory=lambda: Ledger({}, otherwise=0))
    own: dict[str, Integers] = field(default_factory=lambda: {name: np.zeros(0, np.int64) for name in COLUMNS})
    near_ns: list[Integers] = field(default_factory=list)
    looks_ns: dict[int, int] = field(default_factory=dict)
    looks: int = 0
    before: int = 0
    between: int = 0
    steady: bool = True
    moved: bool = False
    sent: int = 0

    def number(self, users: Integers) -> Integers:
        """Return where each of these users stands in the columns."""
        who = (users % USERS_OF_A_PROCESS).astype(np.int64)
        lacking = int(who.max(initial=-1)) + 1 - len(self.own["user"])
        if lacking > 0:
            for name, column in self.own.items():
                self.own[name] = np.append(column, np.full(lacking, BEGIN.get(name, 0), np.int64))
        self.own["user"][who] = users
        self.own["there"][who] = 1
        return who

    def count(self, name: str, who: Integers, weights: Integers | None = None) -> None:
        size = len(self.own[name])
        found = np.bincount(who, weights, minlength=size)
        self.own[name] += found.astype(np.int64)


class Reduction:
    """Counts all that load processes recorded of one cell."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._deliveries = Deliveries()
        self._requests = Requests()
        self._processes: dict[str, _Process] = {}

    def take(self, batch: Batch) -> None:
        process = self._processes.setdefault(batch.process, _Process())
        if batch.table == "deliveries":
            self._take_deliveries(process, batch.rows, batch.clock_error_ns)
        elif batch.table == "requests":
            self._take_requests(process, batch.rows)
        else:
            looks_ns = batch.rows["at_ns"][batch.rows["role"] == GENERATOR]
            near = np.flatnonzero(self._edge(looks_ns))
            process.looks_ns |= dict(zip((process.looks + near).tolist(), looks_ns[near].tolist(), strict=True))
            process.looks += len(looks_ns)

    def summary(self) -> Summary:
        """Return what was counted so far."""
        columns: dict[str, list[int]] = {name: [] for name in Users.__struct_fields__}
        for number, process in self._processes.items():
            there = process.own["there"] > 0
            own = {name: column[there] for name, column in process.own.items()}
            own["oldest"] = np.where(own["oldest"] == NEVER, 0, own["oldest"])
            own["reconnects"] = np.where(own["connection"] > 0, own["connection"] - own["first_connection"], 0)
            for name, values in columns.items():
                values += own[name].tolist()
            by_look = self._received(process)
            self._deliveries.by_look |= {f"{number}:{look}": count for look, count in by_look.items()}
        self._requests.polls_due = self._requests.polls_sent = 0
        if self._by_schedule():
            self._requests.polls_due = sum(self._due(process) for process in self._processes.values())
            self._requests.polls_sent = sum(process.sent for process in self._processes.values())
        return Summary(
            window_from_ns=self._window.from_ns,
            window_until_ns=self._window.until_ns,
            users=Users(**columns),
            deliveries=self._deliveries,
            requests=self._requests,
        )

    def _take_deliveries(self, process: _Process, rows: Rows, clock_error_ns: int) -> None:
        who, total = process.number(rows["user"]), self._deliveries
        total.recorded += len(rows)
        total.payload_bytes += int(rows["bytes"].sum(dtype=np.int64))
        total.pushed += int(np.count_nonzero(rows["mode"] == PUSHED))
        repeat, fall = (np.zeros(len(rows), bool) for _ in range(2))
        for _, missed, duplicated, at in process.ledger.take(rows):
            repeat[at] |= duplicated > 0
            fall[at] |= missed < 0
        due_ns = rows["due_ns"]
        due = (due_ns >= self._window.from_ns) & (due_ns < self._window.until_ns)
        for name, mask in {
            "recorded": np.ones(len(rows), bool),
            "firsts": ~repeat,
            "repeats": repeat,
            "falls": fall,
            "delivered": ~repeat & due,
            "duplicated": repeat & due,
            "reordered": fall & due,
        }.items():
            process.count(name, who[mask])
        np.minimum.at(process.own["oldest"], who, rows["id"])
        np.maximum.at(process.own["newest"], who, rows["id"])
        self._take_looks(process, rows["received_ns"])
        self._take_latencies(rows[~repeat & due], clock_error_ns)

    def _take_latencies(self, first: Rows, clock_error_ns: int) -> None:
        """Count first arrivals due in the window."""
        total = self._deliveries
        received, arrived, published, due = (first[f"{at}_ns"] for at in ("received", "arrived", "published", "due"))
        total.early += int(np.count_nonzero(received + clock_error_ns < published))
        total.latency.take(received - due)
        total.transit.take(received - published)
        total.lateness.take(published - due)
        stamped = arrived > 0
        total.wait.take((received - arrived)[stamped])
        total.network.take((arrived - published)[stamped])
        total.prompt.take((published - due)[stamped])

    def _take_looks(self, process: _Process, received_ns: Integers) -> None:
        near, from_ns, until_ns = self._edge(received_ns), self._window.from_ns, self._window.until_ns
        process.near_ns.append(received_ns[near].copy())
        process.before += int(np.count_nonzero(received_ns < from_ns - EDGE_NS))
        process.between += int(np.count_nonzero(~near & (received_ns > from_ns) & (received_ns < until_ns)))

    def _edge(self, at_ns: Integers) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        edges = self._window.from_ns, self._window.until_ns
        near: np.ndarray[Any, np.dtype[np.bool_]] = np.logical_or(*(np.abs(at_ns - edge) <= EDGE_NS for edge in edges))
        return near

    def _received(self, process: _Process) -> dict[int, int]:
        """Return how many deliveries had come until each look near an edge, by its number."""
        near_ns = np.sort(np.concatenate([*process.near_ns, np.zeros(0, np.int64)]))
        middle_ns = self._window.from_ns + EDGE_NS
        return {
            look: process.before
            + int(np.searchsorted(near_ns, at_ns, side="right"))
            + (process.between if at_ns > middle_ns else 0)
            for look, at_ns in process.looks_ns.items()
        }

    def _take_requests(self, process: _Process, rows: Rows) -> None:
        who, total = process.number(rows["user"]), self._requests
        from_ns, until_ns = self._window.from_ns, self._window.until_ns
        total.recorded += len(rows)
        total.repeated += int(rows["repeated"].sum(dtype=np.int64))
        for code, count in zip(*np.unique(rows["error"], return_counts=True), strict=True):
            kind = ERRORS[int(code)]
            total.errors[kind] = total.errors.get(kind, 0) + int(count)
        process.count("brought", who, rows["messages"])
        np.minimum.at(process.own["first_connection"], who, rows["connection"])
        np.maximum.at(process.own["connection"], who, rows["connection"])
        ended = rows["ended_ns"]
        share = part_inside(rows["started_ns"], ended, from_ns, until_ns)
        total.inside_bytes += float(((rows["bytes_in"] + rows["bytes_out"]) * share).sum())
        total.inside_messages += float((rows["messages"] * share).sum())
        self._take_schedule(process, who, rows)
        answered = (ended >= from_ns) & (ended < until_ns) & (rows["status"] > 0)
        self._take_answers(process, who[answered], rows[answered])

    def _take_answers(self, process: _Process, who: Integers, rows: Rows) -> None:
        """Count answers that were complete in the window."""
        total = self._requests
        total.answered += len(rows)
        total.empty += int(rows["empty"].sum(dtype=np.int64))
        total.held_ns += int(rows["hold_ns"].sum())
        total.answer.take(rows["ended_ns"] - rows["started_ns"] - rows["hold_ns"])
        order = np.lexsort((rows["started_ns"], who))
        who, rows = who[order], rows[order]
        fresh = np.append(True, who[1:] != who[:-1])[: len(who)]
        before_ns = np.append(0, rows["ended_ns"][:-1])[: len(who)]
        before_ns[fresh] = process.own["answered_ns"][who[fresh]]
        total.turnaround.take((rows["started_ns"] - before_ns)[before_ns > 0])
        np.maximum.at(process.own["answered_ns"], who, rows["ended_ns"])

    def _take_schedule(self, process: _Process, who: Integers, rows: Rows) -> None:
        due_ns = rows["due_ns"]
        inside = (due_ns >= self._window.from_ns) & (due_ns < self._window.until_ns)
        self._requests.late.take((rows["started_ns"] - due_ns)[inside])
        np.minimum.at(process.own["first_due_ns"], who, due_ns)
        since_ns = due_ns - process.own["first_due_ns"][who]
        process.moved |= bool(since_ns.any())
        if self._window.interval_ns > 0:
            process.steady &= not (since_ns % self._window.interval_ns).any()
        process.sent += int(np.count_nonzero(inside))

    def _by_schedule(self) -> bool:
        """Whether users ask at fixed instants: reports/measures/send_delay.py."""
        processes = self._processes.values()
        steady = self._window.interval_ns > 0 and all(process.steady for process in processes)
        return steady and any(process.moved for process in processes)

    def _due(self, process: _Process) -> int:
        first_ns = process.own["first_due_ns"]
        window = self._window
        return polls_due(first_ns[first_ns < NEVER], window.from_ns, window.until_ns, window.interval_ns)
