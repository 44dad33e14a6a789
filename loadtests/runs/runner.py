"""Runs a plan, cell by cell, and saves after each: what is finished stays finished, whatever happens next.

run.json is written before the first cell, cell.json as the last file of its cell, each in one step, so that no half
of either can ever be read. A cell without cell.json did not finish; resuming measures it again from the start.
"""

import errno
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from loadtests.host import environment, machine_limits, netem
from loadtests.records.manifest import Cell, Machine
from loadtests.runs.commands import OURS, Programs
from loadtests.runs.hosts.endings import INCOMPLETE, INTERRUPTED, HostsMissing
from loadtests.runs.run_folder import RUNS, NotARun, RunFolder, RunRefused, save
from loadtests.runs.signals import Interrupt
from loadtests.scenario.plan import Plan, PlannedCell, command_line, differences, plan_of, remaining
from loadtests.scenario.settings import NETEM, OPTIONS, RELAY
from servers.timing.clock import wall_timestamp

if TYPE_CHECKING:
    from loadtests.runs.hosts.crewing import LoadHosts


class NoRoom(RunRefused):
    """This machine cannot hold what a cell needs."""


class Watcher(Protocol):
    """Shows the progress of a run."""

    def starts(self, planned: PlannedCell) -> None: ...
    def tick(self) -> None: ...
    def ended(self, cell: Cell) -> None: ...


@dataclass(slots=True)
class Outcome:
    """How a run ended. cells: those measured now, in order. halted: why it stopped early, "" if it did not."""

    cells: list[Cell] = field(default_factory=list)
    interrupted: bool = False
    halted: str = ""

    @property
    def failed(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.status == "failed"]


def begin(folder: Path, plan: Plan, labels: Mapping[str, str], kind: str) -> None:
    """Make the run folder and its run.json.

    Raises RunRefused when there is something in it already, or when this machine cannot hold so many clients or has no
    such network.
    """
    from loadtests.runs.keeping import described

    _check_network(plan)
    machine = environment.machine()
    check_room(plan, machine)
    make_folder(folder, "continue that run")
    run = described(
        kind=kind,
        command=command_line(kind, plan),
        started_at=wall_timestamp(),
        scenarios=[plan.scenario],
        labels={name: labels[name] for name in plan.patterns},
        repeats=plan.repeats,
        cells=[cell.name for cell in plan.cells()],
        runs=RUNS,
    )
    save(folder / "run.json", run)


def make_folder(folder: Path, otherwise: str) -> None:
    """Make a folder for what is to be measured. otherwise: what can be done with --resume, where there is something.

    Raises RunRefused.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        used = any(folder.iterdir())
    except OSError as problem:
        raise RunRefused(f"--out {folder}: {problem.strerror}; name a folder that can be written") from None
    if used:
        raise RunRefused(f"--out {folder} is not empty; name a new folder, or {otherwise} with --resume {folder}")


def reopen(folder: Path) -> Plan:
    """Read the plan of a run that is to be continued. Raises RunRefused."""
    try:
        return plan_of(RunFolder.open(folder).run)
    except NotARun as problem:
        raise RunRefused(str(problem)) from None
    except ValueError as problem:
        raise RunRefused(f"--resume {folder}: {problem}") from None


def check_resumable(folder: Path, asked: Plan) -> None:
    """Raise RunRefused when cells measured here and now, as asked, could not stand beside those of the run."""
    if different := differences(asked, reopen(folder)):
        raise RunRefused(
            f"--resume {folder} keeps to its own plan, but you ask for {'; '.join(different)}: "
            "drop those options, or start a new run"
        )
    run = RunFolder.open(folder).run
    if len(finished_cells(folder, run.cells)) == len(run.cells):
        return
    _check_network(asked)
    here = environment.machine()
    check_room(asked, here)
    check_same(folder, identity(run.machine, run.versions), identity(here, environment.versions()))


def identity(machine: Machine, versions: Mapping[str, str]) -> dict[str, str]:
    """Return what has to be the same for two cells to be comparable."""
    what = {f"{name} version": version for name, version in versions.items()}
    return {"machine": f"{machine.cpu}, {machine.cores} cores"} | what


def check_same(folder: Path, then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise RunRefused when what is measured now could not stand beside what a folder has."""
    for what, old in then.items():
        if old != (new := now.get(what, "")):
            raise RunRefused(
                f"--resume {folder}: its {what} was {old or 'unknown'}, here it is {new or 'unknown'}; "
                "figures of both would not be comparable: start a new run"
            )


