"""PURE. Where the limit lies, from rungs of which some repeats held and some did not.

The exceed ratio can only grow with the load, so it is made monotone (isotonic regression); the limit is where it passes
one half, on a logarithmic scale of loads. The interval holds both rungs next to it, and what other repeats would have
given (bootstrap within each rung), because few repeats that agree with each other prove no more than the distance
between two rungs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import isotonic_regression

from reports.capacity.search import EXCEED_RATIO, TriedLoad, bracket

RESAMPLED: Final = 1_000
SEED: Final = 9971
LEVEL: Final = 0.9


@dataclass(frozen=True, slots=True)
class Limit:
    """A load, and between which it lies."""

    at: float
    low: float
    high: float


def limit_of(tried: Sequence[TriedLoad]) -> Limit | None:
    """Return the limit, None where no rung was held, or none was proven not to be."""
    found = bracket(tried)
    if found.held is None or found.broken is None or found.broken.undecided:
        return None
    rungs = sorted((rung for rung in tried if not rung.undecided), key=lambda rung: rung.load)
    loads = np.array([rung.load for rung in rungs], float)
    random = np.random.default_rng(SEED)
    resampled = [
        _crossing(loads, [1 - random.choice(rung.kept, len(rung.kept)).mean() for rung in rungs])
        for _ in range(RESAMPLED)
    ]
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    at = _crossing(loads, [rung.exceeded for rung in rungs])
    return Limit(at, min(float(low), found.held.load), max(float(high), found.broken.load))


def _crossing(loads: np.ndarray, exceeded: Sequence[float]) -> float:
    """Return the load at which the monotone exceed ratio passes one half; the first or last where it never does."""
    ratio = isotonic_regression(exceeded).x
    over = np.flatnonzero(ratio > EXCEED_RATIO)
    if not len(over):
        return float(loads[-1])
    after = int(over[0])
    if after == 0:
        return float(loads[0])
    below, above = ratio[after - 1], ratio[after]
    share = (EXCEED_RATIO - below) / (above - below)
    return float(np.exp(np.interp(share, [0, 1], np.log(loads[after - 1 : after + 1]))))
