"""PURE. O4: streams, and a server that stands still."""

from dataclasses import dataclass
from math import inf

import numpy as np

from reports.theory.oracles.queue import inverse, queue_cdf


@dataclass(frozen=True, slots=True)
class FanOut:
    """One loop writes each message to one client after the other.

    write: seconds for one client. A message waits for the broadcast before it (M/D/1), then for its place in the line.
    """

    rate: float
    clients: int
    write: float
    delay: float = 0.0

    @property
    def load(self) -> float:
        return self.rate * self.clients * self.write

    @property
    def mean_queue(self) -> float:
        broadcast = self.clients * self.write
        return self.load * broadcast / (2 * (1 - self.load)) if self.load < 1 else inf

    def mean_latency_at(self, place: float) -> float:
        """Mean latency of the client that is `place`-th in the line, counted from 1."""
        return self.mean_queue + place * self.write + self.delay

    @property
    def mean_latency(self) -> float:
        return self.mean_latency_at((self.clients + 1) / 2)

    def latency_cdf(self, latency: float) -> float:
        """Over all clients."""
        places = np.arange(1, self.clients + 1) * self.write
        broadcast = self.clients * self.write
        return float(np.mean([queue_cdf(latency - self.delay - place, self.rate, broadcast) for place in places]))

    def latency_quantile(self, q: float) -> float:
        return inf if self.load >= 1 else inverse(self.latency_cdf, q, self.delay + self.clients * self.write)


def frozen_quantile(q: float, window: float, frozen: float, usual: float) -> float:
    """O9. Quantile of the latency of messages due evenly in `window`, when the server stood still for `frozen` of it.

    A share frozen/window waits for the end of the freeze, uniformly between 0 and `frozen`, so a share
    (frozen - x)/window waits longer than x. `usual` is what a message takes anyway; where q lies below the share that
    had to wait, it is all there is.
    """
    return usual + max(0.0, frozen - (1 - q) * window)
