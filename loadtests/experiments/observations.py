"""Observations of experiments, as plain rows in files that can be judged without measuring anything.

FOLDER/
    experiment.json        what was asked, of which machine; written first
    observations.jsonl     one line an observation, in the order in which they were made
    observations/on-3/     what the third run of the arm `on` left: logs, or a run folder of its own
"""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from loadtests.records.manifest import Machine, Name, Repeats, Text
from loadtests.runs.run_folder import NotARun, RunRefused, decoded, regular_bytes

SETUP: Final = "experiment.json"
OBSERVATIONS: Final = "observations.jsonl"

Points = list[dict[str, float | str]]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Observation:
    """One run of one arm. figures: name, with its unit, -> value; NaN for what this machine does not tell.

    points: tidy rows for the chart, which gets them with the columns arm and repeat.
    doubts: what speaks against believing this run, one line each; the page shows them. invalid: why this run must not
    be used for a decision, one line each; then its figures are left out.
    """

    figures: dict[str, float]
    points: Points = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)


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
    """One line of observations.jsonl: an Observation. A figure that is not known is null there."""

    arm: Name
    repeat: Repeats
    took_s: float
    figures: dict[Text, float | None]
    points: list[dict[Text, float | Text | None]]
    doubts: list[Text]
    invalid: list[Text] = []

    def known(self) -> dict[str, float]:
        return {name: nan if value is None else value for name, value in self.figures.items()}


def read_setup(folder: Path) -> Setup:
    """Raises RunRefused."""
    file = folder / SETUP
    return _decoded(file, _bytes(file), Setup)


def read_observations(folder: Path, arms: Collection[str]) -> list[Observed]:
    """Return what was saved. A last line that a crash cut off is left out.

    Raises RunRefused, also when an observation is of none of the `arms`.
    """
    file = folder / OBSERVATIONS
    *whole, _torn = _bytes(file).split(b"\n") if file.exists() else [b""]
    found = [_decoded(file, line, Observed) for line in whole]
    if unknown := {each.arm for each in found} - {*arms}:
        raise RunRefused(f"{file}: this experiment has no arm {min(unknown)}: start a new one")
    return found


def _bytes(file: Path) -> bytes:
    try:
        return regular_bytes(file)
    except OSError as problem:
        raise RunRefused(f"{file}: {problem.strerror}; name a folder that `pollbench experiment` made") from None


def _decoded(file: Path, content: bytes, kind: type[T]) -> T:
    try:
        return decoded(file, content, kind)
    except NotARun as problem:
        raise RunRefused(str(problem)) from None


def add(folder: Path, arm: str, repeat: int, took_s: float, observation: Observation) -> None:
    """Save one observation, and return when it is on disk. Raises OSError."""
    record = {
        "arm": arm,
        "repeat": repeat,
        "took_s": took_s,
        "figures": _known(observation.figures),
        "points": [_known(point) for point in observation.points],
        "doubts": observation.doubts,
        "invalid": observation.invalid,
    }
    with (folder / OBSERVATIONS).open("ab") as written:
        written.write(json.dumps(record, allow_nan=False).encode("ascii") + b"\n")
        written.flush()
        os.fsync(written.fileno())


def _known(values: Mapping[str, float | str]) -> dict[str, float | str | None]:
    """Return plain numbers, text as it is, and None for what JSON has no word for."""
    return {
        name: value if isinstance(value, str) else float(value) if isfinite(value) else None
        for name, value in values.items()
    }


def drop_torn_line(folder: Path) -> None:
    """Cut off the beginning of a line that a crash has left. Raises OSError."""
    file = folder / OBSERVATIONS
    if file.exists():
        with file.open("r+b") as written:
            written.truncate(file.read_bytes().rfind(b"\n") + 1)
