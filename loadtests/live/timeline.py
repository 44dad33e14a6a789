"""PURE. What the screen knows of a test: every pattern and every load process, second by second, in bounded memory.

A load process gathers what it has recorded into slices, one for each second of the clock, and reports those that are
new. The board adds the reports of all processes. All of them read one clock, so a slice means the same second in each,
whenever its report arrives; and a second is complete once every process has reported beyond it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from loadtests.live.counts import Live, count_into, quantile_ms, unpacked
from loadtests.live.loss_tracker import Ledger
from loadtests.records.recorder import Rows
from servers.timing import NS_PER_S

SLICES: Final = 300
"""Kept of each pattern. When they are more, neighbours are merged: the history stays whole, and grows coarser."""
PACE_S: Final = 5
"""Over how many seconds a rate is taken: short enough to show a silence, long enough not to flicker."""
MARGIN_NS: Final = 250_000_000
"""A poll is recorded when its user comes round to it, a little after the instant that it bears."""


class SelfSample(NamedTuple):
    """One look of a load process at itself, see `arrival.Sample`."""

    at_ns: int
    cpu_ns: int
    lag_ns: int


@dataclass(slots=True)
class Report:
    """What one load process has to add. run: of which test; until_ns: all it received before then is in."""

    run: str
    until_ns: int = 0
    slices: dict[str, dict[int, Live]] = field(default_factory=dict)
    looks: list[SelfSample] = field(default_factory=list)

    def packed(self) -> list[object]:
        """Return what msgpack can carry; `unpack` is the inverse."""
        slices = {pattern: {at: live.packed() for at, live in own.items()} for pattern, own in self.slices.items()}
        return [self.run, self.until_ns, slices, [list(look) for look in self.looks]]

    @staticmethod
    def unpack(fields: list[Any]) -> "Report":
        run, until_ns, slices, looks = fields
        lives = {pattern: {at: unpacked(live) for at, live in own.items()} for pattern, own in slices.items()}
        return Report(run, until_ns, lives, [SelfSample(*look) for look in looks])


class Gatherer:
    """Turns the rows that one process records into reports. starts: the cursor of each of its users, see `Ledger`.

    states: the patterns of which a newer message replaces those before it, so that nobody misses them.
    """

    def __init__(self, run: str, starts: Mapping[int, int], states: Collection[str] = ()) -> None:
        self._run = run
        self._starts = starts
        self._states = states
        self._ledgers: dict[str, Ledger] = {}
        self._fresh = Report(run)

    def take(self, table: str, pattern: str, rows: Rows, clock_error_ns: int = 0) -> None:
        """Take a batch that was just recorded, of any table of rows.py, by the publisher's clock within that error."""
        if table == "samples":
            self._fresh.looks += [SelfSample(*look) for look in rows[list(SelfSample._fields)].tolist()]
            self._fresh.until_ns = int(rows["at_ns"][-1])
        elif table == "requests":
            for second, part in _by_second(rows, "ended_ns"):
                self._slice(pattern, second).add_requests(part)
        else:
            for second, part in _by_second(rows, "received_ns"):
                self._slice(pattern, second).add_deliveries(part, clock_error_ns)
            ledger = self._ledgers.setdefault(pattern, Ledger(self._starts))
            for second, missed, duplicated, _ in ledger.take(rows):
                live = self._slice(pattern, second)
                live.missed += 0 if pattern in self._states else missed
                live.duplicated += duplicated

    def report(self) -> Report:
        """Return what is new since the last report."""
        report, self._fresh = self._fresh, Report(self._run, self._fresh.until_ns)
        return report

    def _slice(self, pattern: str, second: int) -> Live:
        return self._fresh.slices.setdefault(pattern, {}).setdefault(second, Live())


def _by_second(rows: Rows, instant: str) -> Iterator[tuple[int, Rows]]:
    seconds = rows[instant] // NS_PER_S
    for second in np.unique(seconds).tolist():
        yield second, rows[seconds == second]


