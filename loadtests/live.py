"""Live numbers per pattern: a log-linear histogram of latency and a few counts, mergeable across workers.

Fed once a second with the rows that were just written, so the users pay nothing for it. Never the source of a report.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from loadtests.recorder import Rows

STEPS: Final = 64
"""Buckets an octave: neighbours differ by 1.1 %."""


def buckets_of(latency_ns: "np.ndarray[Any, np.dtype[np.int64]]") -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Return the bucket of each latency; what is below 1 us shares the first."""
    octaves: Any = np.log2(np.maximum(latency_ns, 1_000))
    return np.floor(octaves * STEPS).astype(np.int64)  # type: ignore[no-any-return]


def latency_ms(bucket: int) -> float:
    """Return the middle of a bucket."""
    return float(2 ** ((bucket + 0.5) / STEPS) / 1e6)


@dataclass(slots=True)
class Live:
    """Totals since the start of a test. histogram: bucket -> deliveries.

    bytes_in: of responses that are complete; delivered_bytes: of messages, also on streams that are still open.
    """

    requests: int = 0
    empty: int = 0
    errors: int = 0
    deliveries: int = 0
    bytes_in: int = 0
    delivered_bytes: int = 0
    histogram: dict[int, int] = field(default_factory=dict)

    def add_requests(self, rows: Rows) -> None:
        self.requests += len(rows)
        self.empty += int(rows["empty"].sum())
        self.errors += int(np.count_nonzero((rows["error"] != 0) & (rows["error"] != 6)))
        self.bytes_in += int(rows["bytes_in"].sum())

    def add_deliveries(self, rows: Rows) -> None:
        self.deliveries += len(rows)
        self.delivered_bytes += int(rows["bytes"].sum())
        buckets = buckets_of(rows["received_ns"] - rows["due_ns"])
        for bucket, count in zip(*np.unique(buckets, return_counts=True), strict=True):
            self.histogram[int(bucket)] = self.histogram.get(int(bucket), 0) + int(count)

    def merge(self, other: "Live") -> None:
        self.requests += other.requests
        self.empty += other.empty
        self.errors += other.errors
        self.deliveries += other.deliveries
        self.bytes_in += other.bytes_in
        self.delivered_bytes += other.delivered_bytes
        for bucket, count in other.histogram.items():
            self.histogram[bucket] = self.histogram.get(bucket, 0) + count

    @property
    def bytes_per_delivery(self) -> int | None:
        """Return what has been received for each delivery so far, None without deliveries."""
        return round(max(self.bytes_in, self.delivered_bytes) / self.deliveries) if self.deliveries else None

    def quantile_ms(self, q: float) -> float | None:
        """Return the latency that a share q of the deliveries does not exceed; None without deliveries."""
        wanted, seen = q * self.deliveries, 0
        for bucket in sorted(self.histogram):
            seen += self.histogram[bucket]
            if seen >= wanted:
                return latency_ms(bucket)
        return None

    def packed(self) -> list[object]:
        """Return what msgpack can carry; `unpacked` is the inverse."""
        totals: list[object] = [self.requests, self.empty, self.errors, self.deliveries]
        return [*totals, self.bytes_in, self.delivered_bytes, self.histogram]


def unpacked(fields: list[Any]) -> Live:
    return Live(*fields)
