"""PURE. How fast a clock is being steered: CLOCK_MONOTONIC held against CLOCK_MONOTONIC_RAW, which NTP leaves alone.

Two oscillators left alone drift apart by at most FREE_RUNNING_PPM; a clock that is steered moves against its own by
what is seen here. The sum bounds how fast the offset of two clocks can change.
"""

from typing import Final

from loadtests.clocks.offset import FREE_RUNNING_PPM

EACH_NS: Final = 1_000_000_000
"""Over less, what two readings differ by chance would count for too much: 1 us a second is 1 ppm."""


class Drift:
    """seen_ppm: the fastest that the clock was steered over any of the seconds so far."""

    def __init__(self) -> None:
        self.seen_ppm = 0.0
        self._since: tuple[int, int] | None = None

    def take(self, now_ns: int, raw_ns: int) -> None:
        """Take both clocks, read at one instant. raw_ns 0: there is none, or it could not be read at once."""
        if not raw_ns:
            return
        if self._since is None:
            self._since = now_ns, raw_ns
            return
        went_ns, went_raw_ns = now_ns - self._since[0], raw_ns - self._since[1]
        if went_raw_ns >= EACH_NS:
            self.seen_ppm = max(self.seen_ppm, abs(went_ns - went_raw_ns) / went_raw_ns * 1e6)
            self._since = now_ns, raw_ns


def rho_ppm(*steered: Drift) -> float:
    """Return how fast the offset of clocks that are steered so may change."""
    return FREE_RUNNING_PPM + sum(each.seen_ppm for each in steered)
