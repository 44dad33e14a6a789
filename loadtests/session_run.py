"""`python -m loadtests.session_run DIR`: makes a run, as `pollbench report` reads it, of a test driven by hand.

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

from loadtests import facts
from loadtests.collect import collect
from loadtests.manifest import SESSION, Cell, Run
from loadtests.manifest import Session as Facts
from loadtests.options import FLAGS
from loadtests.plan import cell_name
from loadtests.recorder import DTYPES
from loadtests.runner import save
from loadtests.scenario import Scenario
from loadtests.seal import sealed
from servers.schedule import parse_schedule

DRAIN_S: Final = 0.5
"""Beside a poll interval, as in loadtests/scenario.py."""
UNKNOWN: Final = -1


def make_run(folder: Path) -> list[Cell]:
    """Write cells/ and run.json from session.json, published.csv and raw/; return the cells. Raises OSError."""
    session = msgspec.json.decode((folder / "session.json").read_bytes(), type=Facts)
    users = {pattern: clients for pattern, clients in sorted(session.users.items()) if clients}
    cells = [_cell(session, pattern, clients, _scenario_name(users, clients)) for pattern, clients in users.items()]
    save(folder / "run.json", _run(session, cells))
    for cell in cells:
        cell_folder = folder / "cells" / cell.name
        _give_rows(folder, cell_folder, cell.pattern, alone=len(users) == 1)
        shutil.copy(folder / "published.csv", cell_folder)
        collected = collect(cell_folder)
        problems = [*cell.problems, *collected.problems]
        status = "failed" if problems else "finished"
        cell = msgspec.structs.replace(cell, status=status, problems=problems, rows=collected.rows)
        save(cell_folder / "cell.json", sealed(cell_folder, cell))
    _keep_samples(folder)
    return cells


def _run(session: Facts, cells: list[Cell]) -> Run:
    return Run(
        command=shlex.join(session.command),
        started_at=session.started_at,
        kind=SESSION,
        scenarios=[_scenario(session, name, clients) for name, clients in _scenarios(cells).items()],
        patterns={cell.pattern: cell.label for cell in cells},
        repeats=1,
        cells=[cell.name for cell in cells],
        machine=facts.machine(),
        versions=facts.versions(),
        commit=facts.commit(),
    )


def _scenarios(cells: list[Cell]) -> dict[str, int]:
    return {cell.scenario: cell.clients for cell in cells}


def _scenario_name(users: dict[str, int], clients: int) -> str:
    """Patterns with unequal numbers of users are not comparable, so they are not of one scenario."""
    return SESSION if len(set(users.values())) == 1 else f"{SESSION}-of-{clients}"


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
        "hold_timeout_s": session.hold_timeout_s,
        "silence_timeout_s": session.silence_timeout_s,
        **{flag: getattr(session, flag) for flag in FLAGS},
        "warmup_s": (session.window_from_ns - session.spawned_by_ns) / 1e9,
        "window_s": (_window_until_ns(session) - session.window_from_ns) / 1e9,
        "drain_s": _drain_s(session),
        "rtt_ms": [0.0],
    }


def _drain_s(session: Facts) -> float:
    return session.poll_interval_s + DRAIN_S


def _window_until_ns(session: Facts) -> int:
    return session.ended_ns - round(_drain_s(session) * 1e9)


def _cell(session: Facts, pattern: str, clients: int, scenario: str) -> Cell:
    window_until_ns = _window_until_ns(session)
    problems = list(session.problems)
    if not problems and window_until_ns <= session.window_from_ns:
        problems.append(
            f"it ended too soon to be measured: it must run {_drain_s(session):g} s longer than it takes all users to "
            "start, or than the last reset"
        )
    return Cell(
        name=cell_name(scenario, clients, 0.0, None, pattern, 1),
        pattern=pattern,
        label=session.labels.get(pattern, pattern),
        scenario=scenario,
        clients=clients,
        rtt_ms=0.0,
        rate_per_s=parse_schedule(session.schedule).rate_per_s,
        repeat=1,
        status="failed",
        problems=problems,
        server_pid=session.server_pid,
        server_command=[],
        load_command=session.command,
        load_exit_code=0,
        spawned_by_ns=session.spawned_by_ns,
        publish_from_ns=session.publish_from_ns,
        window_from_ns=session.window_from_ns,
        window_until_ns=window_until_ns,
        load_ended_ns=session.ended_ns,
        published=session.published,
        rows={},
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
