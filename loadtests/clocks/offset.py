"""PURE. How much has to be added to an instant of one clock to make it one of another: an interval, with a proof.

A probe leaves at `left_ns` of our clock, arrives at `reached_ns` of theirs, is answered at `answered_ns` of theirs, and
is back at `back_ns` of ours. Nothing arrives before it left. So the offset, their clock less ours, is at least
`answered - back` and at most `reached - left`, whatever the two ways took: no symmetry is assumed. A message is half a
probe: it was published before we received it. What holds at one instant holds at another, wider by what the clocks can
have drifted apart meanwhile; and all of it holds at once, so intervals are intersected.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final, NamedTuple, Self

FREE_RUNNING_PPM: Final = 50.0
"""How fast two clocks may drift apart that nothing steers: what oscillators are sold with (RFC 5905 has 15 each)."""
UNBOUNDED_NS: Final = 2**62


class ClocksDisagree(Exception):
    """No offset explains what was seen: a clock was set, or drifts faster than was assumed."""


@dataclass(frozen=True, slots=True)
class OffsetInterval:
    """The offset at the instant `at_ns` of our clock lies between low_ns and high_ns. rho_ppm: how fast it may change.

    A side that is not known is -UNBOUNDED_NS or UNBOUNDED_NS.
    """

    low_ns: int
    high_ns: int
    at_ns: int
    rho_ppm: float = FREE_RUNNING_PPM

    @property
    def midpoint_ns(self) -> int:
        """Return what is added to our instants."""
        return (self.low_ns + self.high_ns) // 2

    @property
    def error_ns(self) -> int:
        """Return by how much the midpoint may be wrong: half the width."""
        return self.high_ns - self.midpoint_ns

    @property
    def bounded(self) -> bool:
        return self.low_ns > -UNBOUNDED_NS and self.high_ns < UNBOUNDED_NS

    def widened(self, at_ns: int) -> Self:
        """Return what is known at another instant, before or after this one."""
        by_ns = ceil(abs(at_ns - self.at_ns) * self.rho_ppm / 1e6)
        low_ns = max(self.low_ns - by_ns, -UNBOUNDED_NS)
        return type(self)(low_ns, min(self.high_ns + by_ns, UNBOUNDED_NS), at_ns, self.rho_ppm)

    def intersect(self, other: "OffsetInterval") -> "OffsetInterval":
        """Return what both say, at the later of their instants. Raises ClocksDisagree when they contradict each other.

        The rho of the result is the larger one, and counts from here on.
        """
        at_ns = max(self.at_ns, other.at_ns)
        one, two = self.widened(at_ns), other.widened(at_ns)
        low_ns, high_ns = max(one.low_ns, two.low_ns), min(one.high_ns, two.high_ns)
        if low_ns > high_ns:
            raise ClocksDisagree(
                f"the offset of two clocks is at least {low_ns / 1e6:.3f} ms by one exchange and at most "
                f"{high_ns / 1e6:.3f} ms by another: one of the clocks was set, or drifts by more than "
                f"{max(self.rho_ppm, other.rho_ppm):g} ppm"
            )
        return OffsetInterval(low_ns, high_ns, at_ns, max(self.rho_ppm, other.rho_ppm))


class ClockExchange(NamedTuple):
    """One question and its answer: when it left and was back by our clock, reached and was answered by theirs."""

    left_ns: int
    reached_ns: int
    answered_ns: int
    back_ns: int

    def interval(self, rho_ppm: float = FREE_RUNNING_PPM) -> OffsetInterval:
        """Return what it says when it is back. Raises ClocksDisagree where the answer came before the question."""
        leaving = OffsetInterval(-UNBOUNDED_NS, self.reached_ns - self.left_ns, self.left_ns, rho_ppm)
        return leaving.intersect(OffsetInterval(self.answered_ns - self.back_ns, UNBOUNDED_NS, self.back_ns, rho_ppm))


def of_delivery(published_ns: int, received_ns: int, rho_ppm: float = FREE_RUNNING_PPM) -> OffsetInterval:
    """Return what a message says that was published by their clock and received by ours: the offset is at least this.

    Load so tightens the interval for nothing.
    """
    return OffsetInterval(published_ns - received_ns, UNBOUNDED_NS, received_ns, rho_ppm)
