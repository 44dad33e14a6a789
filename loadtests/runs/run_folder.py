"""Reads run.json and cell.json as what they are: input. Whole, once, only what a run can hold; and writes them whole.

What is read here may name files, be looped over and stand on pages; readers that need more than that ask here.
"""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from loadtests.records.manifest import SESSION, Cell, Run, Setting, Text
from loadtests.records.rows import SCHEMA_VERSION
from loadtests.scenario.plan import Plan, PlannedCell, cell_name
from loadtests.scenario.scenarios import Scenario
from loadtests.scenario.settings import DAY_S
from servers.feed.schedule import parse_schedule
from servers.timing import NS_PER_S

RUNS: Final = Path("runs")
MOST_BYTES: Final = 64 * 2**20
"""Of one of these files; a run of 10,000 cells has 1 MB."""

T = TypeVar("T")


class NotARun(ValueError):
    """A file that is no part of a run: one line that names it, what is wrong, and the remedy."""


class RunRefused(ValueError):
    """A run folder that cannot be used as asked: one line that names it, the reason and the remedy."""


class _Versioned(msgspec.Struct):
    schema: int = 0


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run folder whose run.json has been read and checked.

    run: its scenarios with all their fields. planned: its cells by name; empty for what was driven by hand.
    """

    path: Path
    run: Run
    planned: Mapping[str, PlannedCell]

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Raises NotARun."""
        file = path / "run.json"
        run: Run = decode(file, read(file), Run)
        try:
            scenarios = [_scenario(fields, by_hand=run.kind == SESSION) for fields in run.scenarios]
            planned = {} if run.kind == SESSION else _planned(run, scenarios)
        except (ValueError, RecursionError) as problem:
            raise _not_ours(file, problem) from None
        if len({*run.cells}) < len(run.cells) or not run.cells:
            raise _not_ours(file, "its cells are none, or one is there twice")
        filled = [asdict(scenario) | fields for scenario, fields in zip(scenarios, run.scenarios, strict=True)]
        return cls(path, msgspec.structs.replace(run, scenarios=filled), planned)

    def folder(self, name: str) -> Path:
        """Return the folder of a cell. Raises NotARun where it, or cells/, is a link that leads elsewhere."""
        folder = self.path / "cells" / name
        for each in (folder.parent, folder):
            if each.is_symlink():
                raise NotARun(f"{each}: a link, and a run's files lie in its own folder; put the folder itself there")
        return folder

    def cell(self, name: str) -> Cell | None:
        """Read a cell, None where it was never finished. Raises NotARun."""
        file = self.folder(name) / "cell.json"
        if not os.path.lexists(file):
            return None
        cell: Cell = decode(file, read(file), Cell)
        if differing := [*self._differing(name, cell)]:
            raise _not_ours(file, f"{differing[0]} is not what run.json and the folder's name say")
        return cell if cell.rate_per_s is not None else msgspec.structs.replace(cell, rate_per_s=self._rate(cell))

    def _rate(self, cell: Cell) -> float:
        """The one of its scenario, for a cell from before the rate was a dimension."""
        schedules = {scenario["name"]: str(scenario["schedule"]) for scenario in self.run.scenarios}
        return parse_schedule(schedules[cell.scenario]).rate_per_s

    def _differing(self, name: str, cell: Cell) -> Iterator[str]:
        """Name the fields of a cell that contradict the plan."""
        planned = self.planned.get(name)
        told = planned.settings if planned else {}
        yield from (name for name, value in cell.settings.items() if name in told and told[name] != value)
        yield from (
            field
            for field, expected in (_of(planned) if planned else self._by_hand(cell)).items()
            if getattr(cell, field) != expected and (field, cell.rate_per_s) != ("rate_per_s", None)
        )
        if cell.name != name:
            yield "name"
        if cell.label != self.run.patterns.get(cell.pattern):
            yield "label"
        if cell.status == "finished":
            yield from _windows(cell, planned)

    def _by_hand(self, cell: Cell) -> dict[str, object]:
        """Return what a cell of a test driven by hand must have."""
        clients = {scenario["name"]: scenario["clients"] for scenario in self.run.scenarios}
        counts: Any = clients.get(cell.scenario, [])
        return {
            "name": cell_name(cell.scenario, cell.clients, 0.0, None, cell.pattern, 1),
            "clients": cell.clients if cell.clients in counts else None,
            "repeat": 1,
            "rtt_ms": 0.0,
        }


def _of(planned: PlannedCell) -> dict[str, object]:
    own = {field: getattr(planned, field) for field in ("pattern", "clients", "rtt_ms", "rate_per_s", "repeat")}
    return own | {"scenario": planned.scenario.name}


