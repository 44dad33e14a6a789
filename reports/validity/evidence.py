"""A run folder as evidence for a judgement: one row of measures per cell, and what speaks against believing them."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pandas as pd

from loadtests.records.rows import ERRORS
from reports.data.load import Run, load
from reports.measures.measures import latencies, per_cell, summary
from reports.validity.caution import Caution, Facts
from reports.validity.checks import cautions_of

ERROR_COLUMNS: Final = [f"error_{kind}" for kind in ERRORS if kind not in {"", "cut"}]


@dataclass(frozen=True)
class Evidence(Facts):
    """cells have a column also for kinds of error that never came up."""

    @cached_property
    def cautions(self) -> list[Caution]:
        return cautions_of(self)

    @cached_property
    def latency(self) -> pd.DataFrame:
        """The latency of every delivery of the measured windows."""
        return latencies(self.run)

    def row(self, pattern: str, **where: float) -> dict[str, Any]:
        """Return the one row of the summary that this names. Raises KeyError when it was not measured."""
        rows = self.summary[self.summary["pattern"] == pattern]
        for column, value in where.items():
            rows = rows[rows[column] == value]
        if len(rows) != 1:
            raise KeyError(f"{pattern} {where}: {len(rows)} rows")
        return {str(name): value for name, value in rows.iloc[0].items()}

    @property
    def invalid(self) -> tuple[str, ...]:
        """Why this run must not be used for a decision, one line each; empty when it may."""
        return self._lines("invalid", "fail")

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why some of its numbers may be wrong, one line each."""
        return self._lines("suspect")

    def _lines(self, *severities: str) -> tuple[str, ...]:
        return tuple(f"{c.what}: {c.cause} {c.remedy}" for c in self.cautions if c.severity in severities)


def evidence(run_dir: Path, only: Collection[str] | None = None) -> Evidence:
    """Load and measure a run, or only the named cells of it. Raises ReportError, one line, when it cannot be read."""
    return evidence_of(load(run_dir, only))


def evidence_of(run: Run) -> Evidence:
    """The same of a run that is loaded."""
    cells = per_cell(run)
    absent = {name: 0 for name in ERROR_COLUMNS if name not in cells}
    return Evidence(run, cells.assign(**absent), summary(run, cells))
