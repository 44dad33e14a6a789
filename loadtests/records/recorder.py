"""Rows into memory, once a second into a file, and live numbers from what was written.

A user appends one packed row to a `Tape`, and that is all it pays for being recorded. Every second the tapes are
appended to `raw/TABLE-PATTERN-PID.rows` (PID@HOST on another machine than the run's), so a process that dies takes a
second of rows with it; and the live screens are fed from those same rows, in bulk, with numpy.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from loadtests.clocks.offset import ClockExchange
from loadtests.records.manifest import LoadClock
from loadtests.records.rows import DELIVERY, EXCHANGE, EXCHANGES, RECORDED, REQUEST, SAMPLE
from servers.targets.variables import hidden

Rows = NDArray[np.void]
Observer = Callable[[str, str, Rows], None]

DTYPES = {
    table: np.dtype(
        {
            "names": columns._fields,
            "formats": [{"h": "<i2", "i": "<i4", "q": "<i8"}[code] for code in record.format.lstrip("<")],
        }
    )
    for table, (columns, record) in RECORDED.items()
}
"""The binary records of rows.py, as numpy reads them."""

HOST_VARIABLE = "POLLBENCH_LOAD_HOST"
FOLDER_VARIABLE = "POLLBENCH_RECORD_DIR"
"""What a load process on another machine is told by its environment: that host's name, and where to record there."""

GLIMPSE_BYTES = 512
GLIMPSES = 2_000
"""Clients of a process of which the first bytes are kept."""


class Tape:
    """The rows of one pattern that are not in a file yet."""

    def __init__(self) -> None:
        self.requests = bytearray()
        self.deliveries = bytearray()


def process_name() -> str:
    """Name this process in the names of files: by its pid, and by its host where that is not the run's own."""
    host = os.environ.get(HOST_VARIABLE, "")
    return f"{os.getpid()}@{host}" if host else str(os.getpid())


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait: raised between a write and its count, it would have the same rows written twice."""
    waiting: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: waiting.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if waiting:
            signal.raise_signal(signal.SIGINT)


class Recorder:
    """All tapes of this process. `observe`, when set, is shown every batch of rows: (table, pattern, rows)."""

    def __init__(self) -> None:
        self.observe: Observer | None = None
        self._folder: Path | None = None
        self._tapes: dict[str, Tape] = {}
        self._samples = bytearray()
        self._exchanges = bytearray()
        self._rows: dict[str, int] = {}
        self._secrets: Sequence[str] = ()
        self._glimpses: dict[int, bytearray] = {}

    def start(self, run_dir: Path, secrets: Sequence[str] = ()) -> None:
        """Record into `run_dir/raw` from now on. secrets: what is never written there. Raises OSError."""
        self._secrets = secrets
        self._folder = run_dir / "raw"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._tapes.clear()
        self._glimpses.clear()
        self._rows = {}

    def tape(self, pattern: str) -> Tape:
        return self._tapes.setdefault(pattern, Tape())

    def glimpse(self, user: int, data: bytes, *, anew: bool = False) -> None:
        """Keep the first bytes that a client is sent, in case that it is the last one hears of it.

        anew: another answer begins with these bytes, which tells more than the one before it, that brought nothing.
        """
        seen = self._glimpses.get(user)
        if seen is not None and anew:
            seen.clear()
        if seen is None:
            if len(self._glimpses) >= GLIMPSES:
                return
            seen = self._glimpses[user] = bytearray()
        seen += data[: GLIMPSE_BYTES - len(seen)]

    def sample(self, row: tuple[int, ...]) -> None:
        self._samples += SAMPLE.pack(*row)

    def exchange(self, row: ClockExchange) -> None:
        self._exchanges += EXCHANGE.pack(*row)

    def clock(self, known: LoadClock) -> None:
        """Say by which clock the rows of this process are, and what is known of its offset so far. Raises OSError."""
        if self._folder is not None:
            told = msgspec.structs.replace(known, process=process_name())
            unfinished = self._folder / f"clock-{told.process}.new"  # whoever reads rows as they come reads this too
            unfinished.write_bytes(msgspec.json.encode(told))
            unfinished.rename(unfinished.with_suffix(".json"))

    def write(self) -> None:
        """Move what is in memory to the files, show it to `observe`. Raises OSError; the rows then stay in memory."""
        with uninterrupted():
            for pattern, tape in self._tapes.items():
                self._append("requests", pattern, tape.requests, REQUEST.size)
                self._append("deliveries", pattern, tape.deliveries, DELIVERY.size)
            self._append(EXCHANGES, "", self._exchanges, EXCHANGE.size)
            self._append("samples", "", self._samples, SAMPLE.size)

    def finish(self) -> dict[str, int]:
        """Write the rest, and a count of all rows for the collector; return the count."""
        self.write()
        if self._folder is not None:
            seen = {
                user: hidden(bytes(words).decode("latin-1"), self._secrets) for user, words in self._glimpses.items()
            }
            (self._folder / f"seen-{process_name()}.json").write_text(json.dumps(seen), encoding="ascii")
            (self._folder / f"counts-{process_name()}.json").write_text(json.dumps(self._rows), encoding="utf-8")
        return self._rows

    def _append(self, table: str, pattern: str, rows: bytearray, row_bytes: int) -> None:
        if not rows or self._folder is None:
            return
        name = f"{table}-{pattern}-{process_name()}"
        with (self._folder / f"{name}.rows").open("ab") as file:
            file.write(rows)
        if self.observe is not None and table != EXCHANGES:
            self.observe(table, pattern, np.frombuffer(bytes(rows), DTYPES[table]))
        self._rows[name] = self._rows.get(name, 0) + len(rows) // row_bytes
        rows.clear()


recorder = Recorder()