def _windows(cell: Cell, planned: PlannedCell | None) -> Iterator[str]:
    if not cell.publish_from_ns <= cell.window_from_ns < cell.window_until_ns <= cell.load_ended_ns:
        yield "window_from_ns"
    if planned is None:
        return
    if cell.window_from_ns - cell.publish_from_ns != round(planned.scenario.warmup_s * NS_PER_S):
        yield "window_from_ns"
    if cell.window_until_ns - cell.window_from_ns != round(planned.scenario.window_s * NS_PER_S):
        yield "window_until_ns"


def _scenario(fields: Mapping[str, Any], *, by_hand: bool) -> Scenario:
    """Read a scenario. By hand, a test may take days."""
    told = msgspec.convert(fields, dict[Text, Setting])
    if by_hand:
        told |= {name: min(max(fields[name], 1e-9), DAY_S) for name in ("warmup_s", "window_s", "drain_s")}
    return msgspec.convert(told, Scenario)


def _planned(run: Run, scenarios: list[Scenario]) -> dict[str, PlannedCell]:
    """Return the cells of a plan by name. Raises ValueError when they are not those of run.json."""
    patterns = tuple(run.patterns)
    each = [
        len(scenario.clients) * len(scenario.rtt_ms) * len(scenario.schedules) * len(patterns) * run.repeats
        for scenario in scenarios
    ]
    # Before they are made: a few short lists may be millions of cells.
    if sum(each) == len(run.cells):
        planned = {cell.name: cell for scenario in scenarios for cell in Plan(scenario, patterns, run.repeats).cells()}
        if planned.keys() == {*run.cells}:
            return planned
    raise ValueError("its cells are not the ones its scenario, patterns and repeats give: run.json was edited")


def read(file: Path) -> bytes:
    """Read a file of a run. Raises NotARun."""
    try:
        return regular_bytes(file)
    except OSError as problem:
        raise NotARun(f"{file}: {problem.strerror}. Name a run folder, as `pollbench compare` prints it.") from None


def regular_bytes(file: Path) -> bytes:
    """Read a file that is one, and small enough. Raises OSError."""
    # A pipe would wait for ever for somebody to write into it.
    with os.fdopen(os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as opened:
        about = os.fstat(opened.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "no regular file", str(file))
        if about.st_size > MOST_BYTES:
            raise OSError(errno.EFBIG, f"{about.st_size:,} bytes are more than {MOST_BYTES:,}", str(file))
        return opened.read(MOST_BYTES)


def decode(file: Path, content: bytes, kind: type[T]) -> T:
    """Decode one of the files that carry the schema's version. Raises NotARun."""
    schema = decoded(file, content, _Versioned).schema
    if schema != SCHEMA_VERSION:
        age = "newer than" if schema > SCHEMA_VERSION else "not"
        raise NotARun(
            f"{file}: schema {schema} is {age} the {SCHEMA_VERSION} that this pollbench reads. "
            "Report it with the pollbench that made it, or update this one."
        )
    return decoded(file, content, kind)


def decoded(file: Path, content: bytes, kind: type[T]) -> T:
    """Decode JSON as what it must be. Raises NotARun."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise _not_ours(file, problem) from None


def save(file: Path, content: object) -> None:
    """Write a JSON file in one step: all of it, or nothing. Raises OSError."""
    partial = file.with_suffix(".partial")
    with partial.open("wb") as written:
        written.write(msgspec.json.format(msgspec.json.encode(content), indent=2))
        written.flush()
        os.fsync(written.fileno())
    partial.replace(file)


def new_folder(*words: str, runs: Path = RUNS) -> Path:
    """Name a folder that no other run has, such as runs/2026-11-24T07-30-00-compare-feed."""
    name = "-".join([f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}", *words])
    more = (f"-{number}" for number in count(2))
    return next(folder for end in chain([""], more) if not (folder := runs / f"{name}{end}").exists())


def newest(runs: Path) -> Path:
    """Return the run folder under `runs` that was started last, of those that can be read. Raises NotARun."""
    started: list[tuple[str, Path]] = []
    for file in runs.glob("*/run.json"):
        with suppress(NotARun):
            started.append((RunFolder.open(file.parent).run.started_at, file.parent))
    if not started:
        raise NotARun(f"there is no run in {runs}/ yet; make one with `pollbench compare`, or name its folder")
    return max(started)[1]


def _not_ours(file: Path, problem: object) -> NotARun:
    reason = " ".join(str(problem).split())[:300]
    return NotARun(f"{file}: not what pollbench wrote ({reason}). Restore the file, or measure again.")
