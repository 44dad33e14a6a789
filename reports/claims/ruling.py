"""PURE. Measured steps and the bounds of a claim's file -> confirmed, refuted, holds if, or not decided.

A step holds when its whole interval lies within the bounds, fails when all of it lies outside, and is open otherwise:
repeats that disagree decide nothing. A test without a condition must hold. Where tests have conditions, or steps along
a dimension, and some hold and some fail, the claim holds if.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, pairwise
from math import exp, inf, log
from operator import gt, lt
from typing import Final

from reports.claims.claim import Claim, OfModel, OfRun, Test
from reports.model.law import Estimate


class State(StrEnum):
    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open"
    UNKNOWN = "not known"


class Verdict(StrEnum):
    CONFIRMED = "confirmed"
    HOLDS_IF = "holds if"
    REFUTED = "refuted"
    OPEN = "open"
    NOT_JUDGED = "not judged"


SURE: Final = (State.HOLDS, State.FAILS)
Span = tuple[float, float]
"""From where to where along a dimension; infinite where nothing ends it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One figure of a test. at: its value along the test's dimension, 0 where it has none. why_not: why it is None."""

    at: float
    figure: Estimate | None
    why_not: str = ""

    def state(self, low: float, high: float) -> State:
        if self.figure is None:
            return State.UNKNOWN
        if low <= self.figure.low and self.figure.high <= high:
            return State.HOLDS
        return State.FAILS if self.figure.high < low or self.figure.low > high else State.OPEN


@dataclass(frozen=True, slots=True)
class ClaimCrossover:
    """Where the answer changes: `at`, where the figures pass `bound`; surely so between low and high."""

    at: float
    bound: float
    low: float
    high: float


@dataclass(frozen=True)
class Tried:
    """A test and its steps, from the least on. source: where its figures come from, for people."""

    test: Test
    steps: Sequence[Step]
    source: str

    @property
    def along(self) -> str:
        return self.test.along if isinstance(self.test, OfRun | OfModel) else ""

    @property
    def conditional(self) -> bool:
        return bool(self.along or self.test.given)

    @property
    def known(self) -> list[tuple[Step, State]]:
        """Return the steps of which there is a figure."""
        return [(step, step.state(*self.test.bounds)) for step in self.steps if step.figure is not None]

    @property
    def states(self) -> set[State]:
        return {state for _, state in self.known} or {State.UNKNOWN}

    @property
    def crossovers(self) -> list[ClaimCrossover]:
        """Return where the answer changes along the dimension."""
        sure = [at for at, (_, state) in enumerate(self.known) if state in SURE]
        changes = [(left, right) for left, right in pairwise(sure) if self.known[left][1] is not self.known[right][1]]
        return [self._crossover([step for step, _ in self.known[left : right + 1]]) for left, right in changes]

    def _crossover(self, steps: Sequence[Step]) -> ClaimCrossover:
        for near, far in pairwise(steps):
            assert near.figure is not None and far.figure is not None
            values = near.figure.value, far.figure.value
            for bound, outside in zip(self.test.bounds, (lt, gt), strict=True):
                if outside(values[0], bound) != outside(values[1], bound):
                    at = _passes((near.at, far.at), values, bound)
                    return ClaimCrossover(at, bound, steps[0].at, steps[-1].at)
        raise AssertionError("what lay on one side of a bound, and then on the other, has passed it")

    def spans(self, wanted: State) -> list[Span]:
        """Return from where to where it holds, or fails, along the dimension: from one crossover to the next, and where
        steps are open to the last that does.
        """
        sure = [(step.at, state) for step, state in self.known if state in SURE]
        if not sure:
            return []
        first = -inf if self.known[0][1] in SURE else sure[0][0]
        last = inf if self.known[-1][1] in SURE else sure[-1][0]
        borders = pairwise([first, *(each.at for each in self.crossovers), last])
        states = [state for state, _ in groupby(state for _, state in sure)]
        return [span for state, span in zip(states, borders, strict=True) if state is wanted]


@dataclass(frozen=True)
class Ruled:
    """A claim and what became of it."""

    name: str
    claim: Claim
    tried: Sequence[Tried]

    @property
    def conditions(self) -> dict[str, list[Tried]]:
        """Return the tests that have a condition, by it; along a dimension without another one: by ""."""
        found: dict[str, list[Tried]] = {}
        for each in self.tried:
            if each.conditional:
                found.setdefault(each.test.given, []).append(each)
        return found

    @property
    def verdict(self) -> Verdict:
        must = {state for each in self.tried if not each.conditional for state in each.states}
        under = {state for tests in self.conditions.values() for state in together(tests)}
        if State.FAILS in must or under == {State.FAILS}:
            return Verdict.REFUTED
        if must | under == {State.UNKNOWN}:
            return Verdict.NOT_JUDGED
        if {State.HOLDS, State.FAILS} <= under:
            return Verdict.HOLDS_IF
        return Verdict.CONFIRMED if must | under == {State.HOLDS} else Verdict.OPEN


def together(tests: Sequence[Tried]) -> set[State]:
    """Return the states of tests that are about one condition: what fails for one of them fails under it."""
    if any(each.states == {State.FAILS} for each in tests):
        return {State.FAILS}
    states = {state for each in tests for state in each.states}
    return states if all(State.HOLDS in each.states for each in tests) else states - {State.HOLDS}


def _passes(at: tuple[float, float], values: tuple[float, float], bound: float) -> float:
    """Return where a line between two points passes a bound, on logarithmic axes where it can be drawn on them."""
    if min(*at, *values, bound) <= 0:
        return at[0] + (at[1] - at[0]) * (bound - values[0]) / (values[1] - values[0])
    share = log(bound / values[0]) / log(values[1] / values[0])
    return at[0] * exp(share * log(at[1] / at[0]))
