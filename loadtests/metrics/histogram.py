"""PURE. Latencies counted exactly, in buckets that Prometheus (native histograms) and OpenTelemetry (exponential ones)
share, so that whoever collects can add up what processes, runs and machines counted.

Finer ones stand for rows that are not kept: they tell three digits, from 1 us to an hour and beyond.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

SCHEMA: Final = 5
"""Prometheus' schema and OpenTelemetry's scale: 32 buckets an octave, neighbours differ by 2.2 %."""
PER_OCTAVE: Final = 2**SCHEMA
THREE_DIGITS: Final = 10
"""The schema whose neighbours differ by 0.07 %: the middle of a bucket is within 0.04 % of all that is in it."""
ZERO_S: Final = 1e-6
"""What is no longer than this, or below nothing, is counted as none."""
CLASSIC: Final = range(-12 * PER_OCTAVE, 6 * PER_OCTAVE + 1, PER_OCTAVE // 2)
"""Buckets at whose ends classic histograms count, 0.24 ms to 64 s, two an octave: both kinds agree to the last one."""
NS_PER_S: Final = 1e9


def upper_s(bucket: float, schema: int = SCHEMA) -> float:
    """Return what a bucket reaches up to: it holds (upper_s(bucket - 1), upper_s(bucket)], as Prometheus numbers it."""
    return float(2.0 ** (bucket / 2**schema))


@dataclass(slots=True)
class Histogram:
    """counts: by bucket; zero: those of no length. sum_ns: of all, and longest_ns: the longest, both exact."""

    counts: dict[int, int] = field(default_factory=dict)
    zero: int = 0
    sum_ns: int = 0
    longest_ns: int = 0
    schema: int = SCHEMA

    def take(self, values_ns: "np.ndarray[Any, np.dtype[np.int64]]") -> None:
        """Count many at once."""
        long = values_ns[values_ns > ZERO_S * NS_PER_S]
        self.zero += len(values_ns) - len(long)
        self.sum_ns += int(values_ns.sum())
        self.longest_ns = max(self.longest_ns, int(values_ns.max(initial=0)))
        buckets = np.ceil(np.log2(long / NS_PER_S) * 2**self.schema).astype(np.int64)
        found, counts = np.unique(buckets, return_counts=True)
        for bucket, count in zip(found.tolist(), counts.tolist(), strict=True):
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    def merge(self, other: "Histogram") -> None:
        """Add what another one counted. Raises ValueError for one of another schema."""
        if other.schema != self.schema:
            raise ValueError(f"a histogram of schema {other.schema} cannot be added to one of schema {self.schema}")
        self.zero += other.zero
        self.sum_ns += other.sum_ns
        self.longest_ns = max(self.longest_ns, other.longest_ns)
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    def quantiles_ns(self, levels: Sequence[float]) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """Return the value that each share of those counted does not exceed, the middle of its bucket; NaN of none.

        A share of 1 gives the longest itself. What has no length is 0.
        """
        if not self.count:
            return np.full(len(levels), np.nan)
        buckets = sorted(self.counts)
        reached = self.zero + np.cumsum([self.counts[bucket] for bucket in buckets])
        middles = [0.0, *(upper_s(bucket - 0.5, self.schema) * NS_PER_S for bucket in buckets)]
        # As numpy counts for "inverted_cdf": the first of them at which the share is reached.
        wanted = np.maximum(np.ceil(np.asarray(levels) * self.count - 1) + 1, 1)
        found = np.asarray(middles)[np.searchsorted(np.concatenate([[self.zero], reached]), wanted)]
        return np.where(np.asarray(levels) >= 1, float(self.longest_ns), np.minimum(found, self.longest_ns))

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
