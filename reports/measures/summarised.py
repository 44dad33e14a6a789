"""PURE. The measures of a cell that kept a summary and no rows: the same columns, with NaN for what it cannot tell.

Quantiles are the middle of a bucket, within 0.04 % of what rows would give; sums, counts and maxima are exact.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from loadtests.summary.kept import Deliveries, Summary, Users
from reports.measures.latency_parts import PARTS, TAIL_PARTS
from servers.timing import NS_PER_MS, NS_PER_S

CANNOT_SHOW: Final = (
    "single deliveries, latency over time, a client's timeline, theory of bytes and segments, what the instrument may "
    "have added to a latency, the parts of the slowest deliveries, the first and the last client of a message, whether "
    "latency had settled, and whether clients resumed without loss after a reconnect"
)
"""What a report of such a run lacks, in words."""
UNKNOWN: Final = ("warmup_share", "first_client_ms", "middle_client_ms", "last_client_ms", "drain_ms", *TAIL_PARTS)


def users_of(summary: Summary) -> pd.DataFrame:
    """Return what `losses.tallied` does of rows."""
    names = ("newest", "delivered", "duplicated", "reordered")
    columns = {name: np.asarray(getattr(summary.users, name), np.int64) for name in names}
    return pd.DataFrame(columns, pd.Index(summary.users.user, name="user", dtype=np.int64)).assign(unknown=0)


def deliveries_of(kept: Deliveries, quantiles: Mapping[str, float], transit: Mapping[str, float]) -> dict[str, float]:
    """Return latency and its parts. quantiles, transit: name -> share of the deliveries."""
    latency, stamped = kept.latency, kept.wait.count
    of = {"lateness": kept.prompt, "network": kept.network, "wait": kept.wait}
    means = {f"{part}_mean_ms": of[part].sum_ns / stamped / NS_PER_MS if stamped else np.nan for part in PARTS}
    tails = {
        f"{part}_{name}_ms": float(of[part].quantiles_ns([share])[0]) / NS_PER_MS
        for part in ("network", "wait")
        for name, share in {"p50": 0.5, "p99": 0.99}.items()
    }
    return {
        "pushed_ratio": kept.pushed / kept.recorded if kept.recorded else np.nan,
        **dict(zip(quantiles, latency.quantiles_ns([*quantiles.values()]) / NS_PER_MS, strict=True)),
        "mean_ms": latency.sum_ns / latency.count / NS_PER_MS if latency.count else np.nan,
        **dict(zip(transit, kept.transit.quantiles_ns([*transit.values()]) / NS_PER_MS, strict=True)),
        "lateness_p99_ms": float(kept.lateness.quantiles_ns([0.99])[0]) / NS_PER_MS,
        "negative": kept.early,
        "received": latency.count,
        **{f"{name}_floor": np.nan for name in quantiles},
        "stamped_ratio": stamped / latency.count if latency.count else np.nan,
        **means,
        **tails,
        **dict.fromkeys(UNKNOWN, np.nan),
    }


def requests_of(summary: Summary, delivered: int) -> dict[str, float]:
    """Return what `costs.request_costs` and `send_delay.send_pace` do of rows."""
    kept, deliveries = summary.requests, summary.deliveries
    window_s = (summary.window_until_ns - summary.window_from_ns) / NS_PER_S
    payload = deliveries.payload_bytes / deliveries.recorded if deliveries.recorded else np.nan
    overhead = kept.inside_bytes - kept.inside_messages * (payload if deliveries.recorded else 0.0)
    errors = {kind: count for kind, count in kept.errors.items() if kind not in {"", "cut"} and count}
    late = kept.late
    return {
        "requests_per_delivery": kept.answered / delivered if delivered else np.nan,
        "responses_per_s": kept.answered / window_s,
        "empty_ratio": kept.empty / kept.answered if kept.answered else np.nan,
        "payload_bytes_per_delivery": payload,
        "http_bytes_per_delivery": payload + overhead / delivered if delivered and kept.recorded else np.nan,
        "answer_ms": float(kept.answer.quantiles_ns([0.5])[0]) / NS_PER_MS,
        "hold_ms": kept.held_ns / kept.answered / NS_PER_MS if kept.held_ns else np.nan,
        "turnaround_ms": float(kept.turnaround.quantiles_ns([0.5])[0]) / NS_PER_MS,
        "repeated_requests": kept.repeated,
        "errors": sum(errors.values()),
        **{f"error_{kind}": count for kind, count in errors.items()},
        "send_late_p99_ms": float(late.quantiles_ns([0.99])[0]) / NS_PER_MS,
        "send_late_max_ms": late.longest_ns / NS_PER_MS if late.count else np.nan,
        "polls_due": kept.polls_due,
        "polls_unsent": kept.polls_due - kept.polls_sent,
    }


def promises_of(users: Users, published: pd.DataFrame) -> dict[str, int]:
    """Return what `ordering.watch` does of rows, but for clients that resumed, which no count tells."""
    ids = np.unique(published["id"].to_numpy())
    got = np.asarray(users.newest) > 0
    oldest, newest, firsts = (np.asarray(getattr(users, name))[got] for name in ("oldest", "newest", "firsts"))
    between = np.searchsorted(ids, newest, side="right") - np.searchsorted(ids, oldest, side="left")
    return {
        "users": int(got.sum()),
        "ordered_users": int((np.asarray(users.falls)[got] == 0).sum()),
        "unique_users": int((np.asarray(users.repeats)[got] == 0).sum()),
        "reliable_users": int((firsts == between).sum()),
        "resumed_users": 0,
        "reconnected_users": 0,
        "reconnects": sum(users.reconnects),
    }
