"""Run folders that an arm of an experiment left, read as a report reads them: measures and cautions."""

from collections.abc import Callable, Container, Iterable, Mapping
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


def read_cases(
    where: Path, cases: Iterable[str], figures_of: Callable[[Evidence, CellMeasures], Mapping[str, float]]
) -> Observation:
    """Return the figures of each case that was measured, as CASE_FIGURE, and how many messages all of them missed.

    where: with a run folder for each case; a quick run has only some. figures_of: those of a run, by name.
    """
    figures, points, runs = {"missed": 0.0}, Points(), []
    for case in cases:
        if (where / case).is_dir():
            run, row = cell(where / case)
            own = figures_of(run, row)
            figures |= {f"{case}_{name}": value for name, value in own.items()}
            figures["missed"] += row["missed"]
            points.append({"case": case, **own})
            runs.append(run)
    return observed(figures, points, *runs)


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
