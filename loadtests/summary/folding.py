"""Reads the rows of a cell while they are written, counts them into a summary, and takes files away that are read.

So what lies on the disk is bounded by RETIRE_BYTES for each file that is written, however long a cell takes.
"""

import time
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec

from loadtests.metrics.tail import Tail
from loadtests.records.to_parquet import recorded_rows
from loadtests.summary.kept import FILE, Summary
from loadtests.summary.reduction import Reduction, Window

RETIRE_BYTES: Final = 16_000_000
PACE_S: Final = 1.0
TAKEN: Final = ("requests", "deliveries")


class Folding:
    """One cell's. taken: rows counted so far, by the name that load processes count them under.

    clock_error_ns: by how much instants of rows may be wrong, of processes by another clock than the publisher's: what
    is counted as it comes is moved by what is known by then.
    """

    def __init__(self, folder: Path, window: Window, retire_bytes: int = RETIRE_BYTES) -> None:
        self._folder = folder
        self._reduction = Reduction(window)
        self._tail = Tail(folder, retire_bytes)
        self._next_s = 0.0
        self.taken: Counter[str] = Counter()
        self.clock_error_ns: dict[str, int] = {}

    def tick(self) -> None:
        """Count what is new, if that was not done within the last second. Raises OSError."""
        if time.monotonic() >= self._next_s:
            self.read()
            self._next_s = time.monotonic() + PACE_S

    def finish(self) -> tuple[Summary, list[str]]:
        """Count the rest and write the summary; return it, and a line for each thing that does not add up.

        Raises OSError.
        """
        self.read()
        self._tail.close()
        said = recorded_rows(self._folder / "raw")
        recorded = Counter({name: rows for name, rows in said.items() if name.partition("-")[0] in TAKEN})
        problems = [
            f"{self.taken[name]} rows of {name} were counted, its process recorded {recorded[name]}"
            for name in sorted({*recorded, *self.taken})
            if self.taken[name] != recorded[name]
        ]
        summary = self._reduction.summary()
        (self._folder / FILE).write_bytes(msgspec.json.encode(summary))
        return summary, problems

    def read(self) -> None:
        """Count what is new. Raises OSError."""
        for batch in self._tail.read():
            self._reduction.take(batch)
            if batch.table in TAKEN:
                known_ns = self.clock_error_ns.get(batch.process, 0)
                self.clock_error_ns[batch.process] = max(known_ns, batch.clock_error_ns)
                self.taken[f"{batch.table}-{batch.pattern}-{batch.process}"] += len(batch.rows)
