"""PURE. Which questions two runs are asked, and what their repeats answer: better, worse, or `~` for not proven.

One comparison asks many questions (patterns x measures), so p is Holm's over all of them, and by default only one
measure of a kind is asked about: each further question makes every answer harder to prove. A proven shift smaller than
LEAST_PERCENT is `~` too: that much comes from where in memory an interpreter happened to land (Mytkowicz 2009).
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import comb
from typing import Final

import pandas as pd

from reports.basics.statistics import ALPHA, Shift, compare, holm, median_interval, repeats_needed
from reports.ci.comparison import LEAST_PERCENT, WORST_FIRST, Difference, Direction
from reports.data.clock_error import worst_error_ms
from reports.data.load import KEYS, ReportError
from reports.data.situations import Situation, by_situation

JUDGED: Final = (
    "p50_ms",
    "p99_ms",
    "requests_per_delivery",
    "http_bytes_per_delivery",
    "cpu_ms_per_1000",
    "memory_per_client_bytes",
    "missed",
)
HIGHER_IS_BETTER: Final = frozenset({"delivered"})
NEITHER_IS_BETTER: Final = frozenset({"hold_ms", "responses_per_s", "owed", "messages", "users", "in_flight"})


@dataclass(frozen=True)
class _Question:
    """Did this measure of this situation change? The values of all repeats that have one.

    clock: by how much the clocks of both runs may make the change wrong, in the measure's unit.
    """

    situation: Situation
    measure: str
    base: list[float]
    new: list[float]
    without: int
    clock: float = 0.0

    @cached_property
    def shift(self) -> Shift | None:
        return compare(self.base, self.new) if self.base and self.new else None

    @property
    def open(self) -> bool:
        """False where one run has no value, and where every repeat of both measured the very same."""
        return bool(self.base and self.new) and len({*self.base, *self.new}) > 1


def compare_cells(
    base: pd.DataFrame, new: pd.DataFrame, measures: Sequence[str] = JUDGED, alpha: float = ALPHA
) -> tuple[list[Difference], list[str]]:
    """Return the rows, worst first, and cautions about the samples.

    base, new: one row per finished cell, the KEYS columns and one numeric column per measure.
    Raises ReportError for a measure that neither has, and when they have no situation in common.
    """
    known = {str(column) for cells in (base, new) for column in cells.select_dtypes("number")} - set(KEYS)
    for measure in measures:
        if measure not in known:
            raise ReportError(f"no measure {measure!r} to compare. Choose from: {', '.join(sorted(known))}")
    befores, afters = by_situation(base), by_situation(new)
    if not befores.keys() & afters.keys():
        raise ReportError(
            "the runs have no pattern, scenario, client count and round trip in common: there is nothing to compare"
        )
    questions = [
        _question(situation, measure, befores.get(situation), afters.get(situation))
        for situation in dict.fromkeys([*befores, *afters])
        for measure in measures
    ]
    asked = [question for question in questions if question.open]
    adjusted = iter(holm([question.shift.p for question in asked if question.shift]))
    rows = [_row(question, next(adjusted) if question.open else 1.0, alpha) for question in questions]
    rows.sort(key=lambda row: WORST_FIRST.index(row.verdict))
    rows = [row for row in rows if row.base or row.new]
    alone = _alone("base", befores.keys() - afters.keys()) + _alone("new", afters.keys() - befores.keys())
    return rows, [*alone, *_cautions(questions, alpha)]


def _question(situation: Situation, measure: str, *runs: pd.DataFrame | None) -> _Question:
    found = [
        [] if cells is None or measure not in cells else [float(value) for value in cells[measure]] for cells in runs
    ]
    base, new = ([value for value in values if math.isfinite(value)] for values in found)
    clock = sum(worst_error_ms(cells, measure) for cells in runs)
    return _Question(situation, measure, base, new, sum(map(len, found)) - len(base) - len(new), clock)


def _row(question: _Question, p: float, alpha: float) -> Difference:
    base, new = (median_interval(values) if values else None for values in (question.base, question.new))
    row = Difference(question.situation, question.measure, base, new, question.shift, p, "~")
    return replace(row, verdict=_verdict(row, alpha, question.clock))


def _verdict(row: Difference, alpha: float, clock: float) -> Direction:
    if row.shift is None:
        return "only in base" if row.base else "only in new"
    if row.p > alpha or abs(row.shift.amount) < clock or abs(row.percent(row.shift.amount)) < LEAST_PERCENT:
        return "~"
    return direction(row.measure, row.shift.amount)


def direction(measure: str, change: float) -> Direction:
    """Return what a change of a measure is: better, worse, or neither."""
    if measure in NEITHER_IS_BETTER:
        return "changed"
    return "better" if (change > 0) == (measure in HIGHER_IS_BETTER) else "worse"


def _alone(run: str, situations: Collection[Situation]) -> list[str]:
    names = ", ".join(f"{situation.pattern} ({situation.scene})" for situation in sorted(situations))
    return [f"Only in {run}: {names}."] if names else []


def _cautions(questions: Sequence[_Question], alpha: float) -> Iterator[str]:
    asked = [question for question in questions if question.open]
    clearest = min((2 / comb(len(q.base) + len(q.new), len(q.base)) for q in asked), default=0.0)
    if clearest * len(asked) > alpha:
        yield (
            f"So few repeats cannot prove even the clearest of {len(asked)} possible differences (p = {alpha:g}). "
            f"Measure {repeats_needed(len(asked), alpha)} repeats of each run, or ask about fewer measures or patterns."
        )
    for question in questions:
        if question.without and (question.base or question.new):
            yield (
                f"{question.situation.scene}, {question.situation.pattern}: {question.without} repeats have no "
                f"{question.measure}, and are left out here. See why in the report of that run."
            )
