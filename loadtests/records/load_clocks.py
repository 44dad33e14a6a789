"""How the rows of each load process come onto the publisher's clock, after the load.

What was recorded stays in exchanges.parquet, so that whoever doubts a shift can work it out anew. All else in a cell is
of one clock.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from loadtests.clocks.track import PPM, Instants, Track, track
from loadtests.records.manifest import LoadClock
from loadtests.records.recorder import DTYPES, Rows
from loadtests.records.rows import EXCHANGES, OUR_INSTANTS
from servers.timing import NS_PER_S

BATCH_ROWS: Final = 500_000
Seen = Sequence[tuple[LoadClock, Rows]]
"""Processes that read one clock, each with its exchanges."""
Files = Mapping[tuple[str, str], Sequence[Path]]
"""(table, process) -> its files."""


@dataclass(frozen=True, slots=True)
class Shift:
    """What is known of one load process's clock. over_time: its offset, None where nothing is to be added."""

    known: LoadClock
    over_time: Track | None = None

    def moved(self, table: str, rows: Rows) -> Rows:
        """Return rows of the process on the publisher's clock."""
        return rows if self.over_time is None else shifted(table, rows, self.over_time)


def shifted(table: str, rows: Rows, by: Track | int) -> Rows:
    """Return rows with their own instants later by a number of ns, or by the offset at each."""
    moved = rows.copy()
    for column in OUR_INSTANTS[table]:
        ours = rows[column]
        add_ns = by.shift_ns(ours) if isinstance(by, Track) else by
        moved[column] = np.where(ours > 0, ours + add_ns, ours)
    return moved


def drifted_ns(table: str, rows: Rows, known: LoadClock) -> int:
    """Return how much an offset may have moved between any instant of some rows and that for which it is known."""
    columns = [rows[column] for column in OUR_INSTANTS[table]]
    furthest_ns = max((int(np.abs(ours[ours > 0] - known.at_ns).max(initial=0)) for ours in columns), default=0)
    return ceil(furthest_ns * known.rho_ppm * PPM)


def read_clock(file: Path) -> LoadClock:
    return msgspec.json.decode(file.read_bytes(), type=LoadClock)


def shifts(raw: Path) -> dict[str, Shift]:
    """Return what is known of the clock of each load process that told of one, by process. Raises OSError.

    Processes that read one clock know of one offset, so all that they saw of it counts for each of them.
    """
    found: dict[str, Shift] = {}
    together: dict[tuple[str, str], list[tuple[LoadClock, Rows]]] = {}
    for file in sorted(raw.glob("clock-*.json")):
        known = read_clock(file)
        rows = whole_rows(raw / f"{EXCHANGES}--{known.process}.rows", EXCHANGES)
        known = msgspec.structs.replace(known, exchanges=len(rows))
        if known.same:
            found[known.process] = _checked(known, rows)
        else:
            together.setdefault((known.clock, known.publisher), []).append((known, rows))
    files = _files(raw) if together else {}
    for seen in together.values():
        found |= _brought_over(seen, files)
    return found


def process_of(file: Path) -> str:
    """Return which process recorded a raw file, TABLE-PATTERN-PROCESS.rows."""
    return file.stem.split("-", 2)[2]


def _files(raw: Path) -> Files:
    found: dict[tuple[str, str], list[Path]] = {}
    for file in sorted(raw.glob("*.rows")):
        found.setdefault((file.name.partition("-")[0], process_of(file)), []).append(file)
    return found


def _checked(known: LoadClock, rows: Rows) -> Shift:
    """Hold against its exchanges what a process says that reads the publisher's own clock."""
    if not len(rows):
        return Shift(known)
    over_time = track(_exchanges([rows]), known.rho_ppm)
    return Shift(_told(known, over_time, error_ns=0, problem=apart(over_time)))


