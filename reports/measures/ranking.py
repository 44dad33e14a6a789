"""PURE. Who is first by a measure, alone or level with others, and how far along a sweep that stays so.

Two patterns are level when their intervals overlap ("no measurable difference"), where that of a latency holds what the
instrument may have added, and what the offset of two clocks may have changed, or when they differ by less than 5 %
("nearly level"): that much can differ between two runs of the same thing. Nothing is called better on less.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any, Final

import pandas as pd

from loadtests.scenario.dimensions import RATE, RTT, Dimension
from reports.basics.records import records
from reports.data.clock_error import change_ms, shared_ms

LEVEL: Final = 1.05
PLAIN: Final = 1.5
"""A difference that one can see. Without repeats nothing says what chance does, and only such a one is called one."""
SummaryRow = Mapping[Any, Any]


def level(row: SummaryRow, leader: SummaryRow, name: str, within: float = LEVEL) -> bool:
    """Return whether `row` cannot be told from `leader`, which is no larger, or is at most `within` times as large."""
    if isnan(row[f"{name}_low"]) or isnan(leader[f"{name}_high"]):
        apart = row[name] - change_ms(row, name) - change_ms(leader, name)
        return bool(apart <= leader[name] * PLAIN or row.get(f"{name}_floor", row[name]) <= leader[name])
    return bool(overlap(row, leader, name) or row[name] <= leader[name] * within)


def overlap(row: SummaryRow, leader: SummaryRow, name: str) -> bool:
    """Return whether the intervals of two rows of one run overlap, where `row` is no smaller.

    An error that both have in common shifts both, and does not make them overlap.
    """
    low, high = row[f"{name}_low"] + shared_ms(row, name), leader[f"{name}_high"] - shared_ms(leader, name)
    return bool(low <= high)


def ranking(rows: pd.DataFrame, name: str, within: float = LEVEL) -> tuple[list[SummaryRow], list[SummaryRow]]:
    """Return the rows that are first, level with each other, and the rest; both from small to large."""
    ordered: list[SummaryRow] = [*records(rows.dropna(subset=[name]).sort_values(name, kind="stable"))]
    first = [row for row in ordered if level(row, ordered[0], name, within)]
    return first, [row for row in ordered if not level(row, ordered[0], name, within)]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring steps of a sweep at which the same patterns are first by a measure.

    scenes: the rows at each of them, from the least. first, rest: the ranking at the largest. of: how many steps were
    measured in all.
    """

    along: Dimension
    name: str
    of: int
    scenes: Sequence[pd.DataFrame]
    first: Sequence[SummaryRow]
    rest: Sequence[SummaryRow]

    @property
    def leaders(self) -> set[str]:
        return {row["pattern"] for row in self.first}

    @property
    def others(self) -> set[str]:
        return {row["pattern"] for row in self.rest}

    def values(self, pattern: str) -> list[float]:
        """Return a pattern's value at each step."""
        return [float(scene.loc[scene["pattern"] == pattern, self.name].iloc[0]) for scene in self.scenes]

    @property
    def where(self) -> str:
        along = self.along
        if len(self.scenes) == self.of > 1:
            return f"At every {along.name}"
        near, far = (float(scene[along.column].iloc[0]) for scene in (self.scenes[0], self.scenes[-1]))
        if near == far:
            return f"At {along.says(near)}" if near else along.none
        start = f"From {along.amount(near)}" if near else "Up"
        return f"{start} to {along.says(far)}"


def swept(rows: pd.DataFrame) -> Dimension:
    """Return along what the answers of some rows are told: the message rate where there are several, else distance."""
    return RATE if rows[RATE.column].nunique() > 1 else RTT


def furthest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a scenario that its answers are told from: all else than what is swept at its largest."""
    steps: pd.DataFrame = rows[rows["clients"] == rows["clients"].max()]
    other = RTT.column if swept(steps) is RATE else RATE.column
    kept: pd.DataFrame = steps[steps[other] == steps[other].max()]
    return kept


def stretches(rows: pd.DataFrame, name: str, within: float = LEVEL) -> list[Stretch]:
    """Cut a sweep into stretches, from its least value on; steps where nothing was measured are left out."""
    found: list[Stretch] = []
    along = swept(rows)
    for _, scene in rows.groupby(along.column):
        now = Stretch(along, name, rows[along.column].nunique(), [scene], *ranking(scene, name, within))
        if found and (now.leaders, now.others) == (found[-1].leaders, found[-1].others):
            found[-1] = replace(now, scenes=[*found[-1].scenes, scene])
        elif now.first:
            found.append(now)
    return found
