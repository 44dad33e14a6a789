"""PURE. O1 to O3: short polls, and long polls that bring all that waits, or one message at a time."""

from dataclasses import dataclass
from math import exp, inf

import numpy as np

from reports.theory.oracles.gaps import Floats, Gaps
from reports.theory.oracles.queue import inverse, queue_cdf


@dataclass(frozen=True, slots=True)
class ShortPoll:
    """O1. Each message waits for the first poll after it; where in a gap it falls is chance (renewal theory)."""

    rate: float
    gaps: Gaps
    delay: float = 0.0

    @property
    def mean_latency(self) -> float:
        """Longer gaps catch more messages: the mean is that of the square over twice the mean, half a gap if all are
        equal, a whole mean gap if they are exponential."""
        return self.gaps.mean_square / (2 * self.gaps.mean) + self.delay

    def latency_cdf(self, latency: Floats) -> Floats:
        return self.gaps.wait_cdf(latency - self.delay)

    def latency_quantile(self, q: float) -> float:
        return self.gaps.wait_quantile(q) + self.delay

    @property
    def empty_ratio(self) -> float:
        return self.gaps.laplace(self.rate)

    @property
    def responses_per_s(self) -> float:
        return 1 / self.gaps.mean

    @property
    def messages_per_response(self) -> float:
        """Of the responses that are not empty."""
        return self.rate * self.gaps.mean / (1 - self.empty_ratio)

    @property
    def unseen_ratio(self) -> float:
        """Share of the updates never seen where a poll returns only the latest value."""
        return 1 - (1 - self.empty_ratio) / (self.rate * self.gaps.mean)


@dataclass(frozen=True, slots=True)
class LongPoll:
    """O2. All that waits comes in one answer. At most `gap` slower than streaming: RFC 6202 section 2.2's three
    transits."""

    rate: float
    gap: float
    hold: float
    delay: float = 0.0

    @property
    def cycle(self) -> float:
        """Mean time from one answer to the next."""
        return self.gap + exp(-self.rate * self.gap) * (1 - exp(-self.rate * self.hold)) / self.rate

    @property
    def responses_per_s(self) -> float:
        return 1 / self.cycle

    @property
    def messages_per_response(self) -> float:
        """Of all responses, empty ones too."""
        return self.rate * self.cycle

    @property
    def empty_ratio(self) -> float:
        return exp(-self.rate * (self.gap + self.hold))

    @property
    def mean_wait(self) -> float:
        """What a message waits for the client's next request, on average."""
        return self.gap**2 / (2 * self.cycle)

    def wait_cdf(self, wait: Floats) -> Floats:
        """Of one cycle only the gap makes anything wait, and each part of it as long as is left."""
        left = np.clip(self.gap - wait, 0, None) / self.cycle
        return np.where(wait < 0, 0.0, 1 - left)

    def wait_quantile(self, q: float) -> float:
        return max(0.0, self.gap - (1 - q) * self.cycle)

    @property
    def mean_latency(self) -> float:
        return self.mean_wait + self.delay

    @property
    def loss_without_cursor(self) -> float:
        """Share lost by a server that wakes only waiting clients: the negative control."""
        return self.rate * self.gap / (1 + self.rate * self.gap)


@dataclass(frozen=True, slots=True)
class OneByOne:
    """O3. One message an answer, as Nchan's long polls: a queue served once a gap, M/D/1. From a message a gap on it
    grows without end, and every figure of waiting is inf.

    A hold that ends empty costs a gap too, in which messages wait: `empty_per_s` of them are vacations of the server.
    """

    rate: float
    gap: float
    hold: float
    delay: float = 0.0

    @property
    def load(self) -> float:
        return self.rate * self.gap

    @property
    def empty_per_s(self) -> float:
        """All time is a gap behind an answer, or a hold: both counted for each hold that begins, the rest follows."""
        if self.load >= 1:
            return 0.0
        unanswered = exp(-self.rate * self.hold)
        holds_per_s = (1 - self.load) / (self.gap * unanswered + (1 - unanswered) / self.rate)
        return holds_per_s * unanswered

    @property
    def responses_per_s(self) -> float:
        return min(self.rate, 1 / self.gap) + self.empty_per_s

    @property
    def messages_per_response(self) -> float:
        return min(self.rate, 1 / self.gap) / self.responses_per_s

    @property
    def empty_ratio(self) -> float:
        return self.empty_per_s / self.responses_per_s

    @property
    def mean_wait(self) -> float:
        """A message waits for the work before it: gaps under way (half of one on average) and messages queued."""
        return self.responses_per_s * self.gap**2 / (2 * (1 - self.load)) if self.load < 1 else inf

    def wait_cdf(self, wait: Floats) -> Floats:
        """Empty answers leave the equation of M/D/1 as it is beyond the first gap, and add a constant within it."""
        share = self.empty_per_s / self.rate
        queued = np.array([queue_cdf(each, self.rate, self.gap) for each in np.ravel(wait)]).reshape(np.shape(wait))
        return np.where(np.asarray(wait) < 0, 0.0, (1 + share) * queued - share)

    def wait_quantile(self, q: float) -> float:
        return inf if self.load >= 1 else inverse(lambda wait: float(self.wait_cdf(np.array(wait))), q, self.gap)

    @property
    def mean_latency(self) -> float:
        return self.mean_wait + self.delay
