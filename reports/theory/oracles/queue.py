"""PURE. The queue with Poisson arrivals and one length of service, M/D/1, of which two patterns are instances."""

from collections.abc import Callable
from math import exp

import numpy as np

from reports.theory.oracles.gaps import Floats


def queue_cdf(wait: float, rate: float, service: float) -> float:
    """Return how probably a message of M/D/1 waits at most so long; 0 where the queue has no end.

    Tijms, A First Course in Stochastic Models, section 9.6.2: all terms are positive, where Erlang's own sum of
    alternating ones loses every digit after some twenty services.
    """
    load = rate * service
    if wait < 0 or load >= 1:
        return 0.0
    services = int(wait / service) + 1
    before = rate * (services * service - wait)
    at_most = np.cumsum(_system_lengths(load, services + 1))[:0:-1]
    terms = exp(-before) * np.cumprod(np.concatenate([[1.0], before / np.arange(1, services)]))
    return float(at_most @ terms)


def _system_lengths(load: float, count: int) -> Floats:
    """Return how probably 0, 1, ... messages are in an M/D/1 system: what goes up across each length comes down."""
    arrivals = exp(-load) * np.cumprod(np.concatenate([[1.0], load / np.arange(1, count + 1)]))
    more = np.clip(1 - np.cumsum(arrivals), 0, None)
    lengths = np.zeros(count)
    lengths[0] = 1 - load
    for n in range(1, count):
        up = lengths[0] * more[n - 1] + lengths[1:n] @ more[n - 1 : 0 : -1]
        lengths[n] = up / arrivals[0]
    return lengths


def inverse(cdf: Callable[[float], float], q: float, step: float) -> float:
    """Return the least value at which a growing share reaches q, to nine digits. step: where to begin to look."""
    low, high = 0.0, step
    if cdf(0.0) >= q:
        return 0.0
    while cdf(high) < q:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if cdf(middle) < q else (low, middle)
    return high
