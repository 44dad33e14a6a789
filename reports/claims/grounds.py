"""What was measured for claims -> the steps of each test: the figure, its interval, or why there is none.

Each pattern of a run is judged by its own cells: what makes one INVALID says nothing of the others. As in the model, a
load process that was late spoils latencies only: what the server paid is read from outside.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import exp, hypot, isfinite, log, nan
from pathlib import Path
from typing import Final

import pandas as pd

from loadtests.experiments.observations import read_observations
from reports import experiments
from reports.advice.advise import COSTS, NO_COSTS, Question, answer
from reports.basics.statistics import median_interval
from reports.claims import source
from reports.claims.claim import OfExperiment, OfModel, OfRun, OfSource, Test
from reports.claims.folder import Folder, steps_of
from reports.claims.ruling import Ruled, Step, Tried
from reports.claims.words import load_of, unit_of
from reports.data.load import ReportError
from reports.experiments.effects import figures_of
from reports.model.law import Estimate
from reports.model.model import Model
from reports.validity.caution import WORTHLESS, Caution, verdict
from reports.validity.evidence import evidence

EXPERIMENTS: Final = "experiments"
"""The folder beside the runs that has a folder of each experiment."""
OF_THE_LOAD: Final = frozenset({"generator", "starved"})
"""Topics of cautions about the load process, which has a part in latencies and none in what a server pays."""


@dataclass(frozen=True)
class Part:
    """One pattern at one step of a run: its row of the summary, and what speaks against it."""

    row: "pd.Series[float]"
    cautions: Sequence[Caution]

    def figure(self, name: str) -> Estimate | None:
        value, low, high = (float(self.row.get(column, nan)) for column in (name, f"{name}_low", f"{name}_high"))
        if not isfinite(value):
            return None
        return Estimate(value, low if isfinite(low) else value, high if isfinite(high) else value)

    def worthless(self, name: str) -> str:
        """Say why nothing may be decided from a figure; "" where it may."""
        latency = unit_of(name) == "ms" and not name.startswith("cpu_")
        found = [each for each in self.cautions if latency or each.topic not in OF_THE_LOAD]
        return found[0].what if verdict(found) in WORTHLESS else ""


Measuring = Callable[[str, tuple[str, ...]], Part | str]
"""Run and names of cells -> what they come to, or why nothing."""


@dataclass(frozen=True)
class Grounds:
    """Where a folder of claims was measured. lacking: experiment -> why it could not be made here.

    model: what is said of loads that were not measured; rests_on: which it is.
    """

    folder: Folder
    path: Path
    model: Model
    rests_on: str
    lacking: dict[str, str] = field(default_factory=dict)

    def ruled(self) -> list[Ruled]:
        """Judge every claim. Raises RunRefused, one line, for an experiment that cannot be read."""
        measure = cache(self._measured)
        return [
            Ruled(name, claim, [self._tried(test, measure) for test in claim.tests])
            for name, claim in self.folder.claims.items()
        ]

    def _tried(self, test: Test, measure: Measuring) -> Tried:
        match test:
            case OfRun():
                return Tried(test, self._of_run(test, measure), f"run {test.run}")
            case OfExperiment():
                return Tried(test, [self._of_experiment(test)], f"experiment {test.experiment}")
            case OfModel():
                return Tried(test, [self._of_model(test, at) for at in test.steps or [0.0]], f"model, {load_of(test)}")
            case OfSource():
                return Tried(test, [_of_source(test)], "source")

    def _of_run(self, test: OfRun, measure: Measuring) -> list[Step]:
        steps = steps_of(self.folder.plans[test.run], test)
        asked = [pattern for pattern in (test.pattern, test.over) if pattern]
        return [
            _step(at, test, [measure(test.run, tuple(cells[pattern])) for pattern in asked])
            for at, cells in sorted(steps.items())
        ]

    def _measured(self, run: str, cells: tuple[str, ...]) -> Part | str:
        try:
            found = evidence(self.path / run, cells)
        except ReportError as problem:
            return str(problem)
        return Part(found.summary.iloc[0], found.cautions)

    def _of_experiment(self, test: OfExperiment) -> Step:
        if why := self.lacking.get(test.experiment):
            return Step(0.0, None, why)
        observed = figures_of(
            read_observations(self.path / EXPERIMENTS / test.experiment, experiments.load(test.experiment).ARMS)
        )
        repeats = sorted(repeat for arm, repeat in observed if arm == test.arm)
        values = [observed[test.arm, repeat].get(test.figure, nan) for repeat in repeats]
        if test.over:
            others = [observed.get((test.over, repeat), {}).get(test.figure, nan) for repeat in repeats]
            values = [value / other if other else nan for value, other in zip(values, others, strict=True)]
        if len(values) < 2 or not all(map(isfinite, values)):
            return Step(0.0, None, f"{test.experiment}: fewer than two runs of {test.arm} tell {test.figure}")
        found = median_interval(values)
        return Step(0.0, Estimate(found.median, found.low, found.high))

    def _of_model(self, test: OfModel, at: float) -> Step:
        def given(name: str) -> float:
            return at if test.along == name else float(getattr(test, name))

        question = Question(
            clients=round(given("clients")),
            rate_per_s=given("rate_per_s"),
            rtt_s=given("rtt_ms") / 1e3,
            poll_interval_s=given("poll_interval_s"),
            message_bytes=test.message_bytes,
        )
        figures = []
        for pattern in (each for each in (test.pattern, test.over) if each):
            if pattern not in self.model.laws:
                return Step(at, None, f"the model has no {pattern}")
            row = answer(self.model, question, pattern)
            if test.figure not in row.figures:
                why = [each for each in row.why if test.figure not in COSTS or each.startswith(NO_COSTS)]
                return Step(at, None, f"{row.label}: {why[0] if why else 'messages were missed'}")
            figures.append(row.figures[test.figure])
        return _compared(at, test, figures, of_laws)


def _step(at: float, test: OfRun, parts: Sequence[Part | str]) -> Step:
    figures = []
    for part in parts:
        if isinstance(part, str):
            return Step(at, None, part)
        if why := part.worthless(test.figure):
            return Step(at, None, f"{part.row['label']}: {why}")
        figures.append(part.figure(test.figure))
    return _compared(at, test, figures)


def _of_source(test: OfSource) -> Step:
    counts = [source.counted(each)[test.figure] for each in (test.pattern, test.over) if each]
    return _compared(0.0, test, [Estimate(count, count, count) for count in counts])


def of_repeats(one: Estimate, other: Estimate) -> Estimate:
    """Return how many times another a figure is: of ranges over repeats at least, and at most."""
    return Estimate(one.value / other.value, one.low / other.high, one.high / other.low)


def of_laws(one: Estimate, other: Estimate) -> Estimate:
    """The same of figures of two laws, fitted to cells of their own: their doubts do not come together, but add up as
    those of independent things do, by squares of logarithms.
    """
    ratio = one.value / other.value
    down = hypot(log(one.value / one.low), log(other.high / other.value))
    up = hypot(log(one.high / one.value), log(other.value / other.low))
    return Estimate(ratio, ratio * exp(-down), ratio * exp(up))


def _compared(
    at: float,
    test: Test,
    figures: Sequence[Estimate | None],
    ratio: Callable[[Estimate, Estimate], Estimate] = of_repeats,
) -> Step:
    """Return the one figure; of two, how many times the second the first is."""
    one, *others = figures
    if one is None or any(other is None for other in others):
        return Step(at, None, f"{test.figure} is not known there")
    for other in filter(None, others):
        if other.low <= 0:
            return Step(at, None, f"{test.figure} may be 0, and nothing is a multiple of that")
        one = ratio(one, other)
    return Step(at, one)