def _brought_over(seen: Seen, files: Files) -> dict[str, Shift]:
    """Return the shift of processes that read one clock, which is not the publisher's."""
    processes, rows = [known for known, _ in seen], [exchanges for _, exchanges in seen]
    if not sum(map(len, rows)):
        alone = "it reads another clock than the publisher's, which answered none of its questions (GET /clock)"
        return {
            known.process: Shift(msgspec.structs.replace(known, problem=known.problem or alone)) for known in processes
        }
    names = [known.process for known in processes]
    rho_ppm = max(known.rho_ppm for known in processes)
    found = track(_exchanges(rows), rho_ppm, _least(files, names), _span_ns(files, names))
    problem = contradicted(found)
    return {known.process: Shift(_told(known, found, found.error_ns(), problem), found) for known in processes}


def _exchanges(rows: Sequence[Rows]) -> Instants:
    whole = np.concatenate(rows)
    return np.stack([whole[name] for name in whole.dtype.names or ()], axis=1)


def _told(known: LoadClock, found: Track, error_ns: int, problem: str) -> LoadClock:
    last = found.last
    return msgspec.structs.replace(
        known,
        low_ns=last.low_ns,
        high_ns=last.high_ns,
        at_ns=last.at_ns,
        from_ns=int(found.at_ns[0]),
        rho_ppm=found.rho_ppm,
        error_ns=max(0, error_ns),
        problem=known.problem or problem,
    )


def contradicted(found: Track) -> str:
    """Return what is wrong with exchanges that contradict each other, "" where they do not."""
    if not found.empty:
        return ""
    return (
        f"two exchanges contradict each other by {found.contradiction_ns / 1e6:.3f} ms: one of the clocks was set or "
        f"its host suspended, or they drift apart by more than {found.rho_ppm:g} ppm"
    )


def apart(found: Track) -> str:
    """Return how far two clocks are apart that are said to be one, "" when nothing speaks against it."""
    least = max(int(found.low_ns.max()), -int(found.high_ns.min()))
    if found.empty or least <= 0:
        return contradicted(found)
    return (
        f"it names the publisher's own clock, but exchanges prove the two to be at least {least / 1e6:.3f} ms apart: "
        "two machines that were made from one snapshot say the same name"
    )


def _least(files: Files, processes: Sequence[str]) -> tuple[Instants, Instants]:
    """Return what deliveries say of the offset: when received, and the least that it then was; one for each second."""
    seconds: dict[int, tuple[int, int]] = {}
    for rows in _batches(files, "deliveries", processes):
        received, least = rows["received_ns"], rows["published_ns"] - rows["received_ns"]
        for second in np.unique(received // NS_PER_S).tolist():
            within = np.flatnonzero(received // NS_PER_S == second)
            best = within[np.argmax(least[within])]
            found = int(received[best]), int(least[best])
            seconds[second] = max(seconds.get(second, found), found, key=lambda bound: bound[1])
    bounds = np.array(sorted(seconds.values()), np.int64).reshape(-1, 2)
    return bounds[:, 0], bounds[:, 1]


def _span_ns(files: Files, processes: Sequence[str]) -> tuple[int, int] | None:
    """Return the first and the last instant that these processes recorded."""
    edges = [
        (int(instants.min()), int(instants.max()))
        for table, columns in OUR_INSTANTS.items()
        for rows in _batches(files, table, processes)
        for column in columns
        if len(instants := rows[column][rows[column] > 0])
    ]
    return (min(first for first, _ in edges), max(last for _, last in edges)) if edges else None


def _batches(files: Files, table: str, processes: Iterable[str]) -> Iterator[Rows]:
    for file in (file for process in processes for file in files.get((table, process), ())):
        rows = whole_rows(file, table)
        yield from (rows[first : first + BATCH_ROWS] for first in range(0, len(rows), BATCH_ROWS))


def whole_rows(file: Path, table: str) -> Rows:
    """A file as it lies there, up to its last whole row."""
    whole = file.stat().st_size // DTYPES[table].itemsize if file.exists() else 0
    return np.memmap(file, DTYPES[table], "r", shape=whole) if whole else np.empty(0, DTYPES[table])


def problems_of(by_clock: Iterable[Shift]) -> list[str]:
    """Return a line for each process whose rows cannot be brought onto the publisher's clock at all."""
    known = [shift.known for shift in by_clock if shift.over_time is None]
    return [f"load process {each.process}: {each.problem}" for each in known if not each.same]
