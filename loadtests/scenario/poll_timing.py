"""PURE. How regularly a short-polling user polls: `--poll-interval` says how often, its pace how evenly.

Instants are drawn ahead of the answers, so that a stall moves none of them; only `pause` waits for each answer, as
clients do that sleep between two requests.
"""

from dataclasses import dataclass
from math import inf
from random import Random
from typing import Final

FORMS: Final = "rate | pause | uniform[:SPREAD] | exponential (SPREAD: share of the interval, more than 0, at most 1)"
SPREAD: Final = 0.5
LONGEST_EXPONENTIAL: Final = 12.0
"""Means that an exponential gap exceeds once in 160,000 times."""


@dataclass(frozen=True, slots=True)
class Pace:
    """kind rate: polls one interval apart; pause: an interval after each answer; uniform: between 1 - spread and
    1 + spread intervals apart; exponential: exponential gaps. Drawn gaps have the interval as their mean.

    Lengths are in intervals.
    """

    kind: str = "rate"
    spread: float = 0.0

    @property
    def after_answer(self) -> bool:
        return self.kind == "pause"

    @property
    def longest(self) -> float:
        """What a gap does not exceed, or hardly ever."""
        return LONGEST_EXPONENTIAL if self.kind == "exponential" else 1 + self.spread

    def gap(self, random: Random) -> float:
        """Draw the time from one poll to the next."""
        if self.kind == "exponential":
            return random.expovariate(1.0)
        return random.uniform(1 - self.spread, 1 + self.spread) if self.spread else 1.0

    def first(self, random: Random) -> float:
        """Draw the wait of a user that comes at any instant, for its first poll.

        An instant falls into a gap the more probably the longer the gap is (length-biased), and anywhere in it. With
        that start, the polls of a user look the same at every later instant: there is no transient to warm up.
        """
        if self.kind == "exponential":
            return random.expovariate(1.0)
        gap = self.gap(random)
        while random.random() * self.longest > gap:
            gap = self.gap(random)
        return gap * random.random()

    def __str__(self) -> str:
        return f"{self.kind}:{self.spread:g}" if self.spread else self.kind


RATE: Final = Pace()


def parse_pace(text: str) -> Pace:
    """Read a pace from its one-line form, the inverse of `str(pace)`. Raises ValueError naming text and forms."""
    kind, colon, spread = text.strip().partition(":")
    if kind in {"rate", "pause", "exponential"} and not colon:
        return Pace(kind)
    if kind == "uniform":
        share = _share(spread) if colon else SPREAD
        if 0 < share <= 1:
            return Pace(kind, share)
    raise ValueError(f"poll-pace {text!r} is none of: {FORMS}")


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return inf
