"""PURE. O1 for one cell: each message waits for its user's next poll. Chance are the phases, one trial for each user.

Which messages wait together at one user's poll is fixed by the journal, so a user is a trial, and not each delivery.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from reports.theory.oracles import Every, Floats
from reports.theory.predictions.conditions import (
    QUANTILES,
    SURE,
    Bound,
    Conditions,
    Expected,
    chance_of_mean,
    chance_of_quantile,
    measure,
    quantile,
    trials,
)

USERS: Final = 512
"""Users imagined to find out how much chance leaves open."""
LEVELS: Final = 2048
LATENESSES: Final = 16
BURN_IN: Final = 20
"""Gaps before the window, after which nothing is left of where an imagined user began."""


def short_polling(at: Conditions) -> Expected:
    """Lateness, the wait for the next poll, and one way."""
    own = at.own
    late = at.published[own] - at.due[own]
    users = _imagined(at)
    latencies = [np.sort(late + _waits(polls, at.published[own]) + at.delay) for polls in users]
    if len(late) > LATENESSES:
        late = np.quantile(late, (np.arange(LATENESSES) + 0.5) / LATENESSES)
    waits = np.array([at.gaps.wait_quantile(q) for q in (np.arange(LEVELS) + 0.5) / LEVELS])
    expected = np.sort((waits + late[:, None] + at.delay).ravel())

    def level(q: float) -> float:
        """The quantile of all latencies; beyond what the values tell apart, of the wait alone."""
        beyond = at.gaps.wait_quantile(q) + late.max() + at.delay if q > 1 - 4 / LEVELS else 0.0
        return max(quantile(expected, q), beyond)

    bounds = {}
    for name in ("mean_ms", *QUANTILES):
        theory = measure(expected, name)
        if name == "mean_ms":
            below, above = chance_of_mean((each.mean() for each in latencies), at)
            low, high = theory - below, theory + above
        else:
            low, high = chance_of_quantile(QUANTILES[name], level, latencies, at)
        bounds[name] = at.latency_bound(name, theory, low, high)
    answers = lambda from_, until: (until - from_) / at.gaps.mean  # noqa: E731
    return Expected(expected * 1e3, bounds | _counts(at, users), answers)


def _waits(polls: Floats, published: Floats) -> Floats:
    return polls[np.searchsorted(polls, published)] - published


def _imagined(at: Conditions) -> Sequence[Floats]:
    """Return when each of some users as theory has them polls, around the window: phases as chance would draw them.

    Equal gaps get phases evenly spaced, so that nothing is left to chance here.
    """
    users = int(np.clip(2e7 / max(at.own.sum(), 1), 16, USERS))
    longest = at.gaps.wait_quantile(0.99999) + at.gaps.mean
    until = at.window + 2 * longest
    if isinstance(at.gaps, Every):
        gap = at.gaps.interval
        return [np.arange(-2 * gap + (user + 0.5) / users * gap, until, gap) for user in range(users)]
    random = np.random.default_rng(1)
    begin = -BURN_IN * at.gaps.mean - longest
    count = int(1.5 * (until - begin) / at.gaps.mean + 50)
    gaps = at.gaps.quantile(random.random((users, count)))
    first = begin + random.random(users) * at.gaps.mean
    return list(first[:, None] + np.cumsum(gaps, axis=1))


def _counts(at: Conditions, users: Sequence[Floats]) -> dict[str, Bound]:
    """Requests, and how many of them find nothing. A poll near an edge of the window may fall on either side of it."""
    mean, per_s = at.window / at.gaps.mean, at.clients / at.window
    edge, greeted = 2 * at.late / at.gaps.mean, at.greeting / at.gaps.mean
    reads = [polls[(polls >= -at.delay) & (polls < at.window - at.delay)] for polls in users]
    polls = np.array([len(each) for each in reads], float)
    below, above = (each + SURE * np.sqrt(edge / trials(at)) + edge for each in chance_of_mean(polls, at))
    slower = mean - at.window / (at.gaps.mean + at.gaps_slack)
    rate = Bound(mean * per_s, (mean - slower - below) * per_s, (mean + above + greeted) * per_s)
    empty = _empty_ratio(at, 1.0)
    found = np.array([_found(at, *each) for each in zip(users, reads, strict=True)], float)
    more, less = (each / mean + 1 / (at.clients * mean) for each in chance_of_mean(found - (1 - empty) * polls, at))
    shorter, longer = 1 - at.late / at.gaps.mean, 1 + (at.late + at.gaps_slack) / at.gaps.mean
    others = _empty_ratio(at, max(shorter, 0.01)), _empty_ratio(at, longer)
    ratio = Bound(empty, max(0.0, min(empty, *others) - less), min(1.0, max(empty, *others) + more))
    return {"responses_per_s": rate, "empty_ratio": ratio}


def _empty_ratio(at: Conditions, scale: float) -> float:
    """Share of polls in the window that find nothing: those before which nothing was published for a whole gap.

    A poll finds something with the probability that the gap before it is longer than the newest message is old. Summed
    over all instants from one message to the next, that is the mean gap times `wait_cdf`. scale: of all gaps.
    """
    begin = np.clip(-at.delay - at.published, 0, None)
    ends = np.minimum(np.append(at.published[1:], np.inf), at.window - at.delay)
    end = np.maximum(ends - at.published, begin)
    found = (at.gaps.wait_cdf(end / scale) - at.gaps.wait_cdf(begin / scale)).sum() * at.gaps.mean * scale
    return float(1 - found / at.window)


def _found(at: Conditions, polls: Floats, reads: Floats) -> int:
    """How many of these reads find something that came after the poll before."""
    before = polls[np.searchsorted(polls, reads) - 1]
    newest, known = (np.searchsorted(at.published, instants, side="right") for instants in (reads, before))
    return int((newest > known).sum())
