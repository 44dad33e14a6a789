"""PURE. The four promises of a watch, as etcd's own tests check them for each client (tests/robustness/validate).

ordered: an id never comes after a newer one. unique: none comes twice. reliable: of what lies between the oldest and
the newest that a user saw, it saw all. resumable: after a reconnect it goes on with the next message, neither earlier
nor later. They hold for the whole cell, also outside the window.
"""

from functools import partial
from typing import Final

import numpy as np
import pandas as pd

PROMISES: Final = ["ordered_users", "unique_users", "reliable_users", "resumed_users"]
WATCHED: Final = ["users", *PROMISES, "reconnected_users", "reconnects"]
_USER: Final = np.int64(2**32)


def watch(deliveries: pd.DataFrame, requests: pd.DataFrame, published: pd.DataFrame) -> dict[str, int]:
    """Count, in one cell, users who received anything, those to whom each promise was kept, and reconnects.

    reconnected_users: who got a message both before and after one; only they can keep or break the last promise.
    """
    ids = np.unique(published["id"].to_numpy())
    order = np.lexsort((deliveries["received_ns"].to_numpy(), deliveries["user"].to_numpy()))
    users, who = np.unique(deliveries["user"].to_numpy()[order], return_inverse=True)
    seen = deliveries["id"].to_numpy()[order]
    key = who * _USER + seen
    first = np.zeros(len(key), bool)
    first[np.unique(key, return_index=True)[1]] = True
    falls = first & (key < np.maximum.accumulate(key)) if len(key) else first

    def per_user(mask: np.ndarray) -> np.ndarray:
        return np.bincount(who[mask], minlength=len(users))

    newest, oldest = np.zeros(len(users), np.int64), np.full(len(users), np.iinfo(np.int64).max)
    np.maximum.at(newest, who, seen)
    np.minimum.at(oldest, who, seen)
    between = np.searchsorted(ids, newest, side="right") - np.searchsorted(ids, oldest, side="left")
    return {
        "users": len(users),
        "ordered_users": int((per_user(falls) == 0).sum()),
        "unique_users": int((per_user(~first) == 0).sum()),
        "reliable_users": int((per_user(first & np.isin(seen, ids)) == between).sum()),
        **_resumed(deliveries, requests, ids),
    }


def _resumed(deliveries: pd.DataFrame, requests: pd.DataFrame, ids: np.ndarray) -> dict[str, int]:
    """Compare, for every connection of a user but its first, the newest id before it with the first one on it."""
    begun = requests.groupby(["user", "connection"], as_index=False)["started_ns"].min()
    again = begun[begun["connection"] > begun.groupby("user")["connection"].transform("min")]
    found = {"resumed_users": 0, "reconnected_users": 0, "reconnects": len(again)}
    if not len(again) or not len(deliveries):
        return found
    again = again.sort_values("started_ns")
    # Stable: the messages of one answer share an instant, and keep their order.
    arrivals = deliveries[["user", "received_ns", "id"]].sort_values("received_ns", kind="stable")
    arrivals["newest"] = arrivals.groupby("user")["id"].cummax()
    beside = partial(pd.merge_asof, again, arrivals, left_on="started_ns", right_on="received_ns", by="user")
    before = beside(direction="backward", allow_exact_matches=False)["newest"].to_numpy()
    after = beside(direction="forward")["id"].to_numpy()
    told = ~np.isnan(before) & ~np.isnan(after)
    successor = np.append(ids, -1)[np.searchsorted(ids, before[told], side="right")]
    kept = pd.Series(after[told] == successor).groupby(again["user"].to_numpy()[told]).all()
    return found | {"resumed_users": int(kept.sum()), "reconnected_users": len(kept)}
