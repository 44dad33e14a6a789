"""PURE. Where one pattern stops being better than another as clients or distance grow."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import isfinite

import pandas as pd

from reports.ranking import Row, level


@dataclass(frozen=True, slots=True)
class Crossover:
    """`before` is measurably better up to `low`, `after` from `high` on; `at` is where straight lines between cross."""

    before: str
    after: str
    low: float
    high: float
    at: float


def crossovers(rows: pd.DataFrame, along: str, measure: str) -> list[Crossover]:
    """Return every crossing of two patterns in a measure, less being better, in order along the sweep.

    rows: one row per pattern and step of `along`. A crossing counts only when each is measurably better on its side:
    two lines that run level cross all the time, and mean nothing by it.
    """
    patterns = [str(pattern) for pattern in dict.fromkeys(rows["pattern"])]
    found = [
        crossing
        for one, other in combinations(patterns, 2)
        for crossing in _crossings(_steps(rows, one, other, along, measure), along, measure)
    ]
    return sorted(found, key=lambda crossing: crossing.at)


def _steps(rows: pd.DataFrame, one: str, other: str, along: str, measure: str) -> list[tuple[Row, Row]]:
    def of(pattern: str) -> dict[float, Row]:
        own = rows[rows["pattern"] == pattern].sort_values(along)
        return {float(row[along]): row for row in own.to_dict("records") if isfinite(row[measure])}

    left, right = of(one), of(other)
    return [(left[step], right[step]) for step in left if step in right]


def _crossings(steps: list[tuple[Row, Row]], along: str, measure: str) -> Iterator[Crossover]:
    before: tuple[Row, Row] | None = None
    for pair in steps:
        better, worse = sorted(pair, key=lambda row: row[measure])
        if level(worse, better, measure):
            continue
        if before is not None and (before[0][measure] < before[1][measure]) != (pair[0][measure] < pair[1][measure]):
            yield _crossover(before, pair, along, measure)
        before = pair


def _crossover(before: tuple[Row, Row], after: tuple[Row, Row], along: str, measure: str) -> Crossover:
    low, high = float(before[0][along]), float(after[0][along])
    lead, lag = (abs(pair[0][measure] - pair[1][measure]) for pair in (before, after))
    first = min(before, key=lambda row: row[measure])
    then = min(after, key=lambda row: row[measure])
    return Crossover(str(first["pattern"]), str(then["pattern"]), low, high, low + (high - low) * lead / (lead + lag))
