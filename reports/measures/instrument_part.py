"""PURE. What the instrument may have added to each latency: an interval, never a correction.

A delivery is told late by as much as it lay in the client's kernel before our loop read it. Where the kernel stamped
its arrival, that wait is known. Where it did not, the second in which it was read speaks for it: if as many of that
second's deliveries are stamped as of all, those stand for the others (stamps are drawn at random); if far fewer are,
messages came together because our loop stood still, and then each may have waited for as long as the loop was late at
its worst.

The floor of a quantile is that quantile with all of this taken out. A reader that takes no time would have seen a value
between the floor and what is reported; conclusions hold only if they hold for both.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from servers.timing import NS_PER_S

FEW_STAMPED: Final = 0.5
"""A second with less than this share of the usual stamps is one in which messages came together."""
NS_PER_MS: Final = 1_000_000


def floors(first: pd.DataFrame, generator: pd.DataFrame, quantiles: Mapping[str, float]) -> dict[str, float]:
    """Return `<name>_floor` of each quantile of one cell's first arrivals; NaN where nothing is known of our loop.

    first: with latency_ms, transit_ms, wait_ms (NaN without a stamp) and received_ns. generator: samples of the load
    processes, with at_ns, pid and lag_ns. quantiles: name -> share of the deliveries.
    """
    names = [f"{name}_floor" for name in quantiles]
    latency, wait = (first[f"{name}_ms"].to_numpy() for name in ("latency", "wait"))
    stamped = np.isfinite(wait)
    looks = _looks(generator)
    if not len(latency) or not (stamped.any() or len(looks)):
        return dict.fromkeys(names, np.nan)
    received_ns = first["received_ns"].to_numpy()
    second = np.searchsorted(looks["at_ns"].to_numpy(), received_ns)
    spoken_for, weight = _spoken_for(second, stamped)
    late_ms = np.minimum(_late_ms(looks, second, received_ns), first["transit_ms"].to_numpy())
    floor = latency - np.where(stamped, wait, np.maximum(late_ms, 0))
    kept = stamped | ~spoken_for
    values = _weighted_quantiles(floor[kept], weight[kept], list(quantiles.values()))
    return dict(zip(names, map(float, values), strict=True))


def _looks(generator: pd.DataFrame) -> pd.DataFrame:
    """Return when the load processes looked at themselves, in order, and how late any of them had been by then.

    A process that was stopped looks late: what a gap between two looks has beyond a second is lag, whatever it says.
    """
    known = generator[generator["lag_ns"] >= 0].sort_values("at_ns")
    gap_ns = known.groupby("pid")["at_ns"].diff().fillna(0) - NS_PER_S
    return pd.DataFrame({"at_ns": known["at_ns"], "lag_ns": np.maximum(known["lag_ns"], gap_ns.clip(lower=0))})


def _spoken_for(second: np.ndarray, stamped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Say of which deliveries the stamped ones of the same second speak, and with what weight."""
    count = np.bincount(second)
    known = np.bincount(second, weights=stamped)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(count > 0, known / count, 0.0)
    enough = (known > 0) & (share >= FEW_STAMPED * stamped.mean())
    weight = np.where(enough, 1 / np.maximum(share, 1e-9), 1.0)
    return enough[second], np.where(stamped, weight[second], 1.0)


def _late_ms(looks: pd.DataFrame, second: np.ndarray, received_ns: np.ndarray) -> np.ndarray:
    """How late our loop was at its worst about the time of each delivery; what was read after the last look waited
    since then.

    The look before counts as well: after a stop, the loop may look at itself before it reads what has come meanwhile.
    """
    if not len(looks):
        return np.zeros(len(second))
    lag_ns = np.append(looks["lag_ns"].to_numpy(), 0)
    here = np.maximum(lag_ns[second], lag_ns[np.maximum(second - 1, 0)])
    after = np.maximum(received_ns - looks["at_ns"].iloc[-1] - NS_PER_S, 0)
    return np.asarray(np.maximum(here, np.where(second == len(looks), after, 0)) / NS_PER_MS)


def _weighted_quantiles(values: np.ndarray, weights: np.ndarray, shares: list[float]) -> np.ndarray:
    """Quantiles that are values which occurred, each value counting as often as its weight says."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    at = np.searchsorted(reached, np.asarray(shares) * reached[-1] * (1 - 1e-12))
    return np.asarray(values[order][np.minimum(at, len(values) - 1)])
