"""PURE. Where every message went. For each user: published = delivered + missed + in flight, by construction.

A message is *missed* when the user received a newer one but never this one, *in flight* when the user had received
nothing newer by the end. Repeats of an id are *duplicated*, falls in id *reordered*, ids the server never published
*unknown*. Only messages due in the window count, whenever they arrived.
"""

from typing import Final

import numpy as np
import pandas as pd

COUNTS: Final = ["owed", "delivered", "missed", "in_flight", "duplicated", "reordered", "unknown"]
_USER: Final = np.int64(2**32)


def account(deliveries: pd.DataFrame, published_ids: np.ndarray, clients: int) -> pd.DataFrame:
    """Count one cell's messages per user.

    deliveries: user, id, received_ns of the whole cell. published_ids: ids due in the window, ascending.
    clients: how many users there should have been; a user without any delivery has everything in flight.
    Returns one row per user with the COUNTS columns, index `user`.
    """
    users, who = np.unique(deliveries["user"].to_numpy(), return_inverse=True)
    ids = deliveries["id"].to_numpy()
    order = np.lexsort((deliveries["received_ns"].to_numpy(), who))
    # One integer per (user, id) that sorts by user first: a running maximum can then never cross to the next user.
    key = who[order].astype(np.int64) * _USER + ids[order]
    first = np.zeros(len(key), bool)
    first[np.unique(key, return_index=True)[1]] = True
    reordered = first & (key < np.maximum.accumulate(key)) if len(key) else first
    due = np.isin(ids[order], published_ids)

    def per_user(mask: np.ndarray) -> np.ndarray:
        return np.bincount(who[order][mask], minlength=len(users))

    newest = np.zeros(len(users), np.int64)
    np.maximum.at(newest, who, ids)
    overtaken = np.searchsorted(published_ids, newest, side="right")
    delivered = per_user(first & due)
    first_id, last_id = (published_ids[0], published_ids[-1]) if len(published_ids) else (0, -1)
    inside = (ids[order] >= first_id) & (ids[order] <= last_id)
    counted = pd.DataFrame(
        {
            "owed": len(published_ids),
            "delivered": delivered,
            "missed": overtaken - delivered,
            "in_flight": len(published_ids) - overtaken,
            "duplicated": per_user(~first & due),
            "reordered": per_user(reordered & due),
            "unknown": per_user(first & inside & ~due),
        },
        index=pd.Index(users, name="user"),
    )
    return _with_silent_users(counted, clients, len(published_ids))


def _with_silent_users(counted: pd.DataFrame, clients: int, owed: int) -> pd.DataFrame:
    silent = clients - len(counted)
    if silent <= 0:
        return counted
    free = np.setdiff1d(np.arange(clients + len(counted)), counted.index.to_numpy())[:silent]
    nothing = pd.DataFrame(0, index=pd.Index(free, name="user"), columns=counted.columns)
    return pd.concat([counted, nothing.assign(owed=owed, in_flight=owed)])
