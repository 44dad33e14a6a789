"""PURE. O1 for one cell: each message waits for its user's next poll. Chance are the phases, one trial for each user.

Which messages wait together at one user's poll is fixed by the journal, so a user is a trial, and not each delivery.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from reports.theory.oracles import Every, Floats
from reports.theory.predictions.conditions import (
    QUANTILES,
    SURE,
    Bound,
    Conditions,
    Counts,
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
AT_ONCE: Final = 100_000
"""Messages times users that are looked up together: more would take memory and no less time."""


def short_polling(at: Conditions) -> Expected:
    """Lateness, the wait for the next poll, and one way."""
    own = at.own
    late = at.published[own] - at.due[own]
    users = _imagined(at)
    latencies = np.sort(late + users.waits(at.published[own]) + at.delay, axis=1)
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
            below, above = chance_of_mean(latencies.mean(axis=1), at)
            low, high = theory - below, theory + above
        else:
            low, high = chance_of_quantile(QUANTILES[name], level, latencies, at)
        bounds[name] = at.latency_bound(name, theory, low, high)
    answers = lambda from_, until: (until - from_) / at.gaps.mean  # noqa: E731
    return Expected(expected * 1e3, bounds | _counts(at, users), answers)


@dataclass(frozen=True)
class Imagined:
    """When some users as theory has them poll. polls: of one user after the other, each ascending; who: whose it is."""

    polls: Floats
    who: Counts

    @property
    def count(self) -> int:
        return int(self.who[-1]) + 1

    def waits(self, published: Floats) -> Floats:
        """Return how long each message waits for each user's next poll, a row a user."""
        apart = 1.0 + max(self.polls.max(), published.max()) - min(self.polls.min(), published.min())
        found, together = np.empty((self.count, len(published))), max(1, AT_ONCE // len(published))
        for first in range(0, self.count, together):
            begin, end = np.searchsorted(self.who, (first, first + together))
            polls, who = self.polls[begin:end], self.who[begin:end] - first
            # Each user in a time of its own: then one search finds the next polls of all of them.
            wanted = published + np.arange(who[-1] + 1)[:, None] * apart
            found[first : first + together] = polls[np.searchsorted(polls + who * apart, wanted)] - published
        return found


def _imagined(at: Conditions) -> Imagined:
    """Return when some users poll, around the window and what was published late: phases as chance would draw them.

    Equal gaps get phases evenly spaced, so that nothing is left to chance here.
    """
    users = int(np.clip(2e7 / max(at.own.sum(), 1), 16, USERS))
    longest = at.gaps.wait_quantile(0.99999) + at.gaps.mean
    until = max(at.window + 2 * longest, at.published[at.own].max() + longest)
    if isinstance(at.gaps, Every):
        gap = at.gaps.interval
        own = [np.arange(-2 * gap + (user + 0.5) / users * gap, until, gap) for user in range(users)]
        return Imagined(np.concatenate(own), np.repeat(np.arange(users), [len(each) for each in own]))
    random = np.random.default_rng(1)
    begin = -BURN_IN * at.gaps.mean - longest
    count = int(1.5 * (until - begin) / at.gaps.mean + 50)
    gaps = at.gaps.quantile(random.random((users, count)))
    first = begin + random.random(users) * at.gaps.mean
    return Imagined((first[:, None] + np.cumsum(gaps, axis=1)).ravel(), np.repeat(np.arange(users), count))


def _counts(at: Conditions, users: Imagined) -> dict[str, Bound]:
    """Requests, and how many of them find nothing. A poll near an edge of the window may fall on either side of it."""
    mean, per_s = at.window / at.gaps.mean, at.clients / at.window
    edge, greeted = 2 * at.late / at.gaps.mean, at.greeting / at.gaps.mean
    reads = np.flatnonzero((users.polls >= -at.delay) & (users.polls < at.window - at.delay))
    polls = np.bincount(users.who[reads], minlength=users.count).astype(float)
    below, above = (each + SURE * np.sqrt(edge / trials(at)) + edge for each in chance_of_mean(polls, at))
    slower = mean - at.window / (at.gaps.mean + at.gaps_slack)
    rate = Bound(mean * per_s, (mean - slower - below) * per_s, (mean + above + greeted) * per_s)
    empty = _empty_ratio(at, 1.0)
    # What came after the poll before. Each user polls before the window as well.
    newest, known = (np.searchsorted(at.published, users.polls[each], side="right") for each in (reads, reads - 1))
    found = np.bincount(users.who[reads], weights=newest > known, minlength=users.count)
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
