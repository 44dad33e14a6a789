"""PURE. Measured beside theory as rows of text: a line for each situation, in each cell a figure and its bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from loadtests.scenario.dimensions import DIMENSIONS
from reports.basics.units import THIN, number
from reports.data.situations import SITUATION
from reports.theory.compare import FIGURES, Agreement


@dataclass(frozen=True, slots=True)
class TheoryCell:
    """What was measured, and between what theory says it lies. off: it does not."""

    value: str
    bounds: str
    off: bool


@dataclass(frozen=True, slots=True)
class TheoryTable:
    """columns: title and unit. lines: name, and a figure for each column or None. off: whether any figure is."""

    columns: Sequence[tuple[str, str]]
    lines: Sequence[tuple[str, Sequence[TheoryCell | None]]]
    off: bool


def theory_table(agreements: Sequence[Agreement]) -> TheoryTable:
    """Lay out all agreements; columns that no situation has are left out."""
    names = [name for name in FIGURES if any(each.name == name for each in agreements)]
    situations = [list(rows) for _, rows in groupby(agreements, key=situation)]
    lines = []
    for rows in situations:
        figures = {each.name: figure(each) for each in rows}
        lines.append((_title(rows[0], agreements), [figures.get(name) for name in names]))
    return TheoryTable([FIGURES[name] for name in names], lines, off=not all(each.agrees for each in agreements))


def situation(each: Agreement) -> list[object]:
    return [getattr(each, key) for key in SITUATION]


def figure(each: Agreement) -> TheoryCell:
    value, low, high = _texts(each)
    bounds = low if low == high else f"{low}\N{EN DASH}{high}"
    return TheoryCell(value, bounds, not each.agrees)


def in_words(each: Agreement) -> str:
    """Say a figure and its bounds in a sentence: mean 560 ms, by theory 471 to 534 ms."""
    title, unit = FIGURES[each.name]
    value, low, high = _texts(each)
    bounds = low if low == high else f"{low} to {high}"
    return f"{title.lower()} {value}{THIN if unit else ''}{unit}, by theory {bounds}"


def _texts(each: Agreement) -> tuple[str, str, str]:
    """Write what was measured and its bounds: a figure that is off, with as many digits as it takes to see it."""
    scale = 100 if FIGURES[each.name][1] == "%" else 1
    for digits in range(3, 8):
        value, low, high = (number(amount * scale, digits) for amount in (each.measured, each.low, each.high))
        if each.agrees or value not in (low, high):
            break
    return value, low, high


def _title(each: Agreement, others: Sequence[Agreement]) -> str:
    """Name the pattern, and of its situation what not all have in common."""
    told = {"scenario": each.scenario}
    told |= {dimension.column: dimension.says(getattr(each, dimension.column)) for dimension in DIMENSIONS}
    differing = [text for key, text in told.items() if len({getattr(other, key) for other in others}) > 1]
    return ", ".join([each.label, *differing])
