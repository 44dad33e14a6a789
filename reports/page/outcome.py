"""What a run came to, as `run --json` and `compare --json` print it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import pandas as pd

from loadtests.records.manifest import Cell
from reports.validity.caution import Caution, Ruling, Verdict


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that was measured now. problems: one line each, empty when nothing went wrong."""

    name: str
    status: Literal["finished", "failed"]
    problems: list[str]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A goal of --slo and one situation. state: met, missed, not measured, does not apply, and unproven where it is."""

    state: str
    pattern: str
    scenario: str
    goal: str
    measured: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """run, report: the folder and the page, null without a finished cell, as is then the verdict.

    summary: the rows of summary.csv, see the schema of that name.
    """

    run: str
    report: str | None
    cells: list[Ended]
    summary: list[dict[str, str | float | None]]
    answers: list[str] = []
    verdict: Verdict | None = None
    cautions: list[Caution] = []
    goals: list[Held] = []


def told(
    folder: Path,
    page: Path | None,
    cells: Sequence[Cell],
    summary: pd.DataFrame,
    ruling: Ruling | None,
    goals: Sequence[Sequence[str]] = (),
) -> Told:
    """Say what a run came to. goals: rows as `Gate.table` has them."""
    return Told(
        run=str(folder),
        report=str(page) if page else None,
        cells=[Ended(name=cell.name, status=cell.status, problems=cell.problems) for cell in cells],
        summary=json.loads(summary.to_json(orient="records")),
        answers=list(ruling.answers) if ruling else [],
        verdict=ruling.verdict if ruling else None,
        cautions=list(ruling.cautions) if ruling else [],
        goals=[Held(**dict(zip(Held.__struct_fields__, row, strict=False))) for row in goals],
    )
