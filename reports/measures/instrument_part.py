"""PURE. What the instrument may have added to each latency: an interval, never a correction.

A delivery is told late by as much as it lay in the client's kernel before our loop read it. Where the kernel stamped
its arrival, that wait is known. Without a stamp, the second in which it was read bounds it: if as
many of that second's deliveries were asked about as of all, those stand for the others (they are drawn at random). If
far fewer were, or the stamp says nothing of the message, it may have waited for as long as the loop was late at its
worst.

A long poll has a second wait of ours: its request, which is sent again only when we have come round to the answer
before. A message published meanwhile lay at the server for want of a request.

The floor of a quantile is that quantile with all of this taken out. A reader that takes no time would have seen a value
between the floor and what is reported; conclusions hold only if they hold for both.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from servers.timing import NS_PER_MS, NS_PER_S

FEW_STAMPED: Final = 0.5
"""A second with less than this share of the usual stamps is one in which messages came together."""
Looks = tuple[np.ndarray, np.ndarray]
"""When a load process looked at itself, and how late it had been."""


def floors(
    first: pd.DataFrame,
    generator: pd.DataFrame,
    quantiles: Mapping[str, float],
    asked_late_ms: np.ndarray | float = 0.0,
) -> dict[str, float]:
    """Return `<name>_floor` of each quantile of one cell's first arrivals; NaN where nothing is known of our loop.

    first: with user, latency_ms, transit_ms, wait_ms (NaN without a stamp), received_ns and arrived_ns. generator:
    samples of the load processes, with at_ns, pid and lag_ns. quantiles: name -> share of the deliveries.
    asked_late_ms: of each delivery, see `asked_late_ms`.
    """
    names = [f"{name}_floor" for name in quantiles]
    latency, wait = (first[f"{name}_ms"].to_numpy() for name in ("latency", "wait"))
    stamped, asked = np.isfinite(wait), first["arrived_ns"].to_numpy() != 0
    looks = [_looks(each) for _, each in generator.groupby("pid")]
    looks = [(at_ns, lag_ns) for at_ns, lag_ns in looks if len(at_ns)]
    if not len(latency) or not (stamped.any() or len(looks)):
        return dict.fromkeys(names, np.nan)
    received_ns = first["received_ns"].to_numpy()
    at_ns = np.sort(np.concatenate([each for each, _ in looks])) if looks else np.empty(0)
    second, sharing = np.searchsorted(at_ns, received_ns), max(1, len(looks))
    # A second of one process: those of the others do not speak for it. Users are dealt out to them in turn.
    spoken_for, weight = _spoken_for(second * sharing + first["user"].to_numpy() % sharing, asked)
    ours_ms = np.where(stamped, wait, _late_ms(looks, received_ns)) + asked_late_ms
    floor = latency - np.clip(ours_ms, 0, np.maximum(first["transit_ms"].to_numpy(), 0))
    kept = asked | ~spoken_for
    values = _weighted_quantiles(floor[kept], weight[kept], list(quantiles.values()))
    return dict(zip(names, map(float, values), strict=True))


def asked_late_ms(first: pd.DataFrame, requests: pd.DataFrame, rtt_ms: float) -> np.ndarray | float:
    """Return how much sooner each delivery could have come had its long poll been asked at once; 0 of other patterns.

    Not sooner by more than its request came to the server after the message; nor, where the kernel stamped the answer
    before, by more than that lay with us.
    """
    if not requests["hold_ns"].any():
        return 0.0
    answers = requests.sort_values(["user", "started_ns"])[["user", "started_ns", "ended_ns", "error"]]
    before = answers.groupby("user")[["ended_ns", "error"]].shift()
    unread_of = first.groupby(["user", "received_ns"])["wait_ms"].max().rename("unread_ms")
    unread_ms = answers.join(unread_of, on=["user", "ended_ns"]).groupby("user")["unread_ms"].shift()
    idle_ms = (answers["started_ns"] - before["ended_ns"]).clip(lower=0) / NS_PER_MS
    # Who was refused waits before asking again, and that is the pattern's own.
    answers["late_ms"] = (idle_ms + unread_ms.fillna(np.inf)).where(before["error"] == "", 0)
    of = first[["user", "received_ns"]].merge(
        answers.drop_duplicates(["user", "ended_ns"]),
        how="left",
        left_on=["user", "received_ns"],
        right_on=["user", "ended_ns"],
    )
    lay_ms = (of["started_ns"].to_numpy() - first["published_ns"].to_numpy()) / NS_PER_MS + rtt_ms / 2
    return np.asarray(np.nan_to_num(np.clip(np.minimum(of["late_ms"].to_numpy(), lay_ms), 0, None)))


def _looks(generator: pd.DataFrame) -> Looks:
    """Return when a load process looked at itself, in order, and how late it had been by then.

    One that was stopped looks late: what a gap between two looks has beyond a second is lag, whatever it says.
    """
    at_ns, lag_ns = generator["at_ns"].to_numpy(), generator["lag_ns"].to_numpy()
    order = np.argsort(at_ns, kind="stable")
    order = order[lag_ns[order] >= 0]
    at_ns = at_ns[order]
    lag_ns = np.maximum(lag_ns[order], np.diff(at_ns, prepend=at_ns[:1]) - NS_PER_S)
    # After a stop the loop may look at itself more than once before it has read all that came meanwhile.
    since = np.searchsorted(at_ns, at_ns - NS_PER_S, side="right")
    spans = np.column_stack([since, np.arange(1, len(at_ns) + 1)]).ravel()
    return at_ns, np.maximum.reduceat(np.append(lag_ns, 0), spans)[::2] if len(at_ns) else lag_ns


def _spoken_for(second: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Say of which deliveries those of the same second speak that were asked about, and with what weight."""
    count = np.bincount(second)
    known = np.bincount(second, weights=asked)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(count > 0, known / count, 0.0)
    enough = (known > 0) & (share >= FEW_STAMPED * asked.mean())
    weight = np.where(enough, 1 / np.maximum(share, 1e-9), 1.0)
    return enough[second], np.where(asked, weight[second], 1.0)


def _late_ms(processes: Sequence[Looks], received_ns: np.ndarray) -> np.ndarray:
    """How late any of our loops was at its worst about the time of each delivery; what was read after its last look
    waited since then.

    The look before counts as well: after a stop, the loop may look at itself before it reads what has come meanwhile.
    """
    late_ns = np.zeros(len(received_ns))
    for at_ns, looked_ns in processes:
        second = np.searchsorted(at_ns, received_ns)
        lag_ns = np.append(looked_ns, 0)
        here = np.maximum(lag_ns[second], lag_ns[np.maximum(second - 1, 0)])
        after = np.maximum(received_ns - at_ns[-1] - NS_PER_S, 0)
        late_ns = np.maximum(late_ns, np.maximum(here, np.where(second == len(at_ns), after, 0)))
    return np.asarray(late_ns / NS_PER_MS)


def _weighted_quantiles(values: np.ndarray, weights: np.ndarray, shares: list[float]) -> np.ndarray:
    """Quantiles that are values which occurred, each value counting as often as its weight says."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    at = np.searchsorted(reached, np.asarray(shares) * reached[-1] * (1 - 1e-12))
    return np.asarray(values[order][np.minimum(at, len(values) - 1)])
