"""PURE. Latency of a load that was not measured: the closed forms of reports/theory with a measured service time.

What is said here is of a server that nothing overloads, without what wakes late; law.py fits what is measured to it.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import inf
from typing import Final

import numpy as np

from reports.model.cell_figures import Load
from reports.theory.oracles import Every, LongPoll, ShortPoll
from reports.theory.oracles.queue import inverse, queue_cdf

PLACES: Final = (np.arange(16) + 0.5) / 16
"""In the line of those a message is written to: 0 is first, 1 last."""
LOADS: Final = np.linspace(0.0, 0.95, 39)
"""At which a queue's quantiles are worked out; a load between two of them is read off a line, one beyond has no end."""
HELD: Final = "long_polling"
ASKED: Final = "short_polling"


def requests_per_s(pattern: str, load: Load, cost_s: float) -> float:
    """Return how many answers a second all clients together get. cost_s: the server's CPU for one of them."""
    if pattern == ASKED:
        return load.clients / load.poll_interval_s
    if pattern == HELD:
        gap = load.rtt_s + load.clients * cost_s / 2
        return load.clients * LongPoll(load.rate_per_s, gap, load.hold_s).responses_per_s
    return 0.0


def quantile_s(pattern: str, load: Load, cost_s: float, q: float) -> float:
    """Return the latency that a share q of deliveries does not exceed; inf where the server cannot keep up.

    cost_s: the server's CPU for one delivery of a stream, or one answer to a poll.
    """
    return QUANTILES.get(pattern, _stream)(load, cost_s, q)


def _short_poll(load: Load, _cost_s: float, q: float) -> float:
    return ShortPoll(load.rate_per_s, Every(load.poll_interval_s), load.rtt_s / 2).latency_quantile(q)


def _long_poll(load: Load, cost_s: float, q: float) -> float:
    """All clients are answered in a line and ask again in it: half of the cost is to answer, half to be asked again."""
    delay, line = load.rtt_s / 2, load.clients * cost_s / 2
    gaps = np.maximum(np.maximum(2 * delay, (1 - PLACES) * line) + PLACES * line, 1e-9)
    cycles = np.array([LongPoll(load.rate_per_s, float(gap), load.hold_s).cycle for gap in gaps])

    def share(latency: float) -> float:
        """LongPoll.wait_cdf of all places at once."""
        waits = latency - delay - PLACES * line
        return float(np.where(waits < 0, 0.0, 1 - np.clip(gaps - waits, 0, None) / cycles).mean())

    return inverse(share, q, delay + line + 1e-6)


def _stream(load: Load, cost_s: float, q: float) -> float:
    broadcast = load.clients * cost_s
    busy = load.rate_per_s * broadcast
    if busy > LOADS[-1]:
        return inf
    return broadcast * float(np.interp(busy, LOADS, _broadcasts(q))) + load.rtt_s / 2


@lru_cache(maxsize=8)
def _broadcasts(q: float) -> tuple[float, ...]:
    """Return the latency's quantile at each of LOADS, in broadcasts: the wait for those before, and a place in line."""

    def at(busy: float) -> float:
        if not busy:
            return q

        def share(latency: float) -> float:
            return float(np.mean([queue_cdf(latency - place, busy, 1.0) for place in PLACES]))

        return inverse(share, q, 1.0)

    return tuple(at(float(busy)) for busy in LOADS)


QUANTILES: Final[Mapping[str, Callable[[Load, float, float], float]]] = {ASKED: _short_poll, HELD: _long_poll}
"""By pattern; one that is not here is a stream."""
