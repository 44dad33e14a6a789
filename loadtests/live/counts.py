"""Live numbers per pattern: a log-linear histogram of latency and a few counts, mergeable across workers and time.

Fed once a second with the rows that were just written, so the users pay nothing for it. Never the source of a report.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, fields
from typing import Any, Final

import numpy as np

from loadtests.records.recorder import Rows
from loadtests.records.rows import ERRORS, MODES

STEPS: Final = 64
"""Buckets an octave: neighbours differ by 1.1 %."""
CUT: Final = ERRORS.index("cut")
INLINE: Final = MODES.index("inline")


def buckets_of(latency_ns: "np.ndarray[Any, np.dtype[np.int64]]") -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Return the bucket of each latency; what is below 1 us shares the first."""
    octaves: Any = np.log2(np.maximum(latency_ns, 1_000))
    return np.floor(octaves * STEPS).astype(np.int64)  # type: ignore[no-any-return]


def latency_ms(bucket: int) -> float:
    """Return the middle of a bucket."""
    return float(2 ** ((bucket + 0.5) / STEPS) / 1e6)


def count_into(histogram: dict[int, int], values_ns: "np.ndarray[Any, np.dtype[np.int64]]") -> None:
    for bucket, count in zip(*np.unique(buckets_of(values_ns), return_counts=True), strict=True):
        histogram[int(bucket)] = histogram.get(int(bucket), 0) + int(count)


def quantile_ms(histogram: Mapping[int, int], q: float) -> float | None:
    """Return the value that a share q of those counted does not exceed; None when nothing was counted."""
    wanted, seen = q * sum(histogram.values()), 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= wanted:
            return latency_ms(bucket)
    return None


@dataclass(slots=True)
class Live:
    """What happened in some span of time. histogram: bucket -> deliveries.

    answered: requests that ended without error; carried: messages that ended requests brought, bytes_in and bytes_out:
    theirs, heads included. delivered_bytes: of messages, also on streams that are still open.
    inline: deliveries in the response itself; backwards: deliveries received before they were published.
    first_id, last_id: the ids delivered lie between these, 0 for none.
    """

    requests: int = 0
    answered: int = 0
    empty: int = 0
    errors: int = 0
    carried: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    deliveries: int = 0
    delivered_bytes: int = 0
    inline: int = 0
    backwards: int = 0
    missed: int = 0
    duplicated: int = 0
    first_id: int = 0
    last_id: int = 0
    histogram: dict[int, int] = field(default_factory=dict)

    def add_requests(self, rows: Rows) -> None:
        self.requests += len(rows)
        self.answered += int(np.count_nonzero(rows["error"] == 0))
        self.empty += int(rows["empty"].sum())
        self.errors += int(np.count_nonzero((rows["error"] != 0) & (rows["error"] != CUT)))
        self.carried += int(rows["messages"].sum())
        self.bytes_in += int(rows["bytes_in"].sum())
        self.bytes_out += int(rows["bytes_out"].sum())

    def add_deliveries(self, rows: Rows, clock_error_ns: int = 0) -> None:
        """clock_error_ns: by how much an instant of ours may be wrong on the publisher's clock."""
        self.deliveries += len(rows)
        self.delivered_bytes += int(rows["bytes"].sum())
        self.inline += int(np.count_nonzero(rows["mode"] == INLINE))
        self.backwards += int(np.count_nonzero(rows["received_ns"] + clock_error_ns < rows["published_ns"]))
        self._span(int(rows["id"].min()), int(rows["id"].max()))
        count_into(self.histogram, rows["received_ns"] - rows["due_ns"])

    def merge(self, other: "Live") -> None:
        for name in SUMMED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.first_id:
            self._span(other.first_id, other.last_id)
        for bucket, count in other.histogram.items():
            self.histogram[bucket] = self.histogram.get(bucket, 0) + count

    def _span(self, first_id: int, last_id: int) -> None:
        self.first_id = min(self.first_id or first_id, first_id)
        self.last_id = max(self.last_id, last_id)

    @property
    def messages(self) -> int:
        """Return over how many messages the deliveries are spread."""
        return self.last_id - self.first_id + 1 if self.first_id else 0

    @property
    def empty_ratio(self) -> float | None:
        """Return the share of answers that brought no message, None without answers."""
        return self.empty / self.answered if self.answered else None

    @property
    def bytes_per_delivery(self) -> float | None:
        """Return bytes both ways for each delivery so far, None without deliveries; as reports/measures/costs.py counts
        them.
        """
        if not self.deliveries:
            return None
        payload = self.delivered_bytes / self.deliveries
        return payload + (self.bytes_in + self.bytes_out - self.carried * payload) / self.deliveries

    def quantile_ms(self, q: float) -> float | None:
        """Return the latency that a share q of the deliveries does not exceed; None without deliveries."""
        return quantile_ms(self.histogram, q)

    def packed(self) -> list[object]:
        """Return what msgpack can carry; `unpacked` is the inverse."""
        return list(astuple(self))


SUMMED: Final = [each.name for each in fields(Live) if each.name not in {"first_id", "last_id", "histogram"}]


def unpacked(values: list[Any]) -> Live:
    return Live(*values)
