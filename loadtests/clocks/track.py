"""PURE. The offset of two clocks over a whole cell, from everything that was exchanged in it, before and after.

The same arithmetic as OffsetInterval, for all instants at once: a running maximum of lower bounds and a running minimum
of upper ones, forwards and backwards, each relaxing by the drift between two instants.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtests.clocks.offset import OffsetInterval

Instants = NDArray[np.int64]
PPM = 1e-6


@dataclass(frozen=True, slots=True)
class Track:
    """at_ns: instants of our clock, ascending; low_ns, high_ns: between what the offset lies at each of them.

    rho_ppm: how fast it may change. empty: at some instant nothing is left between low and high, so a clock was set, or
    rho is wrong.
    """

    at_ns: Instants
    low_ns: Instants
    high_ns: Instants
    rho_ppm: float

    @property
    def empty(self) -> bool:
        return bool((self.low_ns > self.high_ns).any())

    @property
    def last(self) -> OffsetInterval:
        return OffsetInterval(int(self.low_ns[-1]), int(self.high_ns[-1]), int(self.at_ns[-1]), self.rho_ppm)

    @property
    def contradiction_ns(self) -> int:
        """Return by how much the worst two bounds contradict each other; 0 or less where none do."""
        return int((self.low_ns - self.high_ns).max())

    def shift_ns(self, instants: Instants) -> Instants:
        """Return what to add to each of some instants of our clock: the midpoint, on a straight line between two."""
        start_ns = self.at_ns[0]
        middle = self._middle_ns()
        between: NDArray[np.float64] = np.interp(
            (instants - start_ns).astype(float), self.at_ns - start_ns, middle - middle[0]
        )
        shift: Instants = middle[0] + np.rint(between).astype(np.int64)
        return shift

    def error_ns(self) -> int:
        """Return by how much any of these may be wrong, from the first to the last of `at_ns`.

        Bounds and offset both change by no more than rho, so between two instants they can part by no more than half
        of what they could on the whole way.
        """
        widest = int((self.high_ns - self._middle_ns()).max())
        pause_ns = int(np.diff(self.at_ns).max()) if len(self.at_ns) > 1 else 0
        return widest + int(np.ceil(pause_ns * self.rho_ppm * PPM / 2)) + 1

    def _middle_ns(self) -> Instants:
        return (self.low_ns + self.high_ns) // 2


def track(
    exchanges: NDArray[np.int64],
    rho_ppm: float,
    seen: tuple[Instants, Instants] | None = None,
    span_ns: tuple[int, int] | None = None,
) -> Track:
    """Return the offset over time.

    exchanges: a row for each, (left, reached, answered, back) as in `ClockExchange`; at least one. seen: of deliveries,
    when they were received and the least that the offset then was. span_ns: the first and the last instant to know it
    at.
    """
    left, reached, answered, back = exchanges.T
    drifted = np.ceil((back - left) * rho_ppm * PPM).astype(np.int64)
    received, least = seen if seen is not None else (np.empty(0, np.int64), np.empty(0, np.int64))
    edges = np.array(span_ns or (), np.int64)
    about_ns = int(answered[0] - back[0])
    at = np.concatenate([back, received, edges])
    unknown = np.full(len(edges), np.inf)
    low = np.concatenate([answered - back - about_ns, least - about_ns, -unknown]).astype(float)
    high = np.concatenate([reached - left + drifted - about_ns, np.full(len(received), np.inf), unknown]).astype(float)
    order = np.argsort(at, kind="stable")
    at, low, high = at[order], low[order], high[order]
    relaxed = (at - at[0]) * rho_ppm * PPM
    low, high = _known(low, relaxed), -_known(-high, relaxed)
    return Track(at, about_ns + np.floor(low).astype(np.int64), about_ns + np.ceil(high).astype(np.int64), rho_ppm)


def _known(low: "NDArray[np.float64]", relaxed: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return the largest of all lower bounds at each instant, each less what the offset may have moved since."""
    before = np.maximum.accumulate(low + relaxed) - relaxed
    after = np.maximum.accumulate((low - relaxed)[::-1])[::-1] + relaxed
    return np.maximum(before, after)
