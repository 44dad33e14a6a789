"""PURE. A situation is what repeats repeat: one pattern under one scenario, at one value of each dimension."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
import pandas as pd

from loadtests.records import manifest
from loadtests.scenario.dimensions import COLUMNS, DIMENSIONS, Dimension
from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import Scenario

SITUATION: Final = ["scenario", *COLUMNS, "pattern"]
"""The columns that make one."""


class Situation(NamedTuple):
    """The key that cells of a run, and runs that are compared, have in common."""

    scenario: str
    clients: int
    rtt_ms: float
    rate_per_s: float
    pattern: str

    @property
    def scene(self) -> str:
        """Say all but the pattern; no round trip where there is none."""
        return ", ".join([self.scenario, *(each.says(value) for each, value in self._values())])

    @property
    def suite(self) -> str:
        """Name its test suite in a JUnit file: pollbench.feed.50.40ms.5per_s."""
        return ".".join(["pollbench", self.scenario, *(f"{value:g}{each.suffix}" for each, value in self._values())])

    def _values(self) -> list[tuple[Dimension, float]]:
        return [(each, value) for each in DIMENSIONS if (value := getattr(self, each.column))]


def planned(run: manifest.Run) -> list[Situation]:
    """Return the situations a run set out to measure, whether or not their cells finished."""
    by_name = {
        cell.name: Situation(scenario.name, cell.clients, cell.rtt_ms, cell.rate_per_s, cell.pattern)
        for scenario in (msgspec.convert(fields, Scenario) for fields in run.scenarios)
        for cell in Plan(scenario, tuple(run.patterns), 1).cells()
    }
    first_repeats = (cell.rpartition("-")[0] + "-1" for cell in run.cells)
    return [by_name[name] for name in dict.fromkeys(first_repeats)]


def by_situation(cells: pd.DataFrame) -> dict[Situation, pd.DataFrame]:
    """Split a frame with one row per cell. Raises ValueError where a situation holds one repeat twice.

    Pooling two different things as repeats of one would look like noise and hide any difference.
    """
    groups = {
        Situation(**{str(key): first[key] for key in SITUATION}): group
        for _, group in cells.groupby(SITUATION, observed=True, sort=False)
        for first in group.head(1).to_dict("records")
    }
    for situation, group in groups.items():
        if group["repeat"].duplicated().any():
            raise ValueError(f"{situation.scene}, {situation.pattern}: two cells with the same repeat")
    return groups


def differing(row: Mapping[Any, Any], rows: pd.DataFrame) -> list[str]:
    """Say of a row the values of those dimensions in which not all rows are alike."""
    return [each.says(row[each.column]) for each in DIMENSIONS if rows[each.column].nunique() > 1]
