"""PURE. What a handful of repeats can prove, and no more.

The sample is one number per repeat (a cell's p99, its CPU per delivery), never the deliveries: those of one repeat
share a machine state, so treating 100,000 of them as independent would make every difference "significant"
(Treadmill, ISCA 2016). Latencies are not normal, so everything here is rank-based or resampled.

Every report needs this, and few need `scipy.stats`, which takes half a second to import: those import it themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import ceil, comb
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]

ALPHA: Final = 0.01
"""Below this a difference counts as proven: one false alarm in a hundred comparisons of a run with its like."""
CONFIDENCE: Final = 0.95
SMALLEST_RESAMPLED: Final = 6
"""Repeats from which the bootstrap holds its promise; with fewer even the whole range covers less than 95 %."""
RESAMPLES: Final = 4_000
EXACT_UP_TO: Final = 60
"""Repeats of both runs together up to which p is counted out; beyond, the normal approximation is as good."""
SHUFFLES: Final = 5
"""Random orders for each of what is to be told from chance: of alpha = 0.01, 500."""
LEAST_LEVEL: Final = 2
MESSAGES_PER_BATCH: Final = 5
FEWEST_BATCHES: Final = 10


@dataclass(frozen=True, slots=True)
class Interval:
    """A median over repeats and where the true one lies with `confidence`. low <= median <= high.

    method: "bootstrap"; "range" when there are too few repeats to resample: then low and high are the smallest and
    largest seen and `confidence` is what that honestly covers (3 repeats: 0.75); "single" for one repeat: no idea (0).
    """

    median: float
    low: float
    high: float
    confidence: float
    repeats: int
    method: Literal["bootstrap", "range", "single"]


@dataclass(frozen=True, slots=True)
class Shift:
    """How `new` differs from `base`.

    p: two-sided Mann-Whitney, exact also with ties; before any correction for many comparisons.
    delta: Cliff's delta, -1 (every new value is below every base value) to 1, 0 when neither is.
    amount: Hodges-Lehmann shift, the median of all differences new - base, in the measure's unit; low, high: its
    interval by inverting the same test, `confidence` what it covers (3 against 3 repeats cannot give more than 0.9).
    """

    p: float
    delta: float
    amount: float
    low: float
    high: float
    confidence: float


def median_interval(values: ArrayLike, confidence: float = CONFIDENCE, seed: int = 1) -> Interval:
    """Return the median of one number per repeat with its interval. Raises ValueError unless all are finite.

    The bootstrap's percentiles are expanded for small samples (Hesterberg 2015, section 4.3): plain ones cover 88 %
    instead of 95 % with 7 repeats, these 95 to 99 % (tests/reports_stats/test_statistics.py measures it).
    """
    sample = _finite(values)
    n = len(sample)
    median, low, high = float(np.median(sample)), float(sample.min()), float(sample.max())
    if n < SMALLEST_RESAMPLED:
        # The range misses the true median only when all n values fall on one side of it.
        return Interval(median, low, high, 1 - 2.0 ** (1 - n), n, "single" if n == 1 else "range")
    reach = np.sqrt(n / (n - 1)) * special.stdtrit(n - 1, (1 + confidence) / 2)
    tail = float(special.ndtr(-reach))
    medians = np.sort(sample)[_middles(n, seed)].mean(axis=0)
    low, high = (float(edge) for edge in np.quantile(medians, (tail, 1 - tail)))
    return Interval(median, min(low, median), max(high, median), confidence, n, "bootstrap")


@lru_cache(maxsize=64)
def _middles(n: int, seed: int) -> NDArray[np.int64]:
    """Return which of n ascending values are the two middle ones of each resample; of an odd number, one twice.

    A report asks this of a hundred measures of as many repeats.
    """
    picks = np.sort(np.random.default_rng(seed).integers(0, n, (RESAMPLES, n)), axis=1)
    return np.stack([picks[:, (n - 1) // 2], picks[:, n // 2]])


def compare(base: ArrayLike, new: ArrayLike, confidence: float = CONFIDENCE) -> Shift:
    """Return how far, how surely and how consistently `new` is above `base`. Raises ValueError unless finite."""
    before, after = _finite(base), _finite(new)
    differences = np.sort((after[:, None] - before[None, :]).ravel())
    inside, attained = _interval_rank(len(before), len(after), confidence)
    return Shift(
        p=_mann_whitney(before, after),
        delta=float(np.mean(np.sign(differences))),
        amount=float(np.median(differences)),
        low=float(differences[inside - 1]),
        high=float(differences[-inside]),
        confidence=attained,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p adjusted for all the comparisons made at once, in the order given (Holm 1979).

    Fewer than `alpha` of all families of true null hypotheses then show even one p below `alpha`.
    """
    order = np.argsort(p_values, kind="stable")
    stepped = np.asarray(p_values, dtype=float)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return [float(p) for p in adjusted]


