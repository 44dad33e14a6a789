"""PURE. Which load to try next: doubled until one is not held, then ever closer between the two.

A load is held when at most half of its repeats broke a goal (the exceed ratio of RFC 9971). One at which nobody can
tell, because our own side was the limit, ends the search from above as one that was not held does, but proves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

EXCEED_RATIO: Final = 0.5


@dataclass(frozen=True, slots=True)
class TriedLoad:
    """One rung. kept: of each repeat, whether it met all goals; undecided: why nothing is known of the server here."""

    load: int
    kept: tuple[bool, ...]
    undecided: str = ""

    @property
    def exceeded(self) -> float:
        """Which share of the repeats broke a goal."""
        return 1 - sum(self.kept) / len(self.kept) if self.kept else 1.0

    @property
    def held(self) -> bool:
        return not self.undecided and self.exceeded <= EXCEED_RATIO


@dataclass(frozen=True, slots=True)
class Bracket:
    """Between what loads the limit lies: the largest that was held, and the least above it that was not; None: none."""

    held: TriedLoad | None
    broken: TriedLoad | None


def bracket(tried: Sequence[TriedLoad]) -> Bracket:
    broken = min((rung for rung in tried if not rung.held), key=lambda rung: rung.load, default=None)
    below = [rung for rung in tried if rung.held and (broken is None or rung.load < broken.load)]
    return Bracket(max(below, key=lambda rung: rung.load, default=None), broken)


def following(tried: Sequence[TriedLoad], first: int, most: int, precision: float) -> int | None:
    """Return the load to try next; None when the limit is known within `precision` (0.1: 10 %) or is beyond `most`."""
    if not tried:
        return min(first, most)
    found = bracket(tried)
    if found.broken is None:
        top = max(rung.load for rung in tried)
        return min(2 * top, most) if top < most else None
    if found.held is None:
        return found.broken.load // 2 or None
    low, high = found.held.load, found.broken.load
    if high - low <= 1 or high <= low * (1 + precision):
        return None
    return min(max(round(sqrt(low * high)), low + 1), high - 1)
