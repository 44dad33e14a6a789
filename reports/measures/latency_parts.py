"""PURE. The parts of a delivery's latency, and which of a message's clients it went to.

    latency = lateness (due to published) + server and network (to the client's kernel) + wait (for our own loop)

The last two are told apart by the kernel's receive stamp, which not every delivery has: of many reads only some are
asked for theirs, and not each answer says when its messages came (loadtests/users/connection.py). Nothing is said about
a tail that has too few of them.
"""

from typing import Final, TypeVar

import numpy as np
import pandas as pd

from reports.data.columns import Columns, Table
from reports.measures.losses import one_each, repeats

T = TypeVar("T", pd.DataFrame, Columns)
TAIL: Final = 0.99
FEW_STAMPED: Final = 0.5
"""Of the share of stamps that deliveries have as a whole: fewer in the tail, and it is those that had to wait."""
PARTS: Final = ("lateness", "network", "wait")
TAIL_PARTS: Final = tuple(f"{part}_tail_ms" for part in PARTS)


def first_arrivals(window: T) -> T:
    """Return the deliveries without those that brought a user what it had."""
    repeated = repeats(one_each(window["user"].to_numpy(), window["id"].to_numpy()))
    return window[~repeated] if repeated.any() else window


def parts(first: Table) -> dict[str, float]:
    """The parts of the latency of one cell's first arrivals. NaN without a stamp.

    <part>_mean_ms and <part>_tail_ms are means over all and over the slowest 1 %, so the parts add up; the quantiles of
    parts do not. stamped_ratio: share of the deliveries that have a stamp, and are what all of this rests on.
    """
    latency, wait = (first[f"{name}_ms"].to_numpy() for name in ("latency", "wait"))
    known = np.isfinite(wait)
    of = {
        "lateness": first["lateness_ms"].to_numpy()[known],
        "network": (first["transit_ms"].to_numpy() - wait)[known],
        "wait": wait[known],
    }
    slow = latency >= _quantile(latency, TAIL)
    enough = known.any() and known[slow].mean() >= FEW_STAMPED * known.mean()
    return {
        "stamped_ratio": float(known.mean()) if len(known) else np.nan,
        **{f"{name}_p50_ms": _quantile(of[name], 0.5) for name in ("network", "wait")},
        **{f"{name}_p99_ms": _quantile(of[name], TAIL) for name in ("network", "wait")},
        **{f"{name}_mean_ms": _mean(of[name]) for name in PARTS},
        **{f"{name}_tail_ms": _mean(of[name][slow[known]]) if enough else np.nan for name in PARTS},
    }


def positions(first: Table) -> dict[str, float]:
    """How long the first, the middle and the last client of a message waited, and the last after the first (drain_ms).

    Each is the median over the messages of one cell.
    """
    order, begins, clients = _in_order(first)
    latency = first["latency_ms"].to_numpy()
    of = {"first_client": begins, "middle_client": begins + (clients - 1) // 2, "last_client": begins + clients - 1}
    seen = {name: latency[order[chosen]] for name, chosen in of.items()}
    medians = {f"{name}_ms": _quantile(values, 0.5) for name, values in seen.items()}
    return {**medians, "drain_ms": _quantile(seen["last_client"] - seen["first_client"], 0.5)}


def by_rank(first: Table) -> pd.DataFrame:
    """Return medians over messages for each place (index, from 0) in the order in which a message reached its clients.

    latency_ms: as everywhere; kernel_ms: from due to the client's kernel, NaN where no stamp tells.
    """
    order, begins, clients = _in_order(first)
    rank = np.arange(len(order), dtype=np.int32) - np.repeat(begins, clients).astype(np.int32)
    latency, wait = (first[f"{name}_ms"].to_numpy()[order] for name in ("latency", "wait"))
    return pd.DataFrame({"latency_ms": latency, "kernel_ms": latency - wait}).groupby(rank).median()


def _in_order(first: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows by message and arrival; where each message begins among them, and how many clients it has."""
    ids = first["id"].to_numpy()
    order = np.lexsort((first["received_ns"].to_numpy(), ids))
    begins = np.append(0, np.flatnonzero(np.diff(ids[order])) + 1) if len(ids) else np.zeros(0, np.int64)
    return order, begins, np.diff(begins, append=len(ids))


def _quantile(values: np.ndarray, q: float) -> float:
    """Return a value that was measured, not one between two."""
    return float(np.quantile(values, q, method="inverted_cdf")) if len(values) else np.nan


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan
