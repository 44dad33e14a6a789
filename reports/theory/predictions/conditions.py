"""PURE. What the predictions share: the conditions of a cell, and what is said of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from reports.theory.oracles import Floats, Gaps

Counts = NDArray[np.int64]

SURE: Final = 4.0
"""Standard errors that chance is given. With three, one report of ten would cry wolf: it has some fifty figures."""
QUANTILES: Final = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99}
CLOCK_S: Final = 0.0002
"""How far below theory a latency may lie: what a relay's timer, and CLOCK_MONOTONIC on two cores, may be off."""
WAKE_S: Final = 0.0005
"""What a process on the way may take to wake up and do its part, on a machine with nothing else to do."""
READ_S: Final = 0.000_025
ASK_S: Final = 0.000_05
"""What the load side takes at most to read a streamed message, to read an answer and ask again (measured: 17, 38)."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What theory says, and between what a run without fault lies: chance, the clock, and processes that woke late."""

    theory: float
    low: float
    high: float


@dataclass(frozen=True)
class Expected:
    """latency_ms: as many values as it takes to show their distribution, ascending. bounds: by column of measures.

    answers: how many a client gets between two instants.
    """

    latency_ms: Floats
    bounds: Mapping[str, Bound]
    answers: Callable[[float, float], float] = lambda _from, _until: 0.0


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """One cell as theory sees it. Instants are seconds from the start of the window, in the order of ids.

    due, published: of every message of the cell. end: when the load ended. joined: first and last user's start.
    delay: one way. gaps: between two polls; gaps_slack: how much longer they may be. hold: of a long poll; limit: most
    messages of its answer, None for all. heartbeat: silence after which a connection is probed, 0 for none. turnaround:
    from an answer to the next request. cost: the server's CPU for one delivery of a stream, or one answer to a poll.
    greeting: how much longer the first poll on a connection takes, where such polls may end in the window; 0 elsewhere.
    wakes: how many processes a message must wake on its way. late, latest: how late they were in most seconds, and in
    the worst, from the load side's own loop. repeats: how many cells like this one the median is taken of. clock: by
    how much an instant of the load may be wrong beside the publisher's.
    """

    due: Floats
    published: Floats
    window: float
    end: float
    clients: int
    joined: tuple[float, float]
    delay: float
    gaps: Gaps
    gaps_slack: float
    hold: float
    limit: int | None
    heartbeat: float
    turnaround: float
    cost: float
    greeting: float
    wakes: int
    late: float
    latest: float
    repeats: int
    clock: float = 0.0

    @property
    def own(self) -> NDArray[np.bool_]:
        """Which messages were due in the window, and are measured."""
        return (self.due >= 0) & (self.due < self.window)

    @property
    def has_theory(self) -> bool:
        """Whether something was due, all clients were there to get it, and polls did not follow each other at once."""
        return bool(self.own.any()) and self.joined[1] <= 0 and self.gaps.mean > 0

    @property
    def told(self) -> Floats:
        """When those who wait were told of each message: after all that its wake-up brought."""
        wakes = woken(self.due, self.published)
        last = np.append(np.flatnonzero(np.diff(wakes)), len(wakes) - 1)
        told: Floats = self.published[last][wakes]
        return told

    @property
    def slack(self) -> float:
        """What processes that wake late may add."""
        return self.wakes * WAKE_S + self.late

    @property
    def tail_slack(self) -> float:
        """The same for the slowest deliveries, which may have met the worst of each."""
        return self.wakes * (WAKE_S + self.latest)

    def latency_bound(self, name: str, theory: float, low: float, high: float) -> Bound:
        """Add the clock's error below and late processes above. In: s, of a column of measures; out: ms.

        One stall a second delays as large a share of the messages as it is long, in each process on their way; a
        quantile that leaves few above it then consists of those.
        """
        stalled = (self.wakes + 1) * self.latest
        slack = self.tail_slack if 3 * stalled >= 1 - QUANTILES.get(name, 0.0) else self.slack
        return Bound(theory * 1e3, max(0.0, low - CLOCK_S - self.clock) * 1e3, (high + slack + self.clock) * 1e3)


def quantile(ascending: Floats, q: float) -> float:
    """As measures.py takes it: a value that is there, not one between."""
    return float(ascending[max(0, int(np.ceil(min(q, 1.0) * len(ascending))) - 1)])


def measure(ascending: Floats, name: str) -> float:
    """Return the mean or a quantile, by column of measures; NaN of nothing."""
    if not len(ascending):
        return np.nan
    return float(ascending.mean()) if name == "mean_ms" else quantile(ascending, QUANTILES[name])


def trials(at: Conditions) -> float:
    """How many users' chance is averaged: clients, and repeats, of whose median the error is a little larger than of
    their mean (normal; nearly exact up to 100 repeats)."""
    return at.clients * (at.repeats + np.pi / 2 - 1) / (np.pi / 2)


def chance_of_mean(own: Floats, at: Conditions) -> tuple[float, float]:
    """Return how far below and above its expectation chance may take a mean, given what many imagined users have.

    SURE standard errors, and more on the side to which the values are skewed (Cornish and Fisher 1938).
    """
    spread, count = own.std(), trials(at)
    if not spread > 0:
        return 0.0, 0.0
    skew = ((own - own.mean()) ** 3).mean() / spread**3 / np.sqrt(count)
    leaning = (SURE**2 - 1) * skew / 6
    error = spread / np.sqrt(count)
    return float(error * (SURE + max(0.0, -leaning))), float(error * (SURE + max(0.0, leaning)))


def chance_of_quantile(
    q: float, latency: Callable[[float], float], users: Floats, at: Conditions
) -> tuple[float, float]:
    """Return between what latencies a quantile lies that is measured, by chance alone.

    latency: the true quantile function; users: what each of many imagined users has, a row each. The spread of their
    own shares below a latency says how many independent messages would have that spread; of so many, the level of the
    measured quantile has the beta distribution of order statistics, taken on its safe side.
    """

    def messages(level: float) -> float:
        spread = float(np.std((users <= latency(level)).mean(axis=1)))
        return trials(at) * level * (1 - level) / spread**2 if spread > 0 else inf

    def levels(count: float) -> tuple[float, float]:
        if count == inf:
            return q, q
        below, above = q * count, max((1 - q) * count, 1e-9)
        rare = special.ndtr(-SURE)
        low, high = special.betaincinv(below, above + 1, rare), special.betainccinv(below + 1, above, rare)
        return float(low), float(high)

    count = messages(q)
    low, high = levels(count)
    # Farther out users may be more alike: long gaps catch many messages at once.
    low, high = levels(min(count, messages(low)))[0], levels(min(count, messages(high)))[1]
    return float(latency(low)), float(latency(high))


def woken(due: Floats, published: Floats) -> Counts:
    """Return the number of the wake-up in which each message was published, from 0: one takes along all that is due."""
    wakes = np.zeros(len(due), np.int64)
    first = published[0] if len(due) else 0.0
    for n in range(1, len(due)):
        together = due[n] <= first
        wakes[n] = wakes[n - 1] + (not together)
        first = first if together else published[n]
    return wakes
