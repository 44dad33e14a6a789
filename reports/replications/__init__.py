"""Published experiments, rerun: the file name is the registration. A module of papers/ has

TITLE, SOURCE, SETUP (what they did), PUBLISHED (what they found), SCALED (how the rerun differs, and why),
CHART (stage and name of the report's chart that shows it best), stages() -> {name: Plan}, and
claims({stage: Evidence}) -> PublishedClaim, one for each thing that must agree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from math import isfinite
from pkgutil import iter_modules
from typing import Protocol, cast

from loadtests.scenario.plan import Plan
from reports.replications import papers
from reports.validity.evidence import Evidence


@dataclass(frozen=True, slots=True)
class PublishedClaim:
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


class Replication(Protocol):
    """What a module of papers/ holds."""

    TITLE: str
    SOURCE: str
    SETUP: str
    PUBLISHED: str
    SCALED: str
    CHART: tuple[str, str]

    def stages(self) -> dict[str, Plan]: ...
    def claims(self, stages: Mapping[str, Evidence]) -> Iterable[PublishedClaim]: ...


def names() -> list[str]:
    return sorted(module.name for module in iter_modules(papers.__path__) if not module.name.startswith("_"))


def load(name: str) -> Replication:
    return cast(Replication, import_module(f"{papers.__name__}.{name}"))
