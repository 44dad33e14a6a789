"""Reads what load processes write, as they write it: every row once, whole ones only.

A file may be taken away meanwhile by whoever has read it (`retire_bytes`). Its process, which opens it anew each time,
then begins another of the same name; until that is there, it may still write to the one that was taken away.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

import numpy as np

from loadtests.records.load_clocks import drifted_ns, read_clock, shifted
from loadtests.records.manifest import LoadClock
from loadtests.records.recorder import DTYPES, Rows
from loadtests.records.rows import ROW_TYPES

READ_ROWS: Final = 500_000
"""At a time: a file that nobody has read yet may be large."""
RETIRED: Final = ".retired"
STAYING: Final = "samples"
"""Few rows, which become Parquet in any case."""


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
    """Follows the raw rows of one cell, or test. Files stay open: they are deleted when they have become Parquet.

    retire_bytes: take a file away when it is as long as that and was read; 0 for never.
    """

    def __init__(self, folder: Path, retire_bytes: int = 0) -> None:
        self._raw = folder / "raw"
        self._retire_bytes = retire_bytes
        self._open: dict[str, BufferedReader] = {}
        self._clocks: dict[str, LoadClock | None] = {}

    @property
    def whole(self) -> bool:
        """Whether the load processes have said that they recorded all."""
        return any(self._raw.glob("counts-*.json"))

    def read(self) -> Iterator[Batch]:
        """Yield what is new; deliveries before samples, which say up to when all is there."""
        self._clocks.clear()  # each second more is known of them
        for file in sorted(self._raw.glob("*.rows")):
            known = self._open.get(file.name)
            try:
                if known is not None and os.fstat(known.fileno()).st_ino == file.stat().st_ino:
                    continue
                opened = file.open("rb")
            except FileNotFoundError:
                continue
            if known is not None:
                yield from self._batches(file.name, known)
                known.close()
                file.with_suffix(RETIRED).unlink(missing_ok=True)
            self._open[file.name] = opened
        for name, opened in sorted(self._open.items()):
            yield from self._batches(name, opened)
            if self._retire_bytes and opened.tell() >= self._retire_bytes and not name.startswith(STAYING):
                self._retire(self._raw / name, opened)

    def _clock_of(self, process: str) -> LoadClock | None:
        """Return what is known of the clock of a process by now; None where it does not say."""
        if process not in self._clocks:
            file = self._raw / f"clock-{process}.json"
            self._clocks[process] = read_clock(file) if file.exists() else None
        return self._clocks[process]

    def close(self) -> None:
        for opened in self._open.values():
            opened.close()

    def _retire(self, file: Path, opened: BufferedReader) -> None:
        away = file.with_suffix(RETIRED)
        if not away.exists() and os.fstat(opened.fileno()).st_ino == file.stat().st_ino:
            file.rename(away)

    def _batches(self, name: str, opened: BufferedReader) -> Iterator[Batch]:
        table, pattern, process = name.removesuffix(".rows").split("-", 2)
        dtype, more = DTYPES[table], True
        while more:
            start = opened.tell()
            content = opened.read(READ_ROWS * dtype.itemsize)
            whole = len(content) // dtype.itemsize * dtype.itemsize
            opened.seek(start + whole)
            more = bool(whole)
            if whole and table in ROW_TYPES:
                rows = np.frombuffer(content[:whole], dtype)
                known = self._clock_of(process)
                if known is None or known.same:
                    yield Batch(table, pattern, process, rows)
                else:
                    error_ns = known.error_ns + drifted_ns(table, rows, known)
                    yield Batch(table, pattern, process, shifted(table, rows, known.midpoint_ns), error_ns)
