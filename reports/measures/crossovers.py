"""PURE. Where one pattern stops being better than another as clients, distance or rate grow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import isfinite, log10

import pandas as pd

from loadtests.scenario.dimensions import Dimension
from reports.basics.records import records
from reports.measures.measures import QUANTILES
from reports.measures.ranking import SummaryRow, level


@dataclass(frozen=True, slots=True)
class Crossover:
    """`before` is measurably better up to `low`, `after` from `high` on; at, value: where the drawn lines cross."""

    before: str
    after: str
    low: float
    high: float
    at: float
    value: float


def on_log(along: Dimension, measure: str) -> bool:
    """Return whether a measure is drawn on a logarithmic axis along this: latencies where the sweep is, too."""
    return along.by_factors and measure in QUANTILES


def crossovers(rows: pd.DataFrame, along: Dimension, measure: str) -> list[Crossover]:
    """Return every crossing of two patterns in a measure, less being better, in order along the sweep.

    rows: one row per pattern and step of `along`. A crossing counts only when each is measurably better on its side:
    two lines that run level cross all the time, and mean nothing by it.
    """
    columns = ["pattern", along.column, measure, f"{measure}_low", f"{measure}_high"]
    lines: dict[str, dict[float, SummaryRow]] = {}
    for row in records(rows[columns].sort_values(along.column)):
        line = lines.setdefault(str(row["pattern"]), {})
        if isfinite(row[measure]):
            line[float(row[along.column])] = row
    found = [
        crossing
        for one, other in combinations(dict.fromkeys(rows["pattern"].astype(str)), 2)
        for crossing in _crossings(_steps(lines[one], lines[other]), along, measure)
    ]
    return sorted(found, key=lambda crossing: crossing.at)


def _steps(one: dict[float, SummaryRow], other: dict[float, SummaryRow]) -> list[tuple[SummaryRow, SummaryRow]]:
    return [(one[step], other[step]) for step in one if step in other]


def _crossings(steps: list[tuple[SummaryRow, SummaryRow]], along: Dimension, measure: str) -> Iterator[Crossover]:
    last: int | None = None
    for now, pair in enumerate(steps):
        better, worse = sorted(pair, key=lambda row: row[measure])
        if level(worse, better, measure):
            continue
        if last is not None and _leads(steps[last], measure) != _leads(pair, measure):
            yield _crossover(steps[last : now + 1], along, measure)
        last = now


def _leads(pair: tuple[SummaryRow, SummaryRow], measure: str) -> bool:
    return bool(pair[0][measure] < pair[1][measure])


def _crossover(steps: list[tuple[SummaryRow, SummaryRow]], along: Dimension, measure: str) -> Crossover:
    """steps: from the last at which the one is measurably better to the first at which the other is."""
    low, high = (float(pair[0][along.column]) for pair in (steps[0], steps[-1]))
    first, then = (min(pair, key=lambda row: row[measure]) for pair in (steps[0], steps[-1]))
    near, far = next(pairs for pairs in pairwise(steps) if _leads(pairs[0], measure) != _leads(pairs[1], measure))
    log = on_log(along, measure)
    lead, lag = (_apart(*(row[measure] for row in pair), log=log) for pair in (near, far))
    share = lead / (lead + lag)
    at = _between([float(pair[0][along.column]) for pair in (near, far)], share, log=along.by_factors)
    value = _between([float(pair[0][measure]) for pair in (near, far)], share, log=log)
    return Crossover(str(first["pattern"]), str(then["pattern"]), low, high, at, value)


def _between(ends: Sequence[float], share: float, *, log: bool) -> float:
    """Return what lies so far on the way, as it is drawn."""
    start, end = ends
    return start * (end / start) ** share if log and start > 0 and end > 0 else start + (end - start) * share


def _apart(one: float, other: float, *, log: bool) -> float:
    return abs(log10(one / other)) if log and one > 0 and other > 0 else abs(one - other)
