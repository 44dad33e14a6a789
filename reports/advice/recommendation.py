"""PURE. The advice in words: a recommendation in two sentences, and the loads at which it changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reports.advice.advise import PatternAdvice, Question, advise, along, ranked
from reports.advice.goals import Met
from reports.basics.units import NONE, counted, listed, number, quantity
from reports.model.law import Estimate
from reports.model.model import Model

FACTORS: Final = [10 ** (step / 10) for step in range(1, 31)]
"""Factors by which clients and rate are varied to find where the answer changes, in steps of a quarter."""
AXES: Final = {"clients": "clients", "rate": "messages a second"}


@dataclass(frozen=True, slots=True)
class AdviceChange:
    """Where another answer begins: the last value at which the old one holds, the first at which it does not.

    to: label of the new one, which is the old one where it holds as far as was asked; "" where nothing meets the goals;
    None where the model ends first.
    """

    axis: str
    holds: float
    changes: float
    before: str
    to: str | None

    def __str__(self) -> str:
        unit = AXES[self.axis]
        end = "Up" if self.changes > self.holds else "Down"
        if self.to is None:
            return f"{end} to {plain(self.holds)} {unit} the answer stays the same; the model covers no more."
        if self.to == self.before:
            return f"{end} to {plain(self.holds)} {unit} the answer stays the same; no further load was tried."
        between = f"Between {plain(self.holds)} and {plain(self.changes)} {unit}"
        return f"{between} move on to {self.to}." if self.to else f"{between} no pattern meets the goals any more."


def recommendation(question: Question, rows: Sequence[PatternAdvice]) -> str:
    """Return two sentences: what to use and what it takes; what comes next, and why the others do not."""
    order = ranked(rows)
    if not order:
        more = " (try --extrapolate)" if any(row.met is Met.UNKNOWN for row in rows) else ""
        return (
            f"For {asked(question)}, no pattern is known to meet {_goals(question)}{more}. {_rest(rows, None)}".rstrip()
        )
    best = order[0]
    sure = "" if best.met is Met.YES else f"perhaps, since {best.why[0]}: "
    taken = f"{sure}{_takes(best)}"
    return f"For {asked(question)}, use {best.label}: {taken}. {_rest(rows, best)}".rstrip()


def _rest(rows: Sequence[PatternAdvice], best: PatternAdvice | None) -> str:
    order = ranked(rows)
    parts = []
    if best is not None and len(order) > 1:
        parts.append(f"{order[1].label} comes next ({_takes(order[1])})")
    failing = [row for row in rows if row not in order and row.why]
    why: dict[str, list[str]] = {}
    for row in failing:
        why.setdefault(row.why[0], []).append(row.label)
    parts += [f"{listed(labels)}: {reason}" for reason, labels in why.items()]
    return f"{'; '.join(parts)}." if parts else ""


def asked(question: Question) -> str:
    away = f", {quantity(question.rtt_s * 1e3, 'ms')} away" if question.rtt_s else ""
    rate = f"{plain(question.rate_per_s)} message{'s' * (question.rate_per_s != 1)} a second"
    return f"{counted(question.clients, 'client')} and {rate}{away}"


def _goals(question: Question) -> str:
    return listed([goal.text for goal in question.goals]) if question.goals else "the goals"


def _takes(row: PatternAdvice) -> str:
    told = [f"p99 {ranged(row.figures.get('p99'), 'ms')}"] if "p99" in row.figures else []
    if "cores" in row.figures:
        cores = few(row.figures["cores"].value)
        told.append(f"{cores} cores in {counted(row.processes, 'process', 'processes')}")
        told.append(quantity(row.figures["memory"].value, "B"))
        told.append(f"{few(row.figures['mbit'].value)} Mbit/s")
    return ", ".join(told)


def plain(value: float) -> str:
    return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def ranged(figure: Estimate | None, unit: str = "") -> str:
    """Return a figure with its interval: 289 ms (98 to 1.0 s); a dash where it is unknown."""
    if figure is None:
        return NONE
    value, low, high = (_said(each, unit) for each in (figure.value, figure.low, figure.high))
    return value if low == high else f"{value} ({low} to {high})"


def middle(figure: Estimate | None, unit: str = "") -> str:
    """Return a figure without its interval."""
    return _said(figure.value, unit) if figure else NONE


def _said(value: float, unit: str) -> str:
    return quantity(value, unit) if unit else few(value)


def few(value: float) -> str:
    """Return a number of cores or Mbit/s with enough digits to differ from 0."""
    return "<0.001" if 0 < value < 0.0005 else number(value, 2 if value >= 0.1 else 3)


def notes(rows: Sequence[PatternAdvice]) -> list[str]:
    """Return why patterns are excluded or uncertain, and what they need: one line for all patterns that share it."""
    told: dict[str, list[str]] = {}
    for row in rows:
        for note in (*row.why, *row.needs):
            told.setdefault(note, []).append(row.label)
    return [f"{listed(labels)}: {note}" for note, labels in told.items()]


def changes(model: Model, question: Question) -> list[AdviceChange]:
    """Return where the answer changes as clients or rate grow, and as they shrink."""
    order = ranked(advise(model, question))
    if not order:
        return []
    ways = (FACTORS, [1 / factor for factor in FACTORS])
    found = [_change(model, question, axis, factors, order[0]) for axis in AXES for factors in ways]
    return [change for change in found if change.holds != change.changes]


def _change(model: Model, question: Question, axis: str, factors: Sequence[float], best: PatternAdvice) -> AdviceChange:
    field = "clients" if axis == "clients" else "rate_per_s"
    last = holds = float(getattr(question, field))
    for asked in along(question, axis, factors):
        value = float(getattr(asked, field))
        if value == holds:
            continue
        try:
            rows = advise(model, asked)
        except ValueError:
            return AdviceChange(axis, holds, value, best.label, None)
        order = ranked(rows)
        if not order and any(row.met is Met.UNKNOWN for row in rows):
            return AdviceChange(axis, holds, value, best.label, None)
        if not order or order[0].pattern != best.pattern:
            return AdviceChange(axis, holds, value, best.label, order[0].label if order else "")
        last, holds = holds, value
    return AdviceChange(axis, holds, holds + (holds - last), best.label, best.label)
