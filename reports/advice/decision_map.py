"""PURE. Message rate x clients: which pattern meets the goals at least cost, and where intervals leave that open."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from reports.advice.advise import PatternAdvice, Question, answer, ranked
from reports.advice.goals import Met
from reports.model.law import Estimate
from reports.model.model import LATENCY_REACH, Model

NONE_MEETS: Final = ""
"""Stands where it is known that no pattern meets the goals."""
UNKNOWN: Final = "?"
"""Stands where the model cannot say."""
COLUMNS: Final = 36
LINES: Final = 24
FEWEST_CLIENTS: Final = 10.0
MOST_CLIENTS: Final = 100_000.0
MARGIN: Final = 1.6
"""How much farther than the model reaches the map goes, so that its end can be seen."""


@dataclass(frozen=True)
class DecisionMap:
    """best: for each client count, upward, and rate: a pattern, NONE_MEETS or UNKNOWN. open: whether another one may
    be it, by the intervals.
    """

    question: Question
    labels: dict[str, str]
    rates: Sequence[float]
    clients: Sequence[float]
    best: Sequence[Sequence[str]]
    open: Sequence[Sequence[bool]]


def decision_map(model: Model, question: Question, columns: int = COLUMNS, lines: int = LINES) -> DecisionMap:
    """Ask the question at every point of a map that holds its own."""
    rates, clients = _rates(model, question, columns), _clients(question, lines)
    asked = [[replace(question, clients=round(count), rate_per_s=rate) for rate in rates] for count in clients]
    found = [[_at(model, each) for each in line] for line in asked]
    return DecisionMap(
        question=question,
        labels=model.labels,
        rates=rates,
        clients=clients,
        best=[[best for best, _ in line] for line in found],
        open=[[left_open for _, left_open in line] for line in found],
    )


def _rates(model: Model, question: Question, columns: int) -> list[float]:
    measured = [cell.load.rate_per_s for cell in model.observations]
    low = min(min(measured) / LATENCY_REACH / MARGIN, question.rate_per_s / 2)
    high = max(max(measured) * LATENCY_REACH * MARGIN, question.rate_per_s * 2)
    return [float(rate) for rate in np.geomspace(low, high, columns)]


def _clients(question: Question, lines: int) -> list[float]:
    low, high = min(FEWEST_CLIENTS, question.clients / 2), max(MOST_CLIENTS, question.clients * 3)
    return [float(count) for count in np.geomspace(max(low, 1.0), high, lines)]


def _at(model: Model, question: Question) -> tuple[str, bool]:
    rows = [answer(model, question, pattern) for pattern in model.laws]
    best = _first(ranked(rows), rows)
    return best, best != UNKNOWN and len({best, *_others(rows)}) > 1


def _others(rows: Sequence[PatternAdvice]) -> Iterator[str]:
    """What is first where goals are taken strictly, or leniently, and where less of a difference counts."""
    for accepted in ((Met.YES,), (Met.YES, Met.PERHAPS)):
        yield _first(ranked(rows, accepted), rows)
    yield _first(ranked(rows, level=_a_quarter), rows)


def _a_quarter(dearer: Estimate, cheapest: Estimate) -> bool:
    return dearer.value <= cheapest.value * 1.25


def _first(order: Sequence[PatternAdvice], rows: Sequence[PatternAdvice]) -> str:
    if order:
        return order[0].pattern
    return UNKNOWN if any(row.met is Met.UNKNOWN for row in rows) else NONE_MEETS
