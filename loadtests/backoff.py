"""PURE. How long to wait before trying again: doubling, capped, and full of jitter so that clients spread out."""

from random import Random
from typing import Final

FIRST_S: Final = 0.1
LONGEST_S: Final = 5.0


class Backoff:
    """Exponential backoff with full jitter: uniform between 0 and a bound that doubles with each failure in a row."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, at_least_s: float = 0.0) -> float:
        """Return the seconds to wait now; at_least_s is what the server asked for (Retry-After)."""
        bound_s = min(LONGEST_S, FIRST_S * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        return at_least_s + self._random.uniform(0, bound_s)
