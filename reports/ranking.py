"""PURE. Who is first by a measure, alone or level with others, and over which round trips that stays so.

Two patterns are level when their intervals overlap ("no measurable difference"), or when they differ by less than 5 %
("nearly level"): that much can differ between two runs of the same thing. Nothing is called better on less.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any, Final

import pandas as pd

from reports.units import quantity

LEVEL: Final = 1.05
PLAIN: Final = 1.5
"""A difference that one can see. Without repeats nothing says what chance does, and only such a one is called one."""
Row = Mapping[Any, Any]


def level(row: Row, leader: Row, name: str, within: float = LEVEL) -> bool:
    """Return whether `row` cannot be told from `leader`, which is no larger, or is at most `within` times as large."""
    if isnan(row[f"{name}_low"]) or isnan(leader[f"{name}_high"]):
        return bool(row[name] <= leader[name] * PLAIN)
    return bool(row[f"{name}_low"] <= leader[f"{name}_high"] or row[name] <= leader[name] * within)


def ranking(rows: pd.DataFrame, name: str, within: float = LEVEL) -> tuple[list[Row], list[Row]]:
    """Return the rows that are first, level with each other, and the rest; both from small to large."""
    ordered: list[Row] = [*rows.dropna(subset=[name]).sort_values(name, kind="stable").to_dict("records")]
    first = [row for row in ordered if level(row, ordered[0], name, within)]
    return first, [row for row in ordered if not level(row, ordered[0], name, within)]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring round trips at which the same patterns are first by a measure.

    scenes: the rows at each of them, nearest first. first, rest: the ranking at the furthest. of: how many round trips
    were measured in all.
    """

    name: str
    of: int
    scenes: Sequence[pd.DataFrame]
    first: Sequence[Row]
    rest: Sequence[Row]

    @property
    def leaders(self) -> set[str]:
        return {row["pattern"] for row in self.first}

    @property
    def others(self) -> set[str]:
        return {row["pattern"] for row in self.rest}

    def values(self, pattern: str) -> list[float]:
        """Return a pattern's value at each round trip."""
        return [float(scene.loc[scene["pattern"] == pattern, self.name].iloc[0]) for scene in self.scenes]

    @property
    def where(self) -> str:
        if len(self.scenes) == self.of > 1:
            return "At every round trip"
        near, far = (float(scene["rtt_ms"].iloc[0]) for scene in (self.scenes[0], self.scenes[-1]))
        if near == far:
            return f"At {quantity(near, 'ms')} round trip" if near else "Without a round trip"
        start = f"From {quantity(near, 'ms')}" if near else "Up"
        return f"{start} to {quantity(far, 'ms')} round trip"


def stretches(rows: pd.DataFrame, name: str, within: float = LEVEL) -> list[Stretch]:
    """Cut the round trips into stretches, nearest first; those where nothing was measured are left out."""
    found: list[Stretch] = []
    for _, scene in rows.groupby("rtt_ms"):
        now = Stretch(name, rows["rtt_ms"].nunique(), [scene], *ranking(scene, name, within))
        if found and (now.leaders, now.others) == (found[-1].leaders, found[-1].others):
            found[-1] = replace(now, scenes=[*found[-1].scenes, scene])
        elif now.first:
            found.append(now)
    return found
