"""Reads the rows of a cell while they are written, counts them into a summary, and takes files away that are read.

So what lies on the disk is bounded by RETIRE_BYTES for each file that is written, however long a cell takes.
"""

import time
from collections import Counter
from pathlib import Path
from typing import Final

from loadtests.metrics.tail import Tail
from loadtests.summary.kept import TAKEN, Folded
from loadtests.summary.reduction import Reduction, Window

RETIRE_BYTES: Final = 16_000_000
PACE_S: Final = 1.0


class Folding:
    """One cell's, or one load host's part of it."""

    def __init__(self, folder: Path, window: Window, retire_bytes: int = RETIRE_BYTES) -> None:
        self._reduction = Reduction(window)
        self._tail = Tail(folder, retire_bytes)
        self._next_s = 0.0
        self._taken: Counter[str] = Counter()
        self._clock_error_ns: dict[str, int] = {}

    def tick(self) -> None:
        """Count what is new, if that was not done within the last second. Raises OSError."""
        if time.monotonic() >= self._next_s:
            self.read()
            self._next_s = time.monotonic() + PACE_S

    def finish(self) -> Folded:
        """Count the rest; return what it came to. Raises OSError."""
        self.read()
        self._tail.close()
        summary = self._reduction.summary()
        return Folded(summary=summary, taken=dict(self._taken), clock_error_ns=self._clock_error_ns)

    def read(self) -> None:
        """Count what is new. Raises OSError."""
        for batch in self._tail.read():
            self._reduction.take(batch)
            if batch.table in TAKEN:
                known_ns = self._clock_error_ns.get(batch.process, 0)
                self._clock_error_ns[batch.process] = max(known_ns, batch.clock_error_ns)
                self._taken[f"{batch.table}-{batch.pattern}-{batch.process}"] += len(batch.rows)
