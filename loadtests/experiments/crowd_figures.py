"""What crowds recorded as figures: requests per 100 ms, messages lost, the p99, the CPU of the server."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd

from loadtests.experiments.observations import Points
from loadtests.experiments.server_and_crowds import Crowd
from loadtests.records.rows import Sample

BIN_NS: Final = 100_000_000
BINS_PER_S: Final = 10


def rows(crowd: Crowd, table: str) -> pd.DataFrame:
    """Read what a crowd recorded, by the columns of records/rows.py."""
    return pd.read_parquet(crowd.folder / f"{table}.parquet")


def within(frame: pd.DataFrame, column: str, from_ns: int, until_ns: int) -> pd.DataFrame:
    return frame[frame[column].between(from_ns, until_ns, "left")]


def per_bin(instants_ns: Iterable[int], from_ns: int, until_ns: int) -> np.ndarray:
    """Count instants in each 100 ms from `from_ns` on, as far as they are whole."""
    bins = max(1, (until_ns - from_ns) // BIN_NS)
    at = (np.asarray(instants_ns, np.int64) - from_ns) // BIN_NS
    return np.bincount(at[(at >= 0) & (at < bins)], minlength=bins)


def bin_points(counts: np.ndarray, **also: float | str) -> Points:
    """Return a point for the middle of each 100 ms: at_s, count."""
    return [{"at_s": (nth + 0.5) / BINS_PER_S, "count": float(count), **also} for nth, count in enumerate(counts)]


def p99_ms(durations_ns: "pd.Series[int]") -> float:
    return (
        float(np.quantile(durations_ns.to_numpy(), 0.99, method="inverted_cdf") / 1e6) if len(durations_ns) else np.nan
    )


def lost(deliveries: pd.DataFrame, users: int, newest_id: int) -> int:
    """Count the messages 1 to `newest_id` that did not reach a user. A message that came twice counts once."""
    got = deliveries[deliveries["id"] <= newest_id]
    return users * newest_id - len(got.drop_duplicates(["user", "id"]))


def cpu_percent(before: Sample, after: Sample) -> float:
    """Return the share of one core that a process used between two samples, in percent."""
    return 100 * (after.cpu_ns - before.cpu_ns) / (after.at_ns - before.at_ns)
