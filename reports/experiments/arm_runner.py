"""Runs an experiment's arms in turns, A B A B, and saves every observation as it comes: none is ever measured twice.

FOLDER/
    experiment.json        what was asked, of which machine; written first
    observations.jsonl     one line an observation, in the order in which they were made
    observations/on-3/     what the third run of the arm `on` left: logs, or a run folder of its own
"""

import json
import os
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from pathlib import Path
from shutil import rmtree
from typing import Final, Protocol

import msgspec

from loadtests.host import environment
from loadtests.records.manifest import Machine, Name, Repeats, Text
from loadtests.runs import runner
from loadtests.runs.run_folder import NotARun, decoded, regular_bytes, save
from loadtests.runs.runner import RunRefused
from reports import experiments
from reports.experiments import Experiment, Observation
from servers.timing.clock import now_ns, wall_timestamp

SETUP: Final = "experiment.json"
OBSERVATIONS: Final = "observations.jsonl"
REPEATS, QUICK_REPEATS = 5, 2


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """experiment.json: what was asked. quick: shorter runs, for CI. repeats: of each arm; more can be added later."""

    name: Name
    quick: bool
    repeats: Repeats
    started_at: Text
    machine: Machine
    versions: dict[Text, Text]
    commit: Text


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """One line of observations.jsonl. A figure that is not known is null there."""

    arm: Name
    repeat: Repeats
    took_s: float
    figures: dict[Text, float | None]
    points: list[dict[Text, float | Text | None]]
    doubts: list[Text]
    invalid: list[Text] = []

    def known(self) -> dict[str, float]:
        return {name: nan if value is None else value for name, value in self.figures.items()}


class Watcher(Protocol):
    """Whoever shows how far it is."""

    def starts(self, name: str) -> None: ...
    def ended(self, problem: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class Job:
    """One experiment and the folder that its observations go to."""

    name: str
    experiment: Experiment
    folder: Path
    setup: Setup

    def lacking(self) -> list[tuple[str, int]]:
        """Return (arm, repeat) of every observation still to be made, arms in turns, repeats counted from 1."""
        made = {(each.arm, each.repeat) for each in self.observed()}
        repeats = range(1, self.setup.repeats + 1)
        return [(arm, repeat) for repeat in repeats for arm in self.experiment.ARMS if (arm, repeat) not in made]

    @property
    def comparable(self) -> bool:
        """Whether every arm was observed at least once."""
        return set(self.experiment.ARMS) <= {each.arm for each in self.observed()}

    def observed(self) -> list[Observed]:
        """Return what was saved. Raises RunRefused, also for what this experiment does not observe."""
        found = read_observations(self.folder)
        if strange := {each.arm for each in found} - set(self.experiment.ARMS):
            raise RunRefused(f"{self.folder / OBSERVATIONS}: {self.name} has no arm {min(strange)}: start anew")
        return found


@dataclass(slots=True)
class Outcome:
    """What observing came to. failed: one line for each run of an arm that raised; halted: why it stopped early."""

    failed: list[str] = field(default_factory=list)
    interrupted: bool = False
    halted: str = ""


def enter(
    name: str, experiment: Experiment, folder: Path, *, quick: bool, repeats: int | None, resume: Path | None = None
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
    return Job(name, experiment, folder, setup)


def _begin(folder: Path, name: str, quick: bool, repeats: int) -> Setup:
    runner.make_folder(folder, "go on there")
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
    setup = _read_setup(folder)
    now = runner.identity(environment.machine(), _versions(name))
    then = runner.identity(setup.machine, setup.versions)
    runner.check_same(folder, {"experiment": setup.name} | then, {"experiment": name} | now)
    return setup


def _versions(name: str) -> dict[str, str]:
    """What measures: as a run has it, and the experiment's own source."""
    return environment.versions() | {"experiment": experiments.digest(name)}


def _read_setup(folder: Path) -> Setup:
    file = folder / SETUP
    try:
        return decoded(file, regular_bytes(file), Setup)
    except OSError as problem:
        raise RunRefused(f"{file}: {problem.strerror}; name a folder that `pollbench experiment` made") from None
    except NotARun as problem:
        raise RunRefused(str(problem)) from None


def read_observations(folder: Path) -> list[Observed]:
    """Return what was saved. A last line that a crash cut off was never an observation. Raises RunRefused."""
    file = folder / OBSERVATIONS
    if not file.exists():
        return []
    try:
        *whole, _torn = regular_bytes(file).split(b"\n")
        return [decoded(file, line, Observed) for line in whole]
    except OSError as problem:
        raise RunRefused(f"{file}: {problem.strerror}; name a folder that `pollbench experiment` made") from None
    except NotARun as problem:
        raise RunRefused(str(problem)) from None


def figures_of(observations: Iterable[Observed]) -> Mapping[tuple[str, int], Mapping[str, float]]:
    """Return the figures that count: those of a run from which nothing may be decided are left out."""
    return {(each.arm, each.repeat): each.known() for each in observations if not each.invalid}


def observe(jobs: Iterable[Job], watcher: Watcher) -> Outcome:
    """Make what these experiments lack, one experiment after the other. Ctrl-C and a full disk end it early."""
    outcome = Outcome()
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


def _observe(job: Job, watcher: Watcher, outcome: Outcome) -> None:
    """Make the observations that a folder lacks. One that fails is noted and left out. Raises OSError."""
    saved = job.folder / OBSERVATIONS
    _drop_torn_line(saved)
    for arm, repeat in job.lacking():
        watcher.starts(f"{job.name} {arm}-{repeat}")
        where = job.folder / "observations" / f"{arm}-{repeat}"
        rmtree(where, ignore_errors=True)
        where.mkdir(parents=True)
        from_ns = now_ns()
        try:
            observation = job.experiment.measure(arm, where, quick=job.setup.quick)
        except Exception as problem:  # noqa: BLE001  (whatever it is, the other observations are still good)
            (where / "problem.txt").write_text(traceback.format_exc(), encoding="utf-8")
            reason = " ".join(str(problem).split()) or type(problem).__name__
            outcome.failed.append(f"{job.name} {arm}-{repeat}: {reason}")
            watcher.ended(reason)
            continue
        _append(saved, _line(arm, repeat, (now_ns() - from_ns) / 1e9, observation))
        watcher.ended()


def _line(arm: str, repeat: int, took_s: float, observation: Observation) -> bytes:
    record = {
        "arm": arm,
        "repeat": repeat,
        "took_s": took_s,
        "figures": {name: _known(value) for name, value in observation.figures.items()},
        "points": [{name: _known(value) for name, value in point.items()} for point in observation.points],
        "doubts": observation.doubts,
        "invalid": observation.invalid,
    }
    return json.dumps(record, allow_nan=False).encode("ascii") + b"\n"


def _known(value: float | str) -> float | str | None:
    """Return a plain number, text as it is, and None for what JSON has no word for."""
    if isinstance(value, str):
        return value
    return float(value) if isfinite(value) else None


def _append(file: Path, line: bytes) -> None:
    with file.open("ab") as written:
        written.write(line)
        written.flush()
        os.fsync(written.fileno())


def _drop_torn_line(file: Path) -> None:
    if file.exists():
        with file.open("r+b") as written:
            written.truncate(file.read_bytes().rfind(b"\n") + 1)
