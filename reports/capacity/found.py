"""PURE. The result of a search: in a sentence or two, as rows of a table, and for machines."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any, Final

from loadtests.scenario.dimensions import Dimension
from reports.basics.exit_codes import markdown_table, markdown_text
from reports.basics.units import number, percent
from reports.capacity.limit import Limit, limit_of
from reports.capacity.rungs import Rung
from reports.capacity.search import bracket
from reports.ci.slo import Goal

CLIFF: Final = 5.0
NEAR: Final = 1.5
"""A figure that grows by CLIFF while the load grows by less than NEAR is a cliff."""


@dataclass(frozen=True)
class Found:
    """A search that is over. along: what was raised. label: of the pattern. conditions: the same at every load."""

    label: str
    along: Dimension
    goals: tuple[Goal, ...]
    rungs: tuple[Rung, ...]
    conditions: str = ""

    @cached_property
    def limit(self) -> Limit | None:
        return limit_of([rung.tried for rung in self.rungs])

    @property
    def answer(self) -> str:
        """What the server holds, how certain that is, what the limit is, and under which conditions."""
        return f"{self._answer} ({self.conditions}.)" if self.conditions else self._answer

    @property
    def _answer(self) -> str:
        found = bracket([rung.tried for rung in self.rungs])
        wanted = " and ".join(f"{goal.measure} {goal.condition}" for goal in self.goals)
        if found.held is None:
            assert found.broken is not None  # something was tried
            least = self._of(found.broken.load)
            if found.broken.undecided:
                return f"The limit of {self.label} is unknown: at {self._says(least)}, {found.broken.undecided}."
            return f"{self.label} does not hold {self._says(least)} with {wanted}; {self._ended(least)}."
        held = f"{self.label} holds {self.along.says(found.held.load)} with {wanted}"
        if found.broken is None:
            return f"{held}; more was not tried (--most)."
        broken = self._of(found.broken.load)
        if found.broken.undecided:
            return f"{held}. Its limit is unknown: at {self._says(broken)}, {found.broken.undecided}."
        limit = self.limit
        assert limit is not None
        near = f"about {self.along.says(round(limit.at))} ({limit.low:,.0f} to {limit.high:,.0f})"
        return (
            f"{held}, and its limit is {near}; {self._ended(broken)}.{self._cliff(self._of(found.held.load), broken)}"
        )

    def _ended(self, rung: Rung) -> str:
        return f"the bottleneck is {rung.blame}"

    def _cliff(self, held: Rung, broken: Rung) -> str:
        """Describe a figure that jumps instead of growing."""
        if broken.tried.load > NEAR * held.tried.load:
            return ""
        for goal in self.goals:
            before, after = held.figures.get(goal.column, 0.0), broken.figures.get(goal.column, 0.0)
            if before > 0 and after > CLIFF * before:
                return (
                    f" It is a cliff: {goal.measure} goes from {number(before)} to {number(after)} between "
                    f"{held.tried.load:,} and {self._says(broken)}."
                )
        return ""

    def _of(self, load: int) -> Rung:
        return next(rung for rung in self.rungs if rung.tried.load == load)

    def _says(self, rung: Rung) -> str:
        return self.along.says(rung.tried.load)

    def header(self) -> tuple[str, ...]:
        measures = (goal.measure for goal in self.goals)
        return (self.along.axis, *measures, "in flight", "server", "generator", "met goals", "held")

    def rows(self) -> list[tuple[str, ...]]:
        """Return a row for each rung, from the least load."""
        return [
            (
                f"{rung.tried.load:,}",
                *(_shown(rung.figures.get(goal.column)) for goal in self.goals),
                _shown(rung.under_way),
                _share(rung.server_cores),
                _share(rung.generator_cores),
                f"{sum(rung.tried.kept)} of {len(rung.tried.kept)}",
                "Yes" if rung.tried.held else "Unknown" if rung.tried.undecided else "No",
            )
            for rung in sorted(self.rungs, key=lambda rung: rung.tried.load)
        ]

    def markdown(self) -> str:
        return f"{markdown_text(self.answer)}\n\n{markdown_table(self.header(), self.rows())}"

    def as_json(self) -> Mapping[str, Any]:
        limit = self.limit
        return {
            "answer": self.answer,
            "along": self.along.column,
            "goals": [str(goal) for goal in self.goals],
            "limit": None if limit is None else {"at": limit.at, "low": limit.low, "high": limit.high},
            "rungs": [
                {
                    "load": rung.tried.load,
                    "held": rung.tried.held,
                    "repeats_kept": list(rung.tried.kept),
                    "undecided": rung.tried.undecided,
                    "blame": rung.blame,
                    "figures": {name: _finite(value) for name, value in rung.figures.items()},
                    "under_way": _finite(rung.under_way),
                    "server_cores": _finite(rung.server_cores),
                    "generator_cores": _finite(rung.generator_cores),
                }
                for rung in self.rungs
            ],
        }


def _shown(value: float | None) -> str:
    return "" if value is None or not isfinite(value) else number(value)


def _share(cores: float) -> str:
    return percent(cores) if isfinite(cores) else ""


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
