"""PURE. O4 for one cell: nothing is left to chance but the order of the line and how late processes wake."""

import numpy as np

from reports.theory.oracles import Floats
from reports.theory.predictions.conditions import QUANTILES, READ_S, Bound, Conditions, Expected, measure, woken


def streaming(at: Conditions) -> Expected:
    """Lateness, the broadcast before, one way, and a place in the line."""
    at_once, at_cost, at_most = (_broadcast(at, cost) for cost in (0.0, at.cost, at.cost + READ_S))
    bounds = {
        name: at.latency_bound(name, *(measure(latencies, name) for latencies in (at_cost, at_once, at_most)))
        for name in ("mean_ms", *QUANTILES)
    }
    return Expected(at_cost * 1e3, bounds | {"responses_per_s": Bound(0.0, 0.0, 0.0)})


def _broadcast(at: Conditions, cost: float) -> Floats:
    """Return the latencies of measured messages at places along the line, ascending."""
    wakes = woken(at.due, at.published)
    _, first, members = np.unique(wakes, return_index=True, return_counts=True)
    lengths = at.clients * cost * members
    begin = at.told[first]
    for n in range(1, len(begin)):
        begin[n] = max(begin[n], begin[n - 1] + lengths[n - 1])
    places = (np.arange(min(at.clients, 64)) + 1) / min(at.clients, 64)
    mine = wakes[at.own]
    received = begin[mine, None] + places * lengths[mine, None] + at.delay
    return np.sort((received - at.due[at.own, None]).ravel())
