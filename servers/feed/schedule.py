"""PURE. When message n is due: arithmetic, fixed before the run starts.

A schedule answers; the publisher sleeps. Because due instants never depend on what the server managed to do, a
stall cannot hide: messages that came late still carry the instant at which they should have come (wrk2's rule).
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Protocol

from servers.timing import NS_PER_S


class Schedule(Protocol):
    """Due instants, as offsets in ns from the schedule's start, in order, without end."""

    @property
    def rate_per_s(self) -> float:
        """Mean messages per second; 0 when nothing is ever published on schedule."""

    def offsets_ns(self) -> Iterator[int]:
        """Yield the offset of message 1, 2, 3, ..."""


@dataclass(frozen=True, slots=True)
class Manual:
    """Nothing on schedule: messages come only from POST /api/message."""

    rate_per_s: float = 0.0

    def offsets_ns(self) -> Iterator[int]:
        return iter(())

    def __str__(self) -> str:
        return "manual"


@dataclass(frozen=True, slots=True)
class Steady:
    """One message every 1/rate seconds, the first after one period."""

    rate_per_s: float

    def offsets_ns(self) -> Iterator[int]:
        n = 0
        while True:
            n += 1
            yield round(n * NS_PER_S / self.rate_per_s)

    def __str__(self) -> str:
        return f"steady:{_exact(self.rate_per_s)}"


@dataclass(frozen=True, slots=True)
class Poisson:
    """Independent arrivals at a mean rate: exponential gaps, the same for the same seed.

    The default for measurements, because no poll interval can lock onto its phase.
    """

    rate_per_s: float
    seed: int = 1

    def offsets_ns(self) -> Iterator[int]:
        random_gap = random.Random(self.seed)
        at_s = 0.0
        while True:
            at_s += random_gap.expovariate(self.rate_per_s)
            yield round(at_s * NS_PER_S)

    def __str__(self) -> str:
        return f"poisson:{_exact(self.rate_per_s)}" + (f",seed={self.seed}" if self.seed != 1 else "")


@dataclass(frozen=True, slots=True)
class Burst:
    """`size` messages due at the same instant, once every `period_s`, the first burst after one period."""

    size: int
    period_s: float

    @property
    def rate_per_s(self) -> float:
        return self.size / self.period_s

    def offsets_ns(self) -> Iterator[int]:
        burst = 0
        while True:
            burst += 1
            due_ns = round(burst * self.period_s * NS_PER_S)
            yield from repeat(due_ns, self.size)

    def __str__(self) -> str:
        return f"burst:{self.size}/{_exact(self.period_s)}"


@dataclass(frozen=True, slots=True)
class Stairs:
    """At one rate for `step_s`, then at a higher one; rates rise by the same factor. Then no more.

    For finding the rate at which something breaks, in one go. Evenly spaced; or at random instants of their step, as
    Poisson arrivals are once it is known how many there were: then queues form before the rate is too high.
    """

    first_per_s: float
    last_per_s: float
    steps: int
    step_s: float
    at_random: bool = False

    @property
    def rate_per_s(self) -> float:
        counts = self.counts()
        return sum(counts) / (len(counts) * self.step_s)

    def counts(self) -> list[int]:
        """Return how many messages each step has."""
        rise = (self.last_per_s / self.first_per_s) ** (1 / max(1, self.steps - 1))
        return [round(self.first_per_s * rise**step * self.step_s) for step in range(self.steps)]

    def offsets_ns(self) -> Iterator[int]:
        draw = random.Random(1).random
        for step, count in enumerate(self.counts()):
            for share in in_order(count, draw) if self.at_random else ((n + 1) / count for n in range(count)):
                yield max(0, round((step + share) * self.step_s * NS_PER_S) - 1)

    def __str__(self) -> str:
        spacing = ",random" if self.at_random else ""
        rates = f"{_exact(self.first_per_s)}-{_exact(self.last_per_s)}"
        return f"stairs:{rates}/{self.steps}x{_exact(self.step_s)}{spacing}"


def in_order(count: int, draw: Callable[[], float]) -> Iterator[float]:
    """Yield so many instants of 0 to 1, each as likely as any other, lowest first, without a list of them.

    The lowest of n is a root of one draw away from the lowest possible (Bentley and Saxe 1980).
    """
    left = 1.0
    for still in range(count, 0, -1):
        left *= (1 - draw()) ** (1 / still)
        yield 1 - left


LOW, HIGH = 1e-6, 1e6
STEPS_MAX, STAIRS_MAX = 1000, 10_000_000
SHOWN = 80
"""Characters of a text that was refused."""
FORMS = (
    "manual | steady:RATE | poisson:RATE[,seed=N] | burst:SIZE/PERIOD_S | stairs:RATE-RATE/STEPSxSTEP_S[,random] "
    "(RATE in messages per second; every number but N from 1e-6 to 1e6; stairs have at most 1000 steps and 1 to "
    "10000000 messages)"
)


def parse_schedule(text: str) -> Schedule:
    """Read a schedule from its one-line form, the inverse of `str(schedule)`.

    Raises ValueError naming the text and the accepted forms.
    """
    kind, _, rest = text.strip().partition(":")
    try:
        if kind == "manual" and not rest:
            return Manual()
        if kind == "steady":
            return Steady(_number(rest))
        if kind == "poisson":
            rate, comma, option = rest.partition(",")
            if not comma:
                return Poisson(_number(rate))
            name, _, seed = option.partition("=")
            if name == "seed":
                return Poisson(_number(rate), int(seed))
        if kind == "burst":
            size, _, period = rest.partition("/")
            if 1 <= int(size) <= HIGH:
                return Burst(int(size), _number(period))
        if kind == "stairs":
            climb, comma, spacing = rest.partition(",")
            rates, _, stairs = climb.partition("/")
            (first, last), (steps, step) = map(_number, rates.split("-")), stairs.split("x")
            if first <= last and 1 <= int(steps) <= STEPS_MAX and (not comma or spacing == "random"):
                climbed = Stairs(first, last, int(steps), _number(step), at_random=bool(comma))
                if 1 <= sum(climbed.counts()) <= STAIRS_MAX:
                    return climbed
    except ValueError:
        pass
    raise ValueError(f"schedule {text[:SHOWN]!r} is none of: {FORMS}")


def _exact(value: float) -> str:
    """Write a number so that it reads back as itself: a journal is compared with the text of its schedule."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _number(text: str) -> float:
    value = float(text)
    if not LOW <= value <= HIGH:
        raise ValueError(text)
    return value
