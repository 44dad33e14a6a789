"""`python -m loadtests.runs.by_hand.manual_run DIR`: ends a test driven by hand as planned runs end.

One run with one cell per pattern, because all patterns ran at once. What was due between the start of the last user
(or the last reset of the statistics) and shortly before the end is measured; the end is left out by the drain that a
planned cell would have, as what was due in it had no time to arrive.
"""

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from loadtests.records.load_clocks import Shift, process_of, shifts, whole_rows
from loadtests.records.manifest import SESSION, Cell, SessionRecord
from loadtests.records.recorder import DTYPES, Rows
from loadtests.records.rows import EXCHANGES, ROLES
from loadtests.records.to_parquet import collect
from loadtests.runs.keeping import described, ended, keep
from loadtests.runs.run_folder import save
from loadtests.scenario.plan import PlannedCell
from loadtests.scenario.scenarios import Scenario
from loadtests.scenario.settings import DAY_S
from servers.feed.schedule import parse_schedule
from servers.timing import NS_PER_S

UNKNOWN: Final = -1
SETTLE_NS: Final = 500_000_000
"""From the last user's first request to the window: time for a stream to begin, and for its first look back."""


def make_run(folder: Path) -> list[Cell]:
    """End the cells of session.json with what lies in published.csv and raw/, and write run.json. Raises OSError."""
    session = msgspec.json.decode((folder / "session.json").read_bytes(), type=SessionRecord)
    folders = {cell.name: folder / "cells" / cell.name for cell in session.cells}
    by_clock = shifts(folder / "raw")
    joined_ns = max(
        (_give_rows(folder, folders[cell.name], cell, session, by_clock) for cell in session.cells), default=0
    )
    found = [_windowed(cell, joined_ns, session) for cell in session.cells]
    cells = [ended(planned, cell, folders[cell.name]) for planned, cell in found]
    run = described(
        kind=SESSION,
        command=session.command,
        started_at=session.started_at,
        scenarios=[*{planned.scenario.name: planned.scenario for planned, _ in found}.values()],
        labels={cell.pattern: cell.label for cell in cells},
        repeats=1,
        cells=[cell.name for cell in cells],
        runs=folder.parent,
    )
    save(folder / "run.json", run)
    _keep_samples(folder)
    return [keep(folders[cell.name], cell) for cell in cells]


def _windowed(cell: Cell, joined_ns: int, session: SessionRecord) -> tuple[PlannedCell, Cell]:
    """Find the window of a cell, and with it the plan that would have given it.

    joined_ns: when the last user of all asked for the first time. Locust says that users run before that.
    """
    asked = msgspec.convert(session.scenario | {"name": cell.scenario, "clients": [cell.clients]}, Scenario)
    spawned_by_ns, drain_s = max(cell.spawned_by_ns, joined_ns), asked.drain_or_default_s(cell.rtt_ms)
    from_ns = max(spawned_by_ns + SETTLE_NS, cell.window_from_ns)
    until_ns = cell.load_ended_ns - round(drain_s * NS_PER_S)
    lengths = {
        "warmup_s": (from_ns - spawned_by_ns) / NS_PER_S,
        "window_s": (until_ns - from_ns) / NS_PER_S,
        "drain_s": drain_s,
    }
    # Of a test that took days, or had no window, the instants speak.
    within: dict[str, Any] = {name: min(max(length, 1e-9), DAY_S) for name, length in lengths.items()}
    scenario = replace(asked, **within)
    rate_per_s = parse_schedule(scenario.schedule).rate_per_s
    planned = PlannedCell(cell.pattern, scenario, cell.clients, cell.rtt_ms, rate_per_s, cell.repeat)
    return planned, msgspec.structs.replace(
        cell,
        settings=planned.settings,
        spawned_by_ns=spawned_by_ns,
        window_from_ns=from_ns,
        window_until_ns=until_ns,
        problems=cell.problems or _too_short(drain_s, lengths["window_s"]),
    )


def _too_short(drain_s: float, window_s: float) -> list[str]:
    longer = f"{drain_s:g} s longer than it takes all users to start, or than the last reset"
    return [f"it ended too soon to be measured: it must run {longer}"] if window_s <= 0 else []


def _give_rows(
    folder: Path, cell_folder: Path, cell: Cell, session: SessionRecord, by_clock: Mapping[str, Shift]
) -> int:
    """Give a cell its rows, the journal and what the load processes saw; return when its last user first asked.

    Patterns that ran at once shared server and connections: what each cost, and sent over the wire, cannot be told.
    """
    raw = cell_folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "published.csv", cell_folder)
    firsts: dict[int, int] = {}
    for file in (*(folder / "raw").glob(f"{EXCHANGES}-*.rows"), *(folder / "raw").glob("clock-*.json")):
        shutil.copy(file, raw)
    for table in ("requests", "deliveries"):
        for file in sorted((folder / "raw").glob(f"{table}-{cell.pattern}-*.rows")):
            file.rename(raw / file.name)
            if table == "requests":
                rows = whole_rows(raw / file.name, table)
                shift = by_clock.get(process_of(file))
                firsts |= _first_requests(shift.moved(table, rows) if shift is not None else rows)
    for file in sorted((folder / "raw").glob("samples-*.rows")):
        rows = np.fromfile(file, DTYPES["samples"])
        if len(session.cells) > 1:
            ours = rows["role"] != ROLES.index("server")
            for column in set(rows.dtype.names or ()) - {"at_ns", "pid", "role"}:
                rows[column] = np.where(ours & (not column.startswith("wire_")), rows[column], UNKNOWN)
        rows.tofile(raw / file.name)
    _copy_named(folder / "raw", raw, "counts", lambda name: name.split("-")[1] in {cell.pattern, ""})
    _copy_named(folder / "raw", raw, "seen", lambda user: int(user) in firsts)
    return max(firsts.values(), default=0)


def _first_requests(rows: Rows) -> dict[int, int]:
    """Return user -> when it asked for the first time: a user's requests are recorded one after the other."""
    users, first = np.unique(rows["user"], return_index=True)
    return dict(zip(users.tolist(), rows["started_ns"][first].tolist(), strict=True))


def _keep_samples(folder: Path) -> None:
    """Leave the samples as they were recorded beside the cells, once."""
    _copy_named(folder / "raw", folder / "raw", "counts", lambda name: name.startswith(("samples-", EXCHANGES)))
    collect(folder, tables=["samples"])


def _copy_named(raw: Path, to: Path, what: str, wanted: Callable[[str], bool]) -> None:
    """Copy what each load process says, as far as it is wanted: counts by names such as requests-sse-4711, first words
    by users.
    """
    for file in sorted(raw.glob(f"{what}-*.json")):
        said = json.loads(file.read_text(encoding="utf-8"))
        own = {name: value for name, value in said.items() if wanted(name)}
        (to / file.name).write_text(json.dumps(own), encoding="utf-8")


def main() -> int:
    folder = Path(sys.argv[1])
    problems = dict.fromkeys(problem for cell in make_run(folder) for problem in cell.problems)
    for problem in problems:
        sys.stderr.write(f"error: {folder}: {problem}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
