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

from reports.data.columns import Table, slices
from servers.timing import NS_PER_MS, NS_PER_S

FEW_STAMPED: Final = 0.5
"""A second with less than this share of the usual stamps is one in which messages came together."""
Looks = tuple[np.ndarray, np.ndarray]
"""When a load process looked at itself, and how late it had been."""


def floors(
    first: Table,
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
    looks = [_looks(each) for _, each in generator.groupby("pid")]
    looks = [(at_ns, lag_ns) for at_ns, lag_ns in looks if len(at_ns)]
    if not len(first) or not (first["wait_ms"].notna().any() or len(looks)):
        return dict.fromkeys(names, np.nan)
    asked, received_ns = first["arrived_ns"].to_numpy() != 0, first["received_ns"].to_numpy()
    at_ns = np.sort(np.concatenate([each for each, _ in looks])) if looks else np.empty(0)
    second, sharing = np.searchsorted(at_ns, received_ns), max(1, len(looks))
    # A second of one process: those of the others do not speak for it. Users are dealt out to them in turn.
    second *= sharing
    second += first["user"].to_numpy() % sharing
    spoken_for, weight = _spoken_for(second, asked)
    del second
    ours_ms = first["wait_ms"].to_numpy(copy=True)
    for some in slices(len(ours_ms)):
        np.copyto(ours_ms[some], _late_ms(looks, received_ns[some]), where=np.isnan(ours_ms[some]))
    del received_ns
    ours_ms += asked_late_ms
    np.clip(ours_ms, 0, np.maximum(first["transit_ms"].to_numpy(), 0), out=ours_ms)
    floor = first["latency_ms"].to_numpy() - ours_ms
    del ours_ms
    kept = asked | ~spoken_for
    values = _weighted_quantiles(floor[kept], weight[kept], list(quantiles.values()))
    return dict(zip(names, map(float, values), strict=True))


def asked_late_ms(first: Table, requests: Table, rtt_ms: float) -> np.ndarray | float:
    """Return how much sooner each delivery could have come had its long poll been asked at once; 0 of other patterns.

    Not sooner by more than its request came to the server after the message; nor, where the kernel stamped the answer
    before, by more than that lay with us.
    """
    if not requests["hold_ns"].any():
        return 0.0
    late_ms = np.zeros(len(first))
    user, received_ns, published_ns, wait_ms = (
        first[name].to_numpy() for name in ("user", "received_ns", "published_ns", "wait_ms")
    )
    got = np.argsort(user, kind="stable")
    asked_by, started_ns, ended_ns = (requests[name].to_numpy() for name in ("user", "started_ns", "ended_ns"))
    refused = (requests["error"] != "").to_numpy()
    asked = np.lexsort((started_ns, asked_by))
    edges = np.flatnonzero(np.diff(asked_by[asked], prepend=-1, append=-1))
    # User by user: to bring deliveries and answers together at once takes several times their memory.
    for each in map(slice, edges[:-1], edges[1:]):
        answers = asked[each]
        own = got[slice(*np.searchsorted(user, asked_by[answers[0]] + np.arange(2), sorter=got))]
        came_ns = received_ns[own]
        sooner_ms, sent_ns = _asked_late(
            started_ns[answers], ended_ns[answers], refused[answers], came_ns, wait_ms[own]
        )
        lay_ms = (sent_ns - published_ns[own]) / NS_PER_MS + rtt_ms / 2
        late_ms[own] = np.nan_to_num(np.clip(np.minimum(sooner_ms, lay_ms), 0, None))
    return late_ms


def _asked_late(
    started_ns: np.ndarray, ended_ns: np.ndarray, refused: np.ndarray, came_ns: np.ndarray, wait_ms: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much the request was late that brought each delivery of a user, NaN for none, and when it was sent.

    started_ns, ended_ns, refused: of the user's requests, as they were sent. came_ns, wait_ms: of its deliveries.
    """
    by_end = np.argsort(ended_ns, kind="stable")
    at = np.searchsorted(ended_ns, came_ns, sorter=by_end).clip(max=len(ended_ns) - 1)
    brought_by = by_end[at]
    brought = ended_ns[brought_by] == came_ns
    told = brought & np.isfinite(wait_ms)
    unread_ms = np.full(len(ended_ns), -np.inf)
    np.maximum.at(unread_ms, at[told], wait_ms[told])
    unread_ms[np.isinf(unread_ms)] = np.inf  # without a stamp nobody knows how long an answer lay there
    unread_ms = unread_ms[np.searchsorted(ended_ns, ended_ns, sorter=by_end)]
    idle_ms = (started_ns[1:] - ended_ns[:-1]).clip(min=0) / NS_PER_MS
    # Who was refused waits before asking again, and that is the pattern's own.
    late_ms = np.append(0.0, np.where(refused[:-1], 0.0, idle_ms + unread_ms[:-1]))
    return np.where(brought, late_ms[brought_by], np.nan), started_ns[brought_by]


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
    return np.asarray(values[order[np.minimum(at, len(values) - 1)]])
