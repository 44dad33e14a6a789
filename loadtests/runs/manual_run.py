"""`python -m loadtests.runs.manual_run DIR`: makes a run, as `pollbench report` reads it, of a test driven by hand.

One run with one cell per pattern, because all patterns ran at once. What was due between the start of the last user
(or the last reset of the statistics) and shortly before the end is measured; the end is left out by the drain that a
planned cell would have, as what was due in it had no time to arrive.
"""

import json
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow.parquet as pq

from loadtests.host import environment
from loadtests.records.manifest import SESSION, Cell, Run
from loadtests.records.manifest import Session as Facts
from loadtests.records.recorder import DTYPES
from loadtests.records.seal import sealed
from loadtests.records.to_parquet import Collected, collect
from loadtests.runs.run_folder import save
from loadtests.scenario.options import FLAGS
from loadtests.scenario.plan import cell_name
from loadtests.scenario.scenarios import Scenario
from servers.feed.schedule import parse_schedule

DRAIN_S: Final = 0.5
"""Beside a poll interval, as in loadtests/scenario/scenarios.py."""
UNKNOWN: Final = -1
SETTLE_NS: Final = 500_000_000
"""From the last user's first request to the window: time for a stream to begin, and for its first look back."""


def make_run(folder: Path) -> list[Cell]:
    """Write cells/ and run.json from session.json, published.csv and raw/; return the cells. Raises OSError."""
    session = msgspec.json.decode((folder / "session.json").read_bytes(), type=Facts)
    users = {pattern: clients for pattern, clients in sorted(session.users.items()) if clients}
    folders = {pattern: folder / "cells" / _name(users, pattern) for pattern in users}
    collected = {pattern: _collect(folder, into, pattern, alone=len(users) == 1) for pattern, into in folders.items()}
    joined_ns = max(map(_joined_ns, folders.values()), default=0)
    session = msgspec.structs.replace(session, spawned_by_ns=max(session.spawned_by_ns, joined_ns))
    cells = [_cell(session, users, pattern, collected[pattern]) for pattern in users]
    save(folder / "run.json", _run(session, cells))
    for cell in cells:
        save(folders[cell.pattern] / "cell.json", sealed(folders[cell.pattern], cell))
    _keep_samples(folder)
    return cells


def _collect(folder: Path, into: Path, pattern: str, *, alone: bool) -> Collected:
    _give_rows(folder, into, pattern, alone=alone)
    shutil.copy(folder / "published.csv", into)
    return collect(into)


def _joined_ns(cell_folder: Path) -> int:
    """Return when the last user of a cell asked for the first time: by then its cursor was known to it.

    Locust says that users run before they have asked for anything.
    """
    requests = pq.read_table(cell_folder / "requests.parquet", columns=["user", "started_ns"])
    firsts = requests.group_by("user").aggregate([("started_ns", "min")])
    return max(firsts["started_ns_min"].to_pylist(), default=0)


def _run(session: Facts, cells: list[Cell]) -> Run:
    return Run(
        command=shlex.join(session.command),
        started_at=session.started_at,
        kind=SESSION,
        scenarios=[_scenario(session, name, clients) for name, clients in _scenarios(cells).items()],
        patterns={cell.pattern: cell.label for cell in cells},
        repeats=1,
        cells=[cell.name for cell in cells],
        machine=environment.machine(),
        versions=environment.versions(),
        commit=environment.commit(),
    )


def _scenarios(cells: list[Cell]) -> dict[str, int]:
    return {cell.scenario: cell.clients for cell in cells}


def _scenario_name(users: dict[str, int], pattern: str) -> str:
    """Patterns with unequal numbers of users are not comparable, so they are not of one scenario."""
    return SESSION if len(set(users.values())) == 1 else f"{SESSION}-of-{users[pattern]}"


def _name(users: dict[str, int], pattern: str) -> str:
    return cell_name(_scenario_name(users, pattern), users[pattern], 0.0, None, pattern, 1)


