"""PURE. A goal for a pattern, as it is typed: p99 < 1s, missed == 0, memory <= 2GB."""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from reports.model.law import Estimate

COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
TIMES: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4}
BYTES: Final = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}
NO_UNIT: Final = {"": 1.0}
MEASURES: Final[Mapping[str, Mapping[str, float]]] = {
    "p50": TIMES,
    "p99": TIMES,
    "missed": NO_UNIT,
    "cores": NO_UNIT,
    "processes": NO_UNIT,
    "memory": BYTES,
    "mbit": NO_UNIT,
    "connections": NO_UNIT,
    "money": NO_UNIT,
}
"""Measure -> its units, and what one is worth; money is a month's."""
FORM: Final = re.compile(r"\s*(\w+)\s*([<>=!]+)\s*([^\s<>=a-zA-Z]+)\s*([a-zA-Z]*)\s*")
EXAMPLE: Final = '--goal "p99 < 1s"'


class Met(StrEnum):
    """Whether a goal is met: certainly, certainly not, perhaps, or unknown."""

    YES = "yes"
    NO = "no"
    PERHAPS = "perhaps"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Requirement:
    """limit: in ms, bytes, or what the measure counts. text: as it was typed."""

    measure: str
    comparison: str
    limit: float
    text: str

    def met(self, figure: Estimate | None) -> Met:
        """Return whether it is met by every value of an interval, by none, or by some."""
        if figure is None or not math.isfinite(figure.value):
            return Met.UNKNOWN if figure is None else Met.NO
        compare = COMPARISONS[self.comparison]
        ends = {compare(figure.low, self.limit), compare(figure.high, self.limit)}
        return Met.PERHAPS if len(ends) > 1 else Met.YES if True in ends else Met.NO


def parse_goal(text: str) -> Requirement:
    """Read a goal. Raises ValueError naming option, value and remedy."""
    parts = FORM.fullmatch(text)
    if parts is None:
        raise ValueError(f"--goal {text!r} is no goal: write measure, comparison and limit, as {EXAMPLE}")
    name, comparison, number, unit = parts.groups()
    measure, unit = _measure(name, unit)
    if measure not in MEASURES:
        raise ValueError(f"--goal {text!r}: {name} is none of {', '.join(MEASURES)}")
    if comparison not in COMPARISONS:
        raise ValueError(f"--goal {text!r}: {comparison} is none of {', '.join(COMPARISONS)}")
    units = MEASURES[measure]
    if unit not in units:
        known = f"give it as one of {', '.join(units)}" if units is not NO_UNIT else "leave the unit out"
        raise ValueError(f"--goal {text!r}: {unit or 'no unit'} is no unit of {measure}: {known}")
    try:
        limit = float(number) * units[unit]
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit) or limit < 0:
        raise ValueError(f"--goal {text!r}: {number} is no number of 0 or more: write it as {EXAMPLE}")
    return Requirement(measure, comparison, limit, " ".join(text.split()))


def _measure(name: str, unit: str) -> tuple[str, str]:
    """Take latency_p99_ms, as goals of runs have it, for p99 in ms."""
    stem = name.removeprefix("latency_")
    return (stem.removesuffix("_ms"), unit or "ms") if stem.endswith("_ms") else (stem, unit)
