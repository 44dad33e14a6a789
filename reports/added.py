"""PURE. What the load generator may have added to each quantile of latency, so that a figure is an interval.

A quantile as reported is at most too high: the message was there, and we read it later. The least it can have been is
the same quantile of what the kernel's stamps say, so a bare reader in our place would have measured something between.
Where a stamp says nothing about a message, it counts as having been there when it was published.

A long poll has two waits of ours: for the answer to be read, and before it for the request, which we send again only
when we have come round to it. A message published meanwhile lay at the server for want of a request.
"""

from typing import Final

import numpy as np
import pandas as pd

from reports.breakdown import FEW_STAMPED, TAIL

QUANTILES: Final = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": TAIL, "max_ms": 1.0}
ADDED: Final = {name: f"{name.removesuffix('_ms')}_added_ms" for name in QUANTILES}
NS_PER_MS: Final = 1_000_000


def added(first: pd.DataFrame, requests: pd.DataFrame, lag_ms: float, rtt_ms: float) -> dict[str, float]:
    """Return <quantile>_added_ms of one cell's first arrivals.

    lag_ms: how late our loop was in a usual second. It stands in where nobody asked for stamps, or, of the tail, where
    that has far fewer than the rest: then it is those that waited which have none.
    """
    latency, lateness = first["latency_ms"].to_numpy(), first["lateness_ms"].to_numpy()
    if not len(latency):
        return dict.fromkeys(ADDED.values(), np.nan)
    asked = first["arrived_ns"].to_numpy() != 0
    by_lag = dict(zip(ADDED.values(), _apart(latency, np.maximum(latency - lag_ms, lateness)), strict=True))
    if not asked.any():
        return by_lag
    told = np.where(first["arrived_ns"] > 0, latency - first["wait_ms"].to_numpy(), lateness)
    least = np.maximum(told - _asked_late_ms(first, requests, rtt_ms), np.minimum(lateness, told))
    found = dict(zip(ADDED.values(), _apart(latency[asked], least[asked]), strict=True))
    slow = latency >= np.quantile(latency, TAIL, method="inverted_cdf")
    if asked[slow].mean() < FEW_STAMPED * asked.mean():
        found |= {name: np.fmax(found[name], by_lag[name]) for name in (ADDED["p99_ms"], ADDED["max_ms"])}
    return found


def _apart(latency: np.ndarray, least: np.ndarray) -> list[float]:
    levels = list(QUANTILES.values())
    most, fewest = (np.quantile(values, levels, method="inverted_cdf") for values in (latency, least))
    return [float(value) for value in most - fewest]


def _asked_late_ms(first: pd.DataFrame, requests: pd.DataFrame, rtt_ms: float) -> np.ndarray:
    """Return how much sooner each delivery could have come had its long poll been asked at once; 0 of other patterns.

    Not sooner by more than the answer before lay with us, nor than its request came to the server after the message.
    """
    if not requests["hold_ns"].any():
        return np.zeros(len(first))
    ordered = requests.sort_values(["user", "started_ns"])
    idle_ns = (ordered["started_ns"] - ordered.groupby("user")["ended_ns"].shift()).clip(lower=0).fillna(0)
    answers = ordered.assign(idle_ns=idle_ns).drop_duplicates(["user", "ended_ns"])
    unread_ms = first["wait_ms"].fillna(0).groupby([first["user"], first["received_ns"]]).max().rename("unread_ms")
    answers = answers.join(unread_ms, on=["user", "ended_ns"])
    before_ms = answers.groupby("user")["unread_ms"].shift().fillna(0)
    answers = answers.assign(late_ms=idle_ns.loc[answers.index] / NS_PER_MS + before_ms)
    of = first[["user", "received_ns"]].merge(
        answers[["user", "ended_ns", "started_ns", "late_ms"]],
        how="left",
        left_on=["user", "received_ns"],
        right_on=["user", "ended_ns"],
    )
    lay_ms = (of["started_ns"].to_numpy() - first["published_ns"].to_numpy()) / NS_PER_MS + rtt_ms / 2
    late_ms: np.ndarray = np.minimum(of["late_ms"].to_numpy(), lay_ms)
    return np.nan_to_num(late_ms.clip(min=0))
