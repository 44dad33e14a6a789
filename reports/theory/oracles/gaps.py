"""PURE. How polls follow each other: what renewal theory needs to know of the gaps between them, in seconds."""

from dataclasses import dataclass
from math import exp, expm1, inf, log1p, sqrt
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Gaps(Protocol):
    """How long from one poll to the next, each time anew."""

    @property
    def mean(self) -> float: ...
    @property
    def mean_square(self) -> float: ...
    def quantile(self, q: Floats) -> Floats:
        """Return the gaps that a share q of all gaps does not exceed."""

    def laplace(self, rate: float) -> float:
        """Return the mean of exp(-rate * gap): how probably nothing is published in a gap."""

    def wait_cdf(self, wait: Floats) -> Floats:
        """Return the share of all instants after which the next poll comes within `wait`."""

    def wait_quantile(self, q: float) -> float:
        """Return the inverse of `wait_cdf`."""


@dataclass(frozen=True, slots=True)
class Every:
    """Polls one interval apart. A pause after each answer is this too, its interval the pause and the answer's time."""

    interval: float

    @property
    def mean(self) -> float:
        return self.interval

    @property
    def mean_square(self) -> float:
        return self.interval**2

    def quantile(self, q: Floats) -> Floats:
        return np.full_like(q, self.interval)

    def laplace(self, rate: float) -> float:
        return exp(-rate * self.interval)

    def wait_cdf(self, wait: Floats) -> Floats:
        return np.clip(wait / self.interval, 0, 1)

    def wait_quantile(self, q: float) -> float:
        return q * self.interval


@dataclass(frozen=True, slots=True)
class UniformGaps:
    """Each gap drawn between `shortest` and `longest`, as Locust's `between` does."""

    shortest: float
    longest: float

    @property
    def mean(self) -> float:
        return (self.shortest + self.longest) / 2

    @property
    def mean_square(self) -> float:
        a, b = self.shortest, self.longest
        return (a * a + a * b + b * b) / 3

    def quantile(self, q: Floats) -> Floats:
        return self.shortest + q * (self.longest - self.shortest)

    def laplace(self, rate: float) -> float:
        a, b = self.shortest, self.longest
        return exp(-rate * a) * -expm1(-rate * (b - a)) / (rate * (b - a))

    def wait_cdf(self, wait: Floats) -> Floats:
        a, b = self.shortest, self.longest
        beyond = np.clip(wait, a, b) - a
        return (np.clip(wait, 0, a) + beyond - beyond**2 / (2 * (b - a))) / self.mean

    def wait_quantile(self, q: float) -> float:
        a, b, reached = self.shortest, self.longest, q * self.mean
        return reached if reached <= a else b - sqrt(max(0.0, 2 * (b - a) * (self.mean - reached)))


@dataclass(frozen=True, slots=True)
class ExponentialGaps:
    """Each gap exponential: polls at Poisson instants, as from many clients that know nothing of each other."""

    mean: float

    @property
    def mean_square(self) -> float:
        return 2 * self.mean**2

    def quantile(self, q: Floats) -> Floats:
        return -self.mean * np.log1p(-q)

    def laplace(self, rate: float) -> float:
        return 1 / (1 + rate * self.mean)

    def wait_cdf(self, wait: Floats) -> Floats:
        return -np.expm1(-np.maximum(wait, 0) / self.mean)

    def wait_quantile(self, q: float) -> float:
        return -self.mean * log1p(-q) if q < 1 else inf
