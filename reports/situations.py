"""PURE. A situation is what repeats repeat: one pattern under one scenario with one client count."""

from typing import NamedTuple

import pandas as pd

from loadtests import manifest
from reports.measures import SITUATION


class Situation(NamedTuple):
    """The key that cells of a run, and runs that are compared, have in common."""

    scenario: str
    clients: int
    pattern: str

    @property
    def scene(self) -> str:
        return f"{self.scenario}, {self.clients} clients"


def planned(run: manifest.Run) -> list[Situation]:
    """Return the situations a run set out to measure, whether or not their cells finished."""
    names = [cell.rsplit("-", 3) for cell in run.cells]
    return list(dict.fromkeys(Situation(scenario, int(clients), pattern) for scenario, clients, pattern, _ in names))


def by_situation(cells: pd.DataFrame) -> dict[Situation, pd.DataFrame]:
    """Split a frame with one row per cell. Raises ValueError where a situation holds one repeat twice.

    Pooling two different things as repeats of one would look like noise and hide any difference.
    """
    groups = {
        Situation(str(first["scenario"]), int(first["clients"]), str(first["pattern"])): group
        for _, group in cells.groupby(SITUATION, observed=True, sort=False)
        for first in group.head(1).to_dict("records")
    }
    for situation, group in groups.items():
        if group["repeat"].duplicated().any():
            raise ValueError(f"{situation.scene}, {situation.pattern}: two cells with the same repeat")
    return groups
