"""Common advice, tested: the file name is the registration, shown with `-` for `_`. A module of practices/ has

TITLE; ADVICE (what everybody says, one sentence); MECHANISM (why it should matter); LIMITS (where the result stops
holding); ARMS (name -> label, the first without the practice); EFFECTS (what is compared, from which arm to which);
PROGRAMS (only where it needs some that pip cannot bring: program -> Debian package);
measure(arm, where, quick=...) (one run of one arm, everything it started stopped on return and on error);
verdict({(figure, arm): Measured}) (one sentence of advice with the measured numbers, which says so when unproven);
and draw(points, look) (the chart that makes the mechanism visible).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import SimpleNamespace
from typing import Final, Literal, Protocol, cast

import pandas as pd
from matplotlib.figure import Figure

from loadtests.host.external import NotInstalled, find_program
from reports.charts.style import Look
from reports.experiments import practices

SAME: Final = 0.05
"""A ratio nearer to 1 than this is nothing that somebody who expected no change would have to act upon."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One run of one arm. figures: name, with its unit, -> value; NaN for what this machine does not tell.

    points: tidy rows for the chart, which gets them with the columns arm and repeat.
    doubts: what speaks against believing this run, one line each; the page shows them. invalid: why nothing may be
    decided from it, one line each; then its figures count for nothing.
    """

    figures: dict[str, float]
    points: list[dict[str, float | str]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a practice is said to change: `figure` of an observation, from the arm `base` to `arm`.

    unit: as reports.basics.units.quantity takes it. expected: where the advice says that it goes, "" when it says
    nothing.
    kind: how the change is told; a figure that may be 0 has no ratio.
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
class Measured:
    """An effect, measured. base, arm: medians over the repeats.

    change: the median of what each repeat changed, arm over base (or less it) in the same repeat, between low and
    high with `confidence`. proven: whether that excludes no change, surely enough to be said (see effects.py).
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
        """What became of the expectation: "as expected", "opposite", "differs", "same", or "~" for not shown."""
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
        """Whether what was measured is proven not to be what was expected."""
        return self.state == "opposite" or (self.state == "differs" and self.effect.expected == "same")


Effects = Mapping[tuple[str, str], Measured]
"""Measured effects by (figure, arm)."""


class Experiment(Protocol):
    """What a module of practices/ holds."""

    TITLE: str
    ADVICE: str
    MECHANISM: str
    LIMITS: str
    ARMS: Mapping[str, str]
    EFFECTS: Sequence[Effect]

    def measure(self, arm: str, where: Path, *, quick: bool) -> Observation: ...
    def verdict(self, effects: Effects) -> str: ...
    def draw(self, points: pd.DataFrame, look: Look) -> Figure: ...


def names() -> list[str]:
    found = (module.name for module in iter_modules(practices.__path__) if not module.name.startswith("_"))
    return sorted(name.replace("_", "-") for name in found)


def digest(name: str) -> str:
    """Name the code of an experiment; "" for one that has no file here."""
    file = Path(practices.__path__[0]) / f"{name.replace('-', '_')}.py"
    return sha256(file.read_bytes()).hexdigest()[:12] if file.exists() else ""


def lacking(experiment: Experiment) -> str:
    """Say which program this machine lacks for an experiment and how to get it, one line; "" for none."""
    needed: Mapping[str, str] = getattr(experiment, "PROGRAMS", {})
    try:
        for program, package in needed.items():
            find_program(program, package)
    except NotInstalled as missing:
        return str(missing)
    return ""


def load(name: str) -> Experiment:
    return cast(Experiment, import_module(f"{practices.__name__}.{name.replace('-', '_')}"))


def with_arms(experiment: Experiment, arms: Collection[str]) -> Experiment:
    """Return an experiment that has only these of its arms, for who asks for less than the whole."""
    kept = {name: label for name, label in experiment.ARMS.items() if name in arms}
    return cast(Experiment, SimpleNamespace(**vars(experiment) | {"ARMS": kept}))
