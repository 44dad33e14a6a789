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


def told(
    folder: Path, page: Path | None, cells: Sequence[Cell], summary: pd.DataFrame, ruling: Ruling | None
) -> Told:
    """Say what a run came to."""
    return Told(
        run=str(folder),
        report=str(page) if page else None,
        cells=[Ended(name=cell.name, status=cell.status, problems=cell.problems) for cell in cells],
        summary=json.loads(summary.to_json(orient="records")),
        answers=list(ruling.answers) if ruling else [],
        verdict=ruling.verdict if ruling else None,
        cautions=list(ruling.cautions) if ruling else [],
    )
