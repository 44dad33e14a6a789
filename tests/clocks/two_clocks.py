"""Two clocks whose true offset is known at every instant, and paths between them that are as unequal as can be."""

from dataclasses import dataclass

import numpy as np

from loadtests.clocks.offset import ClockExchange

MS = 1_000_000
S = 1_000 * MS


@dataclass(frozen=True)
class TwoClocks:
    """Ours counts true time, theirs is ahead by `offset_ns` at our instant 0 and gains `drift_ppm`."""

    offset_ns: int
    drift_ppm: float = 0.0

    def offset_at(self, ours_ns: int) -> float:
        return self.offset_ns + ours_ns * self.drift_ppm / 1e6

    def theirs(self, ours_ns: int) -> int:
        return ours_ns + round(self.offset_at(ours_ns))

    def exchange(self, left_ns: int, there_ns: int, held_ns: int, back_ns: int) -> ClockExchange:
        """Make one that takes so long on the way there, is held there, and takes so long on the way back."""
        reached_ns = left_ns + there_ns
        answered_ns = reached_ns + held_ns
        return ClockExchange(left_ns, self.theirs(reached_ns), self.theirs(answered_ns), answered_ns + back_ns)

    def exchanges(self, random: np.random.Generator, count: int, each_ns: int = S // 5) -> list[ClockExchange]:
        """Make one each 0.2 s. Each way has a least delay of its own, and what queues add to it."""
        least_there, least_back = (int(least) for least in random.exponential(2 * MS, 2))
        return [
            self.exchange(
                S + at * each_ns,
                least_there + int(random.exponential(5 * MS)),
                int(random.exponential(MS / 10)),
                least_back + int(random.exponential(MS / 2)),
            )
            for at in range(count)
        ]
