"""PURE. Latencies counted exactly, in buckets that Prometheus (native histograms) and OpenTelemetry (exponential ones)
share, so that whoever collects can add up what processes, runs and machines counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

SCHEMA: Final = 5
"""Prometheus' schema and OpenTelemetry's scale: 32 buckets an octave, neighbours differ by 2.2 %."""
PER_OCTAVE: Final = 2**SCHEMA
ZERO_S: Final = 1e-6
"""What is no longer than this, or below nothing, is counted as none."""
CLASSIC: Final = range(-12 * PER_OCTAVE, 6 * PER_OCTAVE + 1, PER_OCTAVE // 2)
"""Buckets at whose ends classic histograms count, 0.24 ms to 64 s, two an octave: both kinds agree to the last one."""
NS_PER_S: Final = 1e9


def upper_s(bucket: int) -> float:
    """Return what a bucket reaches up to: it holds (upper_s(bucket - 1), upper_s(bucket)], as Prometheus numbers it."""
    return float(2.0 ** (bucket / PER_OCTAVE))


@dataclass(slots=True)
class Histogram:
    """counts: by bucket; zero: those of no length. sum_ns: of all, exact."""

    counts: dict[int, int] = field(default_factory=dict)
    zero: int = 0
    sum_ns: int = 0

    def take(self, values_ns: "np.ndarray[Any, np.dtype[np.int64]]") -> None:
        """Count many at once."""
        long = values_ns[values_ns > ZERO_S * NS_PER_S]
        self.zero += len(values_ns) - len(long)
        self.sum_ns += int(values_ns.sum())
        buckets = np.ceil(np.log2(long / NS_PER_S) * PER_OCTAVE).astype(np.int64)
        for bucket, count in zip(*np.unique(buckets, return_counts=True), strict=True):
            self.counts[int(bucket)] = self.counts.get(int(bucket), 0) + int(count)

    @property
    def count(self) -> int:
        return self.zero + sum(self.counts.values())

    @property
    def sum_s(self) -> float:
        return self.sum_ns / NS_PER_S

    def classic(self) -> Iterator[tuple[float, int]]:
        """Yield (upper bound in seconds, how many were no longer), without the last one, which is endless."""
        for end in CLASSIC:
            yield upper_s(end), self.zero + sum(count for bucket, count in self.counts.items() if bucket <= end)

    def spans(self) -> Iterator[tuple[int, list[int]]]:
        """Yield (first bucket, counts) of each run of neighbours."""
        first, run = 0, list[int]()
        for bucket in sorted(self.counts):
            if run and bucket != first + len(run):
                yield first, run
                run = []
            first = first if run else bucket
            run.append(self.counts[bucket])
        if run:
            yield first, run
