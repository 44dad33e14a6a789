"""Common advice, judged: an experiment that `loadtests/experiments` measured, read as a page.

The file name in practices/ is the registration, the same as that of the file that measures. A module holds

TITLE; ADVICE (the common advice, one sentence); MECHANISM (why it should matter); LIMITS (where the result stops
holding); ARMS (name -> label, the first without the practice); EFFECTS (what is compared, from which arm to which, and
what is expected); verdict(effects) (one sentence of advice with the measured numbers, which says when they are not
proven); draw(points, look) (the chart that makes the mechanism visible); and, only where the arms are whole cells,
read(where) (the observation that run folders in `where` amount to).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Final, Literal, Protocol, cast

import pandas as pd
from matplotlib.figure import Figure

from reports.charts.style import Look
from reports.experiments import practices

SAME: Final = 0.05
"""A ratio nearer to 1 than this counts as no change where no change was expected."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a practice is said to change: `figure` of an observation, from the arm `base` to `arm`.

    unit: as reports.basics.units.quantity takes it. expected: the direction in which the advice says that it changes,
    "" for none. kind: how the change is expressed; a figure that may be 0 has no ratio.
    """

    figure: str
    label: str
    unit: str
    base: str
    arm: str
    expected: Literal["lower", "higher", "same", ""] = ""
    kind: Literal["ratio", "difference"] = "ratio"

    @property
    def nothing(self) -> float:
        """The change that is none."""
        return 1.0 if self.kind == "ratio" else 0.0


@dataclass(frozen=True, slots=True)
class MeasuredEffect:
    """An effect, measured. base, arm: medians over the repeats.

    change: the median of the changes in each repeat, arm over base (or arm less base); low, high: its interval, with
    `confidence`.
    proven: whether that interval excludes no change, with enough confidence (see effects.py).
    """

    effect: Effect
    base: float
    arm: float
    change: float
    low: float
    high: float
    proven: bool
    confidence: float = 0.0
    repeats: int = 0

    @property
    def state(self) -> str:
        """Compare it with the expectation: "as expected", "opposite", "differs", "same", or "~" for not shown."""
        effect, rises = self.effect, self.change > self.effect.nothing
        if effect.expected == "same":
            small = effect.kind == "ratio" and abs(self.change - 1) <= SAME
            return "differs" if self.proven and not small else "same" if self.change == self.change else "~"
        if not self.proven:
            return "~"
        if not effect.expected:
            return "differs"
        return "as expected" if rises == (effect.expected == "higher") else "opposite"

    @property
    def contradicts(self) -> bool:
        """Whether it is proven that the expectation is wrong."""
        return self.state == "opposite" or (self.state == "differs" and self.effect.expected == "same")


Effects = Mapping[tuple[str, str], MeasuredEffect]
"""Measured effects by (figure, arm)."""


class Experiment(Protocol):
    """What a module of practices/ holds."""

    TITLE: str
    ADVICE: str
    MECHANISM: str
    LIMITS: str
    ARMS: Mapping[str, str]
    EFFECTS: Sequence[Effect]

    def verdict(self, effects: Effects) -> str: ...
    def draw(self, points: pd.DataFrame, look: Look) -> Figure: ...


def names() -> list[str]:
    return sorted(module.name.replace("_", "-") for module in iter_modules(practices.__path__))


def load(name: str) -> Experiment:
    return cast(Experiment, import_module(f"{practices.__name__}.{name.replace('-', '_')}"))
