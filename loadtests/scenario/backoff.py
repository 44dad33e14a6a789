"""PURE. How long to wait before trying again: doubling, capped, and full of jitter so that clients spread out.

Clients that do worse are here as well, because what the advice is worth shows only beside them.
"""

from dataclasses import dataclass
from math import nan
from random import Random
from typing import Final

FIRST_S: Final = 0.1
LONGEST_S: Final = 5.0
RETRY_AFTER_MAX_S: Final = 60.0
DELAY_MAX_S: Final = 3600.0
FORMS: Final = f"exponential | fixed:SECONDS | none (SECONDS: 0.001 to {DELAY_MAX_S:g})"


@dataclass(frozen=True, slots=True)
class Retry:
    """kind exponential: backoff with full jitter; fixed: `delay_s` after every failure, for all clients alike;
    none: at once, and deaf to what the server asks for.
    """

    kind: str = "exponential"
    delay_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind}:{self.delay_s:g}" if self.delay_s else self.kind


EXPONENTIAL: Final = Retry()


def parse_retry(text: str) -> Retry:
    """Read a retry from its one-line form, the inverse of `str(retry)`. Raises ValueError naming text and forms."""
    kind, colon, delay = text.strip().partition(":")
    if kind in {"exponential", "none"} and not colon:
        return Retry(kind)
    if kind == "fixed" and 0.001 <= _seconds(delay) <= DELAY_MAX_S:
        return Retry(kind, _seconds(delay))
    raise ValueError(f"backoff {text!r} is none of: {FORMS}")


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


def asked_for_s(retry_after: str) -> float:
    """Return the pause that a Retry-After header asks for, in s; 0 for none. A date, its other form, asks for nothing.

    A server may ask for any pause; a user that obeyed all of them might never be heard of again.
    """
    return min(float(retry_after), RETRY_AFTER_MAX_S) if retry_after.isdecimal() else 0.0


class Backoff:
    """The waits of one client: exponential ones are uniform between 0 and a bound that doubles with each failure in a
    row (full jitter)."""

    def __init__(self, random: Random, retry: Retry = EXPONENTIAL) -> None:
        self._random = random
        self._retry = retry
        self.failures = 0

    def succeeded(self) -> None:
        self.failures = 0

    def failed(self, at_least_s: float = 0.0) -> float:
        """Return the seconds to wait now; at_least_s is what the server asked for (Retry-After)."""
        if self._retry.kind == "none":
            return 0.0
        if self._retry.kind == "fixed":
            return max(at_least_s, self._retry.delay_s)
        bound_s = min(LONGEST_S, FIRST_S * 2**self.failures)
        self.failures = min(self.failures + 1, 16)
        return at_least_s + self._random.uniform(0, bound_s)
