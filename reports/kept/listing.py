"""The runs of a folder, a line each: what was measured, what it is worth, what came of it, how large it is.

What the report of a run said is quoted (verdict.json, summary.csv, or what a search or an experiment left), and nothing
is worked out again: hundreds are listed at once. What cannot be read is listed too, with the reason.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import pandas as pd

from loadtests.records.manifest import SESSION, Run
from loadtests.runs.run_folder import NotARun, RunFolder, decoded, read
from loadtests.scenario.plan import plan_of
from reports.basics.units import counted, quantity
from reports.measures.ranking import furthest, ranking
from reports.validity.caution import NO_ANSWER, VERDICT_FILE, Ruling

NOT_REPORTED: Final = "not reported"
UNREADABLE: Final = "unreadable"
LEFT: Final = ("capacity.json", "results.json")
"""What a search and an experiment leave in their folders."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A run, or a folder with several. what: kind, question and size. cells: how many finished, of how many; of a
    folder, how many runs. verdict: as its report has it, or NOT_REPORTED, or UNREADABLE. headline: the figure, or the
    sentence, that it comes to. problem: why it cannot be read, "" where it can.
    """

    folder: Path
    started_at: str
    what: str
    cells: str
    verdict: str
    headline: str
    size_bytes: int
    problem: str = ""


class _Told(msgspec.Struct):
    """What a search (capacity.json) or an experiment (results.json) left: its sentence, and what that is worth."""

    started_at: str = ""
    answer: str = ""
    verdict: str = ""
    worth: str = ""


def listing(runs: Path) -> list[Kept]:
    """Return what lies in a folder of runs, the newest last; nothing where there is no such folder."""
    folders = [each for each in runs.iterdir() if each.is_dir()] if runs.is_dir() else []
    found = (kept for each in folders if (kept := _kept(each)))
    return sorted(found, key=lambda kept: (kept.started_at, kept.folder.name))


def _kept(folder: Path) -> Kept | None:
    """Return None for a folder that has nothing to do with runs."""
    if os.path.lexists(folder / "run.json"):
        return _run(folder)
    within = sorted(file.parent for file in [*folder.glob("*/run.json"), *folder.glob("*/*/run.json")])
    left = [file for name in LEFT if (file := folder / name).exists()]
    return _series(folder, within, left) if within or left else None


def _run(folder: Path) -> Kept:
    size_bytes = _size_bytes(folder)
    try:
        opened = RunFolder.open(folder)
    except NotARun as problem:
        return Kept(folder, "", "", "", UNREADABLE, "", size_bytes, str(problem))
    run, finished, problems = opened.run, 0, list[str]()
    for name in run.cells:
        try:
            cell = opened.cell(name)
            finished += cell is not None and cell.status == "finished"
        except NotARun as problem:
            problems.append(str(problem))
    try:
        verdict, headline = _reported(folder)
    except NotARun as problem:
        problems.append(str(problem))
    if problems:
        verdict, headline = UNREADABLE, ""
    cells = f"{finished} of {len(run.cells)}"
    return Kept(folder, run.started_at, _what(run), cells, verdict, headline, size_bytes, "; ".join(problems))


def _what(run: Run) -> str:
    if run.kind == SESSION:
        return f"by hand: {counted(len(run.patterns), 'pattern')}"
    try:
        return f"{run.kind} {plan_of(run)}"
    except ValueError:  # several scenarios, which none of today's commands makes
        return f"{run.kind} {', '.join(str(each['name']) for each in run.scenarios)}"


def _reported(folder: Path) -> tuple[str, str]:
    """Return the verdict and the headline figure that the report has. Raises NotARun where it was damaged."""
    file = folder / VERDICT_FILE
    if not file.exists():
        return NOT_REPORTED, ""
    ruling = decoded(file, read(file), Ruling)
    return ruling.verdict, NO_ANSWER if ruling.worthless else _fastest(folder / "summary.csv")


def _fastest(file: Path) -> str:
    """Say who is first by the median, and what that is. Raises NotARun."""
    try:
        rows = pd.read_csv(file)
        first, _ = ranking(furthest(rows), "p50_ms")
        return f"{first[0]['label']}: p50 {quantity(first[0]['p50_ms'], 'ms')}" if first else "nothing delivered"
    except (OSError, ValueError, KeyError) as problem:
        reason = " ".join(str(problem).split())
        raise NotARun(f"{file}: cannot be read ({reason}). Make it again: pollbench report {file.parent}") from None


def _series(folder: Path, within: Sequence[Path], left: Sequence[Path]) -> Kept:
    opened, problems, told = list[Run](), list[str](), _Told()
    for each in within:
        try:
            opened.append(RunFolder.open(each).run)
        except NotARun as problem:
            problems.append(str(problem))
    for file in left:
        try:
            told = decoded(file, read(file), _Told)
        except NotARun as problem:
            problems.append(str(problem))
    return Kept(
        folder,
        min((run.started_at for run in opened), default=told.started_at),
        next((run.kind for run in opened), "experiment"),
        counted(len(within), "run") if within else "",
        UNREADABLE if problems else told.worth,
        told.answer or told.verdict,
        _size_bytes(folder),
        "; ".join(problems),
    )


def _size_bytes(folder: Path) -> int:
    """Add up the files; what a link leads to is not the folder's."""
    return sum((Path(where) / name).lstat().st_size for where, _, names in os.walk(folder) for name in names)
