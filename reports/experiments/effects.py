"""PURE. Observations of an experiment's arms -> its effects, each with its interval, and the words for them.

Arms take turns, so the two observations of one repeat share what the machine was doing. Hence the change is taken
within each repeat and its median over the repeats is quoted; what drifts from repeat to repeat cancels out.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, nan
from typing import Final

import numpy as np

from loadtests.experiments.observations import Observed
from reports.basics.statistics import median_interval
from reports.basics.units import NONE, THIN, number, quantity
from reports.experiments import Effect, MeasuredEffect

SURE: Final = 0.9
"""The least confidence with which an effect is called proven: five repeats that agree have 0.94, four 0.88."""
FEWEST_REPEATS: Final = 5
"""Repeats from which an interval can be as sure as that."""
TILDE: Final = "~"
MINUS: Final = "\N{MINUS SIGN}"
Figures = Mapping[tuple[str, int], Mapping[str, float]]
"""What was observed: (arm, repeat) -> figure -> value."""


def figures_of(observations: Iterable[Observed]) -> Figures:
    """Return the figures that count: those of a run that must not be used for a decision are left out."""
    return {(each.arm, each.repeat): each.known() for each in observations if not each.invalid}


def measured(effects: Iterable[Effect], observed: Figures) -> dict[tuple[str, str], MeasuredEffect]:
    """Return each effect by (figure, arm). Repeats that lack an arm are left out of what compares it."""
    return {(effect.figure, effect.arm): _measured(effect, observed) for effect in effects}


def _measured(effect: Effect, observed: Figures) -> MeasuredEffect:
    repeats = sorted(repeat for arm, repeat in observed if arm == effect.base and (effect.arm, repeat) in observed)
    base, arm = (
        [observed[side, repeat].get(effect.figure, nan) for repeat in repeats] for side in (effect.base, effect.arm)
    )
    changes = [_change(effect, before, after) for before, after in zip(base, arm, strict=True)]
    middle_base, middle_arm = _median(base), _median(arm)
    if not changes or not all(isfinite(change) for change in changes):
        return MeasuredEffect(effect, middle_base, middle_arm, nan, nan, nan, proven=False, repeats=len(changes))
    found = median_interval(changes)
    proven = found.confidence >= SURE and not found.low <= effect.nothing <= found.high
    return MeasuredEffect(
        effect, middle_base, middle_arm, found.median, found.low, found.high, proven, found.confidence, found.repeats
    )


def _change(effect: Effect, base: float, arm: float) -> float:
    if effect.kind == "difference":
        return arm - base
    return arm / base if base else nan


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else nan


def change_text(found: MeasuredEffect) -> str:
    """Return the change for people: -69 %, 3.2 x, or the difference with its unit and sign, set as numbers are."""
    return _one(found, found.change) if isfinite(found.change) else NONE


def interval_text(found: MeasuredEffect) -> str:
    """Return the interval of the change: -70 % to -67 %; "" when it is unknown."""
    if not isfinite(found.change):
        return ""
    low, high = _one(found, found.low), _one(found, found.high)
    return low if low == high else f"{low} to {high}"


def said(found: MeasuredEffect) -> str:
    """Return the change for a sentence, marked when it is not proven: "-69 %", or "~-2 %"."""
    same = found.effect.expected == "same"
    return change_text(found) if found.proven or same else f"{TILDE}{THIN}{change_text(found)}"


def with_doubt(sentence: str, *leaning_on: MeasuredEffect) -> str:
    """Return the sentence, saying so when what it leans on is not all proven."""
    return sentence if all(each.proven for each in leaning_on) else f"{sentence} ~: not proven."


def brief(value: float) -> str:
    """Return a number for a sentence, with two digits."""
    return number(value, 2)


def ms(value: float) -> str:
    return quantity(value, "ms")


def _one(found: MeasuredEffect, change: float) -> str:
    if found.effect.kind == "difference":
        return _signed(change, quantity(abs(change), found.effect.unit))
    # One form for the change and both its ends: a row that mixes "2.1 x" and "+95 %" cannot be read.
    if found.change >= 2:
        return f"{number(change, 2)}{THIN}\N{MULTIPLICATION SIGN}"
    return _signed(change - 1, f"{number(abs(change - 1) * 100, 2)}{THIN}%")


def _signed(change: float, size: str) -> str:
    return size if change == 0 else f"{'+' if change > 0 else MINUS}{size}"
