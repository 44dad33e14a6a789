"""Rows -> what is told of them, as they are written: one reader's part of a cell, or of a test driven by hand."""

from dataclasses import dataclass, field
from pathlib import Path

from loadtests.live.counts import Live
from loadtests.live.timeline import Board, Gatherer
from loadtests.metrics.histogram import Histogram
from loadtests.metrics.tail import Batch, Tail


@dataclass(slots=True)
class Counted:
    """Of one pattern."""

    live: Live = field(default_factory=Live)
    histogram: Histogram = field(default_factory=Histogram)

    def plus(self, other: "Counted") -> "Counted":
        """Return what both have counted."""
        both = Counted()
        for each in (self, other):
            both.live.merge(each.live)
            both.histogram.merge(each.histogram)
        return both


@dataclass(slots=True)
class SoFar:
    """What one reader has counted so far, and how its load processes are.

    lag_ns: how late one was when it last said so; cpu_share, lag_ms: of the busiest and the latest, as in `Process`.
    """

    patterns: dict[str, Counted] = field(default_factory=dict)
    lag_ns: int = 0
    cpu_share: float | None = None
    lag_ms: float | None = None


class Counting:
    """Reads the rows below a folder of a cell, or a test."""

    def __init__(self, folder: Path) -> None:
        self._tail = Tail(folder)
        self._gatherers: dict[str, Gatherer] = {}
        self._board = Board()
        self._told = SoFar()

    @property
    def whole(self) -> bool:
        """Whether the load processes have said that they recorded all."""
        return self._tail.whole

    def read(self) -> SoFar:
        """Count what is new; return what there is so far, which is counted on. Raises OSError."""
        for batch in self._tail.read():
            self._take(batch)
        return self._told

    def close(self) -> None:
        self._tail.close()

    def _take(self, batch: Batch) -> None:
        gatherer = self._gatherers.setdefault(batch.process, Gatherer("", {}))
        gatherer.take(batch.table, batch.pattern, batch.rows, batch.clock_error_ns)
        report = gatherer.report()
        if batch.table == "samples":
            self._board.take(batch.process, report)
            self._look(batch)
            return
        counted = self._told.patterns.setdefault(batch.pattern, Counted())
        for slices in report.slices.values():
            for live in slices.values():
                counted.live.merge(live)
        if batch.table == "deliveries":
            counted.histogram.take(batch.rows["received_ns"] - batch.rows["due_ns"])

    def _look(self, batch: Batch) -> None:
        processes, told = self._board.processes.values(), self._told
        told.lag_ns = int(batch.rows["lag_ns"].max())
        told.cpu_share = max((each.cpu_share for each in processes if each.cpu_share is not None), default=None)
        told.lag_ms = max((each.lag_ms for each in processes if each.lag_ms is not None), default=None)