def _check_network(plan: Plan) -> None:
    if plan.scenario.network == NETEM and (reason := netem.unavailable()):
        raise RunRefused(f"--network {NETEM}: {reason}; use --network {RELAY}")


def check_room(plan: Plan, machine: Machine) -> None:
    """Raise NoRoom when a cell of the plan needs more open files or ports than the machine has."""
    if plan.scenario.workers and not any(plan.scenario.rtt_ms):
        machine = msgspec.structs.replace(machine, ports=machine_limits.UNKNOWN)  # no client connects from here
    clients, servers, loads = max(plan.scenario.clients), plan.scenario.server_processes, plan.scenario.loads
    if lacking := machine_limits.lacking(clients, any(plan.scenario.rtt_ms), machine, servers, loads):
        raise NoRoom(lacking)


def finished_cells(folder: Path, names: Collection[str]) -> dict[str, Cell]:
    """Return the finished cells of a run by name. A cell.json that cannot be read counts as not finished."""
    found: dict[str, Cell] = {}
    try:
        opened = RunFolder.open(folder)
    except NotARun:
        return found
    for name in names:
        with suppress(NotARun):
            cell = opened.cell(name)
            if cell is not None and cell.status == "finished":
                found[name] = cell
    return found


def lacking(folder: Path, plan: Plan) -> list[PlannedCell]:
    """Return the cells of a plan that its run folder does not have yet, in the plan's order."""
    return remaining(plan, finished_cells(folder, [cell.name for cell in plan.cells()]))


def taken_up(folder: Path, plan: Plan, labels: Mapping[str, str], kind: str) -> list[PlannedCell]:
    """Begin a run, or go on with it where it has begun; return the cells it lacks. Raises RunRefused."""
    if (folder / "run.json").is_file():
        check_resumable(folder, plan)
    else:
        begin(folder, plan, labels, kind)
    return lacking(folder, plan)


def run_cells(
    folder: Path,
    cells: Sequence[PlannedCell],
    labels: Mapping[str, str],
    watcher: Watcher,
    programs: Programs = OURS,
    hosts: "LoadHosts | None" = None,
) -> Outcome:
    """Measure these cells into the run folder. Ctrl-C and a full disk end it early; what is finished is kept.

    hosts: those that drive the clients of cells with `workers`. Raises RunRefused where there are such and no hosts.
    """
    outcome = Outcome()
    if hosts is None and any(planned.scenario.workers for planned in cells):
        raise RunRefused(f"{OPTIONS['workers']}: load hosts are there for pollbench run and compare only; leave it out")
    try:
        with Interrupt() as interrupt:
            for planned in cells:
                interrupt.check()
                if hosts is not None:
                    hosts.gather(planned.scenario.workers, interrupt.check)
                outcome.cells.append(_run_cell(folder, planned, labels, watcher, programs, interrupt, hosts))
    except KeyboardInterrupt:
        outcome.interrupted = True
    except HostsMissing as problem:
        outcome.halted = str(problem)
    except OSError as problem:
        reason = os.strerror(problem.errno) if problem.errno else str(problem)
        outcome.halted = f"cannot write {problem.filename or folder}: {reason}"
    if hosts is not None:
        code = INTERRUPTED if outcome.interrupted else INCOMPLETE if outcome.halted else 0
        hosts.dismiss(code, outcome.halted or "it was interrupted")
    return outcome


def _run_cell(
    folder: Path,
    planned: PlannedCell,
    labels: Mapping[str, str],
    watcher: Watcher,
    programs: Programs,
    interrupt: Interrupt,
    hosts: "LoadHosts | None",
) -> Cell:
    # With these come numpy and pyarrow, which no command needs that does not measure.
    from loadtests.runs.cell import Attempt, measure
    from loadtests.runs.foreign.cell import ForeignAttempt
    from loadtests.runs.keeping import keep

    def tick() -> None:
        interrupt.check()
        watcher.tick()

    watcher.starts(planned)
    cell_folder = _own(folder, planned.name)
    shutil.rmtree(cell_folder, ignore_errors=True)
    cell_folder.mkdir(parents=True)
    kind = ForeignAttempt if planned.scenario.adapter else Attempt
    cell = keep(cell_folder, measure(kind(planned, labels[planned.pattern], cell_folder, programs, tick, hosts)))
    watcher.ended(cell)
    return cell


def _own(folder: Path, name: str) -> Path:
    """Return a cell's folder, which is going to be emptied. Raises OSError where it would not be the run's own."""
    cell_folder = folder / "cells" / name
    if not cell_folder.resolve().is_relative_to(folder.resolve()):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(cell_folder))
    return cell_folder