def change_points(values: ArrayLike, alpha: float = ALPHA, seed: int = 1) -> list[tuple[int, float]]:
    """Return where the level of a series changes, each the place of the first value behind it, and its p.

    Two things are looked for, each at half of alpha: one change (Pettitt 1979), and a stretch that is unlike all around
    it, as a slow week is that was mended (Olshen 2004). The series is cut where the ranks of the two sides differ most,
    and each part again, while so clear a cut is rare among random orders of the same values: the place was chosen for
    being the clearest, which a test of that place alone would not know. A value alone at an end is no level yet. Fewer
    than `series_needed` values prove nothing.
    """
    sample, random = _finite(values), np.random.default_rng(seed)
    found, parts = list[tuple[int, float]](), [(0, len(sample))]
    while parts:
        start, end = parts.pop()
        if end - start < series_needed(alpha):
            continue
        for stretches in (False, True):
            cuts, p = _clearest(sample[start:end], alpha / 2, random, stretches=stretches)
            if p <= alpha / 2:
                edges = [start, *(start + cut for cut in cuts), end]
                found += [(edge, p) for edge in edges[1:-1]]
                parts += pairwise(edges)
                break
    return sorted(found)


def series_needed(alpha: float = ALPHA) -> int:
    """Return the fewest values of a series with which the clearest change of its level can be proven."""
    values = 2
    # Half of what would do: p is counted among random orders, and varies.
    while 2 / comb(values, values // 2) > alpha / 4:
        values += 1
    return values


def _clearest(values: Floats, alpha: float, random: np.random.Generator, *, stretches: bool) -> tuple[list[int], float]:
    """Return where the ranks before a cut, or in a stretch, differ most from the others, and how rare that is."""
    from scipy import stats

    n = len(values)
    starts, ends = np.triu_indices(n + 1, k=LEAST_LEVEL) if stretches else (np.array([0]), np.arange(n + 1))
    starts, ends = np.broadcast_arrays(starts, ends)
    rest = n - (ends - starts)
    inner = (ends - starts >= LEAST_LEVEL) & (rest >= LEAST_LEVEL)
    inner &= (starts == 0) | ((starts >= LEAST_LEVEL) & (n - ends >= LEAST_LEVEL))
    starts, ends = starts[inner], ends[inner]
    spread = np.sqrt((ends - starts) * (n - (ends - starts)))

    def differences(ranks: Floats) -> Floats:
        sums = np.concatenate([[0.0], np.cumsum(ranks)])
        found: Floats = np.abs(sums[ends] - sums[starts]) / spread
        return found

    ranks = stats.rankdata(values) - (n + 1) / 2
    seen = differences(ranks)
    shuffles = ceil(SHUFFLES / alpha)
    # Rounding must not make a tie a miss; and the order that was seen is one of those that chance may bring.
    as_clear = sum(differences(random.permutation(ranks)).max() >= seen.max() * (1 - 1e-9) for _ in range(shuffles))
    cuts = [int(cut) for cut in (starts[seen.argmax()], ends[seen.argmax()]) if 0 < cut < n]
    return cuts, (1 + int(as_clear)) / (shuffles + 1)


def repeats_needed(comparisons: int, alpha: float = ALPHA) -> int:
    """Return the fewest repeats of each run with which the clearest difference among `comparisons` can be proven."""
    repeats = 1
    while 2 / comb(2 * repeats, repeats) * max(comparisons, 1) > alpha:
        repeats += 1
    return repeats


def share_interval(count: int, total: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the Wilson interval of count / total: for losses and empty responses, honest also at 0 of n.

    It takes the total as independent trials. One dropped message misses every user at once, so across deliveries it
    is a lower bound on the doubt; pass messages, not deliveries, where losses come in bursts.
    """
    if total == 0:
        return (0.0, 1.0)
    from scipy import stats

    interval = stats.binomtest(count, total).proportion_ci(confidence, method="wilson")
    return (float(interval.low), float(interval.high))


def warmup_cut(latencies: ArrayLike, at_ns: ArrayLike) -> int:
    """Return how many of the earliest latencies, by `at_ns`, were still warming up; all of them if it never settled.

    MSER-5 (White 1997) on the mean latency of each message: cut where the standard error of the rest is least, and
    among cuts within a quarter of the least, at the earliest. A spike is not a warm-up, so a cut stands only if what
    lies before it ranks differently from what follows. Fewer than 50 messages cannot tell: 0. It is a diagnosis;
    nothing is ever removed because of it.
    """
    at, latency = np.asarray(at_ns), np.asarray(latencies, dtype=float)
    order = np.argsort(at, kind="stable")
    starts = np.append(0, np.flatnonzero(np.diff(at[order])) + 1)[: len(at)]
    users = np.diff(starts, append=len(at))
    batches = len(starts) // MESSAGES_PER_BATCH
    if batches < FEWEST_BATCHES:
        return 0
    messages = (np.add.reduceat(latency[order], starts) / users)[: batches * MESSAGES_PER_BATCH]
    half = batches // 2
    errors = _squared_errors(messages.reshape(batches, MESSAGES_PER_BATCH).mean(axis=1))[: half + 1]
    first = int(np.argmax(errors <= 1.25 * errors.min())) * MESSAGES_PER_BATCH
    middle = half * MESSAGES_PER_BATCH
    if errors.argmin() == half and _differ(messages[first:middle], messages[middle:]):
        return len(latency)
    return int(starts[first]) if _differ(messages[:first], messages[first:]) else 0


def _differ(early: Floats, late: Floats) -> bool:
    # Stricter than ALPHA: the cut was chosen to make the two parts look different.
    return len(early) > 0 and _mann_whitney(early, late) < 0.001


def _squared_errors(values: Floats) -> Floats:
    """Return, for each d, the squared standard error of the mean of values[d:]: what MSER minimises."""
    centred = (values - values.mean())[::-1]
    kept = np.arange(1, len(values) + 1)
    squares = np.cumsum(centred**2) - np.cumsum(centred) ** 2 / kept
    return (squares / kept**2)[::-1]


def _finite(values: ArrayLike) -> Floats:
    sample = np.asarray(values, dtype=float)
    if sample.size == 0 or not np.isfinite(sample).all():
        raise ValueError(f"a sample must have at least one value and only finite ones, not {sample.tolist()}")
    return sample


def _mann_whitney(base: Floats, new: Floats) -> float:
    """Return the two-sided p. Exact given the ties, by counting every way to deal the ranks out to the two runs."""
    from scipy import stats

    pooled = np.concatenate([base, new])
    if (pooled == pooled[0]).all():
        return 1.0
    if len(pooled) > EXACT_UP_TO:
        return float(stats.mannwhitneyu(base, new, alternative="two-sided", method="asymptotic").pvalue)
    # Midranks of ties end in .5: doubled, all are integers.
    ranks = np.rint(2 * stats.rankdata(pooled)).astype(int)
    ways = _ways(ranks, len(base))
    observed = int(ranks[: len(base)].sum())
    tail = min(ways[: observed + 1].sum(), ways[observed:].sum())
    return float(min(1.0, 2 * tail / ways.sum()))


def _ways(ranks: NDArray[np.int_], chosen: int) -> Floats:
    """Return, for each possible sum, in how many ways `chosen` of the ranks add up to it (Streitberg, Roehmel 1986)."""
    ways = np.zeros((chosen + 1, int(ranks.sum()) + 1))
    ways[0, 0] = 1
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, :-rank].copy()
    last: Floats = ways[chosen]
    return last


def _interval_rank(base: int, new: int, confidence: float) -> tuple[int, float]:
    """Return k, so that the k-th smallest and largest differences bound the shift, and the confidence they attain."""
    pairs, total = base * new, base + new
    if total > EXACT_UP_TO:
        reach = special.ndtri((1 + confidence) / 2) * np.sqrt(pairs * (total + 1) / 12)
        return max(1, int(pairs / 2 - reach)), confidence
    ways = _ways(np.arange(1, total + 1), base)[base * (base + 1) // 2 :]
    outside = 2 * np.cumsum(ways)[: (pairs + 1) // 2] / ways.sum()
    k = max(1, int(np.searchsorted(outside, 1 - confidence, side="right")))
    return k, float(max(0.0, 1 - outside[k - 1]))
