"""Reads what load processes write, as they write it: every row once, whole ones only."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np

from loadtests.records.load_clocks import read_clock, shifted
from loadtests.records.manifest import LoadClock
from loadtests.records.recorder import DTYPES, Rows
from loadtests.records.rows import ROW_TYPES


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that one process has recorded since, on the publisher's clock, give or take clock_error_ns.

    process: its number, as its files have it.
    """

    table: str
    pattern: str
    process: str
    rows: Rows
    clock_error_ns: int = 0


class Tail:
    """Follows the raw rows of one cell, or test. Files stay open: they are deleted when they have become Parquet."""

    def __init__(self, folder: Path) -> None:
        self._raw = folder / "raw"
        self._open: dict[str, BufferedReader] = {}
        self._clocks: dict[str, LoadClock | None] = {}

    @property
    def whole(self) -> bool:
        """Whether the load processes have said that they recorded all."""
        return any(self._raw.glob("counts-*.json"))

    def read(self) -> Iterator[Batch]:
        """Yield what is new; deliveries before samples, which say up to when all is there."""
        for file in sorted(self._raw.glob("*.rows")):
            if file.name not in self._open:
                try:
                    self._open[file.name] = file.open("rb")
                except FileNotFoundError:
                    continue
        for name, opened in sorted(self._open.items()):
            table, pattern, process = name.removesuffix(".rows").split("-")
            start, dtype = opened.tell(), DTYPES[table]
            content = opened.read()
            whole = len(content) // dtype.itemsize * dtype.itemsize
            opened.seek(start + whole)
            if whole and table in ROW_TYPES:
                rows = np.frombuffer(content[:whole], dtype)
                known = self._clock_of(process)
                if known is None or known.same:
                    yield Batch(table, pattern, process, rows)
                else:
                    ahead_ns = (known.low_ns + known.high_ns) // 2
                    yield Batch(table, pattern, process, shifted(table, rows, ahead_ns), known.error_ns)

    def _clock_of(self, process: str) -> LoadClock | None:
        """Return what is known of the clock of a process, which says so as it begins; None where it does not."""
        if process not in self._clocks:
            file = self._raw / f"clock-{process}.json"
            self._clocks[process] = read_clock(file) if file.exists() else None
        return self._clocks[process]

    def close(self) -> None:
        for opened in self._open.values():
            opened.close()
