"""PURE. A situation is what repeats repeat: one pattern under one scenario with one client count and one round trip."""

from typing import NamedTuple

import msgspec
import pandas as pd

from loadtests import manifest
from loadtests.plan import cell_name
from loadtests.scenario import Scenario
from reports.measures import SITUATION


class Situation(NamedTuple):
    """The key that cells of a run, and runs that are compared, have in common."""

    scenario: str
    clients: int
    rtt_ms: float
    pattern: str

    @property
    def scene(self) -> str:
        network = f", {self.rtt_ms:g} ms round trip" if self.rtt_ms else ""
        return f"{self.scenario}, {self.clients} clients{network}"


def planned(run: manifest.Run) -> list[Situation]:
    """Return the situations a run set out to measure, whether or not their cells finished."""
    by_name = {
        cell_name(scenario.name, clients, rtt_ms, pattern, 1): Situation(scenario.name, clients, rtt_ms, pattern)
        for scenario in (msgspec.convert(fields, Scenario) for fields in run.scenarios)
        for clients in scenario.clients
        for rtt_ms in scenario.rtt_ms
        for pattern in run.patterns
    }
    first_repeats = (cell.rpartition("-")[0] + "-1" for cell in run.cells)
    return [by_name[name] for name in dict.fromkeys(first_repeats)]


def by_situation(cells: pd.DataFrame) -> dict[Situation, pd.DataFrame]:
    """Split a frame with one row per cell. Raises ValueError where a situation holds one repeat twice.

    Pooling two different things as repeats of one would look like noise and hide any difference.
    """
    groups = {
        Situation(str(first["scenario"]), int(first["clients"]), float(first["rtt_ms"]), str(first["pattern"])): group
        for _, group in cells.groupby(SITUATION, observed=True, sort=False)
        for first in group.head(1).to_dict("records")
    }
    for situation, group in groups.items():
        if group["repeat"].duplicated().any():
            raise ValueError(f"{situation.scene}, {situation.pattern}: two cells with the same repeat")
    return groups
