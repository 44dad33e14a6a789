"""PURE. O2 and O3 for one cell, step by step through the messages that there were.

All users move in step, so a message is a trial and not each delivery; but for their place in the line at the server,
and for holds that ended before the first message came. Chance is only what the gap does from one cycle to the next.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np

from reports.theory.oracles import Floats
from reports.theory.predictions.conditions import (
    ASK_S,
    QUANTILES,
    SURE,
    WAKE_S,
    Bound,
    Conditions,
    Expected,
    measure,
    trials,
)

PLACES: Final = (np.arange(6) + 0.5) / 6
"""In the line: 0 is first, 1 last."""
SLACKS: Final = (0.25, 0.5, 1.0)
NOISY: Final = 16

Gap = Callable[[], float]


def long_polling(at: Conditions) -> Expected:
    """Lateness, what is left of the gap when a message comes, and one way."""
    most = 2 * at.wakes * WAKE_S + at.late
    ideal = _seen(at, ((place, at.cost, 0.0) for place in PLACES))
    others = [_seen(at, ((place, 0.0, 0.0) for place in PLACES))]
    others += [_seen(at, ((place, at.cost + ASK_S, slack * most) for place in PLACES)) for slack in SLACKS]
    random = np.random.default_rng(1)
    noisy = [_seen(at, [(place, at.cost, most)], random) for place in random.random(NOISY)]
    bounds = {}
    for name in ("mean_ms", *QUANTILES, "responses_per_s", "empty_ratio"):
        theory, chance = ideal.value(name), np.nanstd([each.value(name) for each in noisy], ddof=1)
        values = [each.value(name) for each in (ideal, *others, *noisy)]
        chance *= SURE * np.sqrt(at.clients / trials(at))
        low, high = np.nanmin(values) - chance, np.nanmax(values) + chance
        if name.endswith("_ms"):
            bounds[name] = at.latency_bound(name, theory, low, high)
        else:
            # An answer may fall on either side of the window's edge, for all clients at once.
            edge = at.clients / at.window if name == "responses_per_s" else high * at.clients / ideal.count(at)
            bounds[name] = Bound(theory, max(0.0, low - edge), high + edge)
    return Expected(ideal.latency * 1e3, bounds, ideal.answers)


@dataclass(frozen=True)
class Seen:
    """What some users saw of a cell. latency: s, ascending; received: of responses to any of them, ascending."""

    latency: Floats
    received: Floats
    users: int
    responses_per_s: float
    empty_ratio: float

    def answers(self, from_: float, until: float) -> float:
        first, last = np.searchsorted(self.received, (from_, until))
        return float(last - first) / self.users

    def count(self, at: Conditions) -> float:
        """Answers to all clients in the window."""
        return max(self.responses_per_s * at.window, 1.0)

    def value(self, name: str) -> float:
        return measure(self.latency, name) if name.endswith("_ms") else float(getattr(self, name))


def _seen(
    at: Conditions, users: Iterable[tuple[float, float, float]], random: np.random.Generator | None = None
) -> Seen:
    """Follow users through a cell: each one's place in the line, cost of an answer, and what its gaps take longer.

    random: then what gaps take longer is drawn between 0 and that, for each of them.
    """
    published, own = at.told.tolist(), at.own
    latencies: list[Floats] = []
    instants: list[Floats] = []
    empty = 0
    for place, cost, slack in users:
        line = at.clients * cost / 2  # one half of the cost is to answer, the other to be asked again
        gap = max(2 * at.delay, (1 - place) * line) + place * line + at.turnaround

        def next_gap(gap: float = gap, slack: float = slack) -> float:
            return gap + slack * (random.random() if random else 1.0)

        asked = at.joined[0] + place * (at.joined[1] - at.joined[0]) + at.delay
        answers = follow(published, asked, at.window, next_gap, at.hold, at.limit)
        received = np.array([instant for instant, _ in answers]) + at.delay + place * line
        brought = np.array([messages for _, messages in answers])
        arrived = np.repeat(received, brought)
        latencies.append((arrived - at.due)[own & (arrived < at.end)])
        instants.append(received)
        empty += int((brought[(received >= 0) & (received < at.window)] == 0).sum())
    all_received = np.sort(np.concatenate(instants))
    count = int(np.diff(np.searchsorted(all_received, (0.0, at.window)))[0])
    per_s = count / len(instants) * at.clients / at.window
    ratio = empty / count if count else np.nan
    return Seen(np.sort(np.concatenate(latencies)), all_received, len(instants), per_s, ratio)


def follow(
    published: Sequence[float], asked: float, until: float, gap: Gap, hold: float, limit: int | None = None
) -> list[tuple[float, int]]:
    """Return when a long-polling client is answered, and with how many messages, until it has all and time is up.

    asked: when its first request is at the server. gap: from an answer to the next request, drawn anew each time.
    limit: most messages of an answer, None for all that wait.
    """
    answers, seen = [], 0
    while seen < len(published) or asked < until:
        following = published[seen] if seen < len(published) else inf
        answered = max(asked, min(following, asked + hold))
        pending = bisect_right(published, answered, lo=seen) - seen
        taken = pending if limit is None else min(pending, limit)
        answers.append((answered, taken))
        seen += taken
        asked = answered + gap()
    return answers
