"""PURE. The four promises of a watch, as etcd's own tests check them for each client (tests/robustness/validate).

ordered: an id never comes after a newer one. unique: none comes twice. reliable: of what lies between the oldest and
the newest that a user saw, it saw all. resumable: after a reconnect it goes on with the next message, neither earlier
nor later. They hold for the whole cell, also outside the window.
"""

from functools import partial
from typing import Final

import numpy as np
import pandas as pd

from reports.data.columns import Table
from reports.measures.losses import ByUser

PROMISES: Final = ["ordered_users", "unique_users", "reliable_users", "resumed_users"]
WATCHED: Final = ["users", *PROMISES, "reconnected_users", "reconnects"]


def watch(by_user: ByUser, deliveries: Table, requests: Table, published: Table) -> dict[str, int]:
    """Count, in one cell, users who received anything, those to whom each promise was kept, and reconnects.

    by_user: of `deliveries`. reconnected_users: who got a message both before and after one; only they can keep or
    break the last promise.
    """
    ids = np.unique(published["id"].to_numpy())
    between = np.searchsorted(ids, by_user.newest(), side="right") - np.searchsorted(ids, by_user.oldest(), side="left")
    return {
        "users": len(by_user.users),
        "ordered_users": int((by_user.count(by_user.falls) == 0).sum()),
        "unique_users": int((by_user.count(~by_user.first) == 0).sum()),
        "reliable_users": int((by_user.count(by_user.first & np.isin(by_user.ids, ids)) == between).sum()),
        **_resumed(deliveries, requests, ids),
    }


def _resumed(deliveries: Table, requests: Table, ids: np.ndarray) -> dict[str, int]:
    """Compare, for every connection of a user but its first, the newest id before it with the first one on it."""
    if requests["connection"].nunique() < 2:  # nobody's second is as everybody's first
        return {"resumed_users": 0, "reconnected_users": 0, "reconnects": 0}
    opened = requests[["user", "connection", "started_ns"]]
    begun = opened.groupby(["user", "connection"], as_index=False)["started_ns"].min()
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