@dataclass(slots=True)
class Process:
    """A load process as it sees itself. lags: histogram of its worst lag in each second."""

    until_ns: int = 0
    first: SelfSample | None = None
    last: SelfSample | None = None
    lags: dict[int, int] = field(default_factory=dict)

    def take(self, look: SelfSample) -> None:
        self.first = self.first or look
        self.last = look
        count_into(self.lags, np.array([look.lag_ns]))

    @property
    def lag_ms(self) -> float | None:
        """Return how late its loop usually was at worst in a second: the median, as in reports/measures/costs.py."""
        return quantile_ms(self.lags, 0.5)

    @property
    def cpu_share(self) -> float | None:
        """Return the share of a core it used since it is counted; None before there are two looks."""
        if self.first is None or self.last is None or self.last.at_ns == self.first.at_ns:
            return None
        return (self.last.cpu_ns - self.first.cpu_ns) / (self.last.at_ns - self.first.at_ns)


class Timeline:
    """One pattern: its total, its history in slices, and its latest seconds."""

    def __init__(self) -> None:
        self.total = Live()
        self.slices: dict[int, Live] = {}
        self._pace: dict[int, int] = {}

    def take(self, second: int, width_s: int, live: Live) -> None:
        self.total.merge(live)
        self.slices.setdefault(second // width_s, Live()).merge(live)
        self._pace[second] = self._pace.get(second, 0) + live.deliveries
        for old in [at for at in self._pace if at < max(self._pace) - 10 * PACE_S]:
            del self._pace[old]

    def coarsen(self) -> None:
        """Merge each slice with its neighbour: half as many, twice as wide."""
        finer, self.slices = self.slices, {}
        for at, live in finer.items():
            self.slices.setdefault(at // 2, Live()).merge(live)

    def rate_per_s(self, from_s: int, until_s: int) -> float | None:
        """Return deliveries per second over the PACE_S complete seconds before until_s, from from_s on."""
        first = max(from_s, until_s - PACE_S)
        if until_s <= first:
            return None
        return sum(self._pace.get(second, 0) for second in range(first, until_s)) / (until_s - first)


class Board:
    """The sum of all reports of the test `run`. Instants and seconds are of servers/timing/clock.py."""

    def __init__(self, run: str = "", started_ns: int = 0) -> None:
        self.run = run
        self.from_s = started_ns // NS_PER_S
        self._from_ns = started_ns
        self.width_s = 1
        self.patterns: dict[str, Timeline] = {}
        self.processes: dict[str, Process] = {}

    def reset(self, now_ns: int) -> None:
        """Count from the next whole second on; reports of what was before may still come, and are left out."""
        self.from_s = now_ns // NS_PER_S + 1
        self._from_ns = self.from_s * NS_PER_S
        self.width_s = 1
        self.patterns.clear()
        self.processes = {name: Process(process.until_ns) for name, process in self.processes.items()}

    def take(self, process_name: str, report: Report) -> None:
        """Add a report. One of another test, as may be under way when this one begins, is left out."""
        if report.run != self.run:
            return
        process = self.processes.setdefault(process_name, Process())
        process.until_ns = max(process.until_ns, report.until_ns)
        for look in report.looks:
            if look.at_ns >= self._from_ns:
                process.take(look)
        for pattern, slices in report.slices.items():
            for second, live in slices.items():
                if second >= self.from_s:
                    self.patterns.setdefault(pattern, Timeline()).take(second, self.width_s, live)
        while self._span() > SLICES:
            self.width_s *= 2
            for timeline in self.patterns.values():
                timeline.coarsen()

    def _span(self) -> int:
        kept = [at for timeline in self.patterns.values() for at in timeline.slices]
        return max(kept) - min(kept) + 1 if kept else 0

    def complete_until_s(self, lost: Collection[str] = (), *, settled: bool = False) -> int:
        """Return the first second that is not complete. lost: workers that report no more; settled: all of them."""
        known = [process.until_ns for name, process in self.processes.items() if name not in lost]
        return max(0, min(known, default=0) - (0 if settled else MARGIN_NS)) // NS_PER_S
