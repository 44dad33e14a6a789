"""Run folders that an arm of an experiment left, read as a report reads them: measures and cautions."""

from collections.abc import Container
from pathlib import Path
from typing import Any

import pandas as pd

from loadtests.experiments.observations import Observation, Points
from reports.validity.caution import Severity
from reports.validity.evidence import Evidence, evidence

CellMeasures = dict[str, Any]


def cell(where: Path) -> tuple[Evidence, CellMeasures]:
    """Return a run of one cell, and its measures by name. Raises ReportError."""
    found = evidence(where)
    return found, rows_of(found.cells)[0]


def rows_of(frame: pd.DataFrame) -> list[CellMeasures]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def observed(figures: CellMeasures, points: Points, *runs: Evidence) -> Observation:
    """Return an observation with what speaks against these runs.

    Cautions are given without this run's own figures, so that the page can count them over the repeats; `pollbench
    report` on a run's folder has them whole.
    """
    return Observation(
        {name: float(value) for name, value in figures.items()},
        points,
        [line for run in runs for line in _cautions(run, {"suspect"})],
        [line for run in runs for line in _cautions(run, {"invalid", "fail"})],
    )


def _cautions(run: Evidence, severities: Container[Severity]) -> list[str]:
    return [caution.what.partition(":")[0] for caution in run.cautions if caution.severity in severities]
