"""Runs an experiment's arms in turns, A B A B, and saves every observation as it comes: none is ever measured twice."""

import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Protocol

import msgspec

from loadtests import experiments
from loadtests.experiments import Practice
from loadtests.experiments.observations import (
    SETUP,
    Observation,
    Observed,
    Setup,
    add,
    drop_torn_line,
    read_observations,
    read_setup,
)
from loadtests.host import environment
from loadtests.host.external import NotInstalled, find_program
from loadtests.runs import runner
from loadtests.runs.run_folder import RunRefused, save
from servers.timing.clock import now_ns, wall_timestamp

REPEATS, QUICK_REPEATS = 5, 2


class ArmsWatcher(Protocol):
    """Shows the progress."""

    def starts(self, name: str) -> None: ...
    def ended(self, problem: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class Job:
    """One experiment and the folder that its observations go to.

    read: turns the run folders that a run of an arm left into an observation, for a practice that leaves any.
    """

    name: str
    practice: Practice
    folder: Path
    setup: Setup
    read: Callable[[Path], Observation] | None = None

    def lacking(self) -> list[tuple[str, int]]:
        """Return (arm, repeat) of every observation still to be made, arms in turns, repeats counted from 1."""
        made = {(each.arm, each.repeat) for each in self.observed()}
        repeats = range(1, self.setup.repeats + 1)
        return [(arm, repeat) for repeat in repeats for arm in self.practice.ARMS if (arm, repeat) not in made]

    @property
    def comparable(self) -> bool:
        """Whether every arm was observed at least once."""
        return {*self.practice.ARMS} <= {each.arm for each in self.observed()}

    def observed(self) -> list[Observed]:
        """Return what was saved. Raises RunRefused."""
        return read_observations(self.folder, self.practice.ARMS)

    def observe(self, arm: str, where: Path) -> Observation:
        """Run an arm once. Raises whatever goes wrong."""
        observation = self.practice.measure(arm, where, quick=self.setup.quick)
        if observation is None:
            assert self.read is not None, f"{self.name} leaves run folders, and nothing reads them"
            return self.read(where)
        return observation


@dataclass(slots=True)
class ArmsOutcome:
    """How observing ended. failed: one line for each run of an arm that raised; halted: why it stopped early."""

    failed: list[str] = field(default_factory=list)
    interrupted: bool = False
    halted: str = ""


def missing_program(practice: Practice) -> str:
    """Say which program this machine lacks for an experiment and how to get it, one line; "" for none."""
    needed: Mapping[str, str] = getattr(practice, "PROGRAMS", {})
    try:
        for program, package in needed.items():
            find_program(program, package)
    except NotInstalled as missing:
        return str(missing)
    return ""


def enter(
    name: str,
    practice: Practice,
    folder: Path,
    *,
    quick: bool,
    repeats: int | None,
    resume: Path | None = None,
    read: Callable[[Path], Observation] | None = None,
) -> Job:
    """Make the folder of an experiment; or, where `resume` is that folder or holds it, go on there.

    repeats: None for as many as usual, or as were asked for at first. Raises RunRefused.
    """
    if resume is not None and not resume.is_dir():
        raise RunRefused(f"--resume {resume}: no such folder; name one that `pollbench experiment` made")
    if folder == resume or (resume is not None and (folder / SETUP).exists()):
        setup = _reopen(folder, name)
        if repeats is not None:
            setup = msgspec.structs.replace(setup, repeats=repeats)
    else:
        setup = _begin(folder, name, quick, repeats or (QUICK_REPEATS if quick else REPEATS))
    return Job(name, practice, folder, setup, read)


def _begin(folder: Path, name: str, quick: bool, repeats: int) -> Setup:
    runner.make_folder(folder, "continue there")
    setup = Setup(
        name=name,
        quick=quick,
        repeats=repeats,
        started_at=wall_timestamp(),
        machine=environment.machine(),
        versions=_versions(name),
        commit=environment.commit(),
    )
    save(folder / SETUP, setup)
    return setup


def _reopen(folder: Path, name: str) -> Setup:
    """Read what was asked; refuse it when runs made here and now could not stand beside those of the folder."""
    setup = read_setup(folder)
    now = runner.identity(environment.machine(), _versions(name))
    then = runner.identity(setup.machine, setup.versions)
    runner.check_same(folder, {"experiment": setup.name} | then, {"experiment": name} | now)
    return setup


def _versions(name: str) -> dict[str, str]:
    """What measures: as a run has it, and the experiment's own source."""
    return environment.versions() | {"experiment": experiments.digest(name)}


def observe(jobs: Iterable[Job], watcher: ArmsWatcher) -> ArmsOutcome:
    """Make what these experiments lack, one experiment after the other. Ctrl-C and a full disk end it early."""
    outcome = ArmsOutcome()
    for job in jobs:
        try:
            _observe(job, watcher, outcome)
        except KeyboardInterrupt:
            outcome.interrupted = True
        except OSError as problem:
            outcome.halted = f"cannot write {problem.filename or job.folder}: {problem.strerror or problem}"
        if outcome.interrupted or outcome.halted:
            break
    return outcome


def _observe(job: Job, watcher: ArmsWatcher, outcome: ArmsOutcome) -> None:
    """Make the observations that a folder lacks. One that fails is noted and left out. Raises OSError."""
    drop_torn_line(job.folder)
    for arm, repeat in job.lacking():
        watcher.starts(f"{job.name} {arm}-{repeat}")
        where = job.folder / "observations" / f"{arm}-{repeat}"
        rmtree(where, ignore_errors=True)
        where.mkdir(parents=True)
        from_ns = now_ns()
        try:
            observation = job.observe(arm, where)
        except Exception as problem:  # noqa: BLE001  (whatever it is, the other observations are still good)
            (where / "problem.txt").write_text(traceback.format_exc(), encoding="utf-8")
            reason = " ".join(str(problem).split()) or type(problem).__name__
            outcome.failed.append(f"{job.name} {arm}-{repeat}: {reason}")
            watcher.ended(reason)
            continue
        add(job.folder, arm, repeat, (now_ns() - from_ns) / 1e9, observation)
        watcher.ended()
