"""Published experiments, rerun: the file name is the registration. A module of papers/ has

TITLE, SOURCE, SETUP (what they did), PUBLISHED (what they found), SCALED (how the rerun differs, and why),
CHART (stage and name of the report's chart that shows it best), stages() -> {name: Plan}, and
claims({stage: Measured}) -> Claim, one for each thing that must agree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from math import isfinite
from pkgutil import iter_modules
from typing import Any, Protocol, cast

import pandas as pd

from loadtests.scenario.plan import Plan
from reports.replications import papers
from reports.validity.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Claim:
    """One published finding beside what was measured here, both in `unit`.

    expected: what must be measured, from the paper or from theory with this run's own gaps; `basis` says which.
    low, high: measured values that agree. Both NaN: shown, not judged; then `basis` says why not.
    """

    what: str
    published: str
    expected: str
    measured: float
    unit: str
    low: float
    high: float
    basis: str

    @property
    def judged(self) -> bool:
        return isfinite(self.low) or isfinite(self.high)

    @property
    def agrees(self) -> bool:
        """A claim that is not judged does not disagree; one without a measurement does."""
        return not self.judged or (isfinite(self.measured) and self.low <= self.measured <= self.high)


@dataclass(frozen=True)
class Measured:
    """One stage, measured: `evidence` of its run folder, its summary, and the latencies of its window."""

    evidence: Evidence
    summary: pd.DataFrame
    latency: pd.DataFrame

    def row(self, pattern: str, **where: float) -> dict[str, Any]:
        """Return the one row of the summary that this names. Raises KeyError when it was not measured."""
        rows = self.summary[self.summary["pattern"] == pattern]
        for column, value in where.items():
            rows = rows[rows[column] == value]
        if len(rows) != 1:
            raise KeyError(f"{pattern} {where}: {len(rows)} rows")
        return {str(name): value for name, value in rows.iloc[0].items()}


class Replication(Protocol):
    """What a module of papers/ holds."""

    TITLE: str
    SOURCE: str
    SETUP: str
    PUBLISHED: str
    SCALED: str
    CHART: tuple[str, str]

    def stages(self) -> dict[str, Plan]: ...
    def claims(self, stages: Mapping[str, Measured]) -> Iterable[Claim]: ...


def names() -> list[str]:
    return sorted(module.name for module in iter_modules(papers.__path__) if not module.name.startswith("_"))


def load(name: str) -> Replication:
    return cast(Replication, import_module(f"{papers.__name__}.{name}"))