def _scenario(session: Facts, name: str, clients: int) -> dict[str, object]:
    """Return what scenario.Scenario would hold, were it planned. window_s, warmup_s: as they came out."""
    planned = {each.name: each.default for each in fields(Scenario) if each.default is not MISSING}
    return planned | {
        "name": name,
        "purpose": "driven by hand in Locust",
        "clients": [clients],
        "schedule": session.schedule,
        "message_bytes": session.message_bytes,
        "poll_interval_s": session.poll_interval_s,
        "poll_pace": session.poll_pace,
        "poll_start": session.poll_start,
        "backoff": session.backoff,
        "source": session.source,
        "fault": session.fault,
        "hold_timeout_s": session.hold_timeout_s,
        "silence_timeout_s": session.silence_timeout_s,
        **{flag: getattr(session, flag) for flag in FLAGS},
        "warmup_s": (_window_from_ns(session) - session.spawned_by_ns) / 1e9,
        "window_s": (_window_until_ns(session) - _window_from_ns(session)) / 1e9,
        "drain_s": _drain_s(session),
        "rtt_ms": [0.0],
    }


def _drain_s(session: Facts) -> float:
    return session.poll_interval_s + DRAIN_S


def _window_from_ns(session: Facts) -> int:
    return max(session.spawned_by_ns + SETTLE_NS, session.reset_ns)


def _window_until_ns(session: Facts) -> int:
    return session.ended_ns - round(_drain_s(session) * 1e9)


def _cell(session: Facts, users: dict[str, int], pattern: str, collected: Collected) -> Cell:
    window_from_ns, window_until_ns = _window_from_ns(session), _window_until_ns(session)
    problems = [*session.problems, *collected.problems]
    if not session.problems and window_until_ns <= window_from_ns:
        problems.append(
            f"it ended too soon to be measured: it must run {_drain_s(session):g} s longer than it takes all users to "
            "start, or than the last reset"
        )
    return Cell(
        name=_name(users, pattern),
        pattern=pattern,
        label=session.labels.get(pattern, pattern),
        scenario=_scenario_name(users, pattern),
        clients=users[pattern],
        rtt_ms=0.0,
        rate_per_s=parse_schedule(session.schedule).rate_per_s,
        repeat=1,
        status="failed" if problems else "finished",
        problems=problems,
        server_pid=session.server_pid,
        server_command=[],
        load_command=session.command,
        load_exit_code=0,
        spawned_by_ns=session.spawned_by_ns,
        publish_from_ns=session.publish_from_ns,
        window_from_ns=window_from_ns,
        window_until_ns=window_until_ns,
        load_ended_ns=session.ended_ns,
        published=session.published,
        published_before=session.published_before,
        rows=collected.rows,
    )


def _give_rows(folder: Path, cell_folder: Path, pattern: str, *, alone: bool) -> None:
    """Move a pattern's rows to its cell, and copy what the load processes saw of themselves.

    Patterns that ran at once shared every connection count: what one of them sent over the wire cannot be told.
    """
    raw = cell_folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for table in ("requests", "deliveries"):
        for file in sorted((folder / "raw").glob(f"{table}-{pattern}-*.rows")):
            file.rename(raw / file.name)
    for file in sorted((folder / "raw").glob("samples-*.rows")):
        rows = np.fromfile(file, DTYPES["samples"])
        if not alone:
            for column in (name for name in rows.dtype.names or () if name.startswith("wire_")):
                rows[column] = UNKNOWN
        rows.tofile(raw / file.name)
    _copy_counts(folder / "raw", raw, lambda name: name.split("-")[1] in {pattern, ""})


def _keep_samples(folder: Path) -> None:
    """Leave the samples as they were recorded beside the cells, once."""
    _copy_counts(folder / "raw", folder / "raw", lambda name: name.startswith("samples-"))
    collect(folder, tables=["samples"])


def _copy_counts(raw: Path, to: Path, wanted: Callable[[str], bool]) -> None:
    """Copy what each load process says it recorded, as far as it is wanted: by names such as requests-sse-4711."""
    for file in sorted(raw.glob("counts-*.json")):
        counts = json.loads(file.read_text(encoding="utf-8"))
        own = {name: rows for name, rows in counts.items() if wanted(name)}
        (to / file.name).write_text(json.dumps(own), encoding="utf-8")


def main() -> int:
    folder = Path(sys.argv[1])
    problems = dict.fromkeys(problem for cell in make_run(folder) for problem in cell.problems)
    for problem in problems:
        sys.stderr.write(f"error: {folder}: {problem}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
