"""PURE. Where every message went. For each user: published = delivered + missed + superseded + in flight, by
construction.

A message is *missed* when the user never received it and received a newer one, or when it had longer to arrive than
theory lets any message take; *in flight* when the user had received nothing newer by the end, and it might still have
come. Where messages are states of one thing, whoever has a newer one misses nothing: such a message is *superseded*.
Repeats of an id are *duplicated*, falls in id *reordered*, ids the server never published
*unknown*. Only messages due in the window count, whenever they arrived.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from reports.data.columns import Table

COUNTS: Final = ["owed", "delivered", "missed", "superseded", "in_flight", "duplicated", "reordered", "unknown"]
_USER: Final = np.int64(2**32)


@dataclass(frozen=True)
class ByUser:
    """The deliveries of one cell sorted by user and then by arrival, as arrays of one length, but for `users`.

    who: index into `users`. first: not a repeat of an id that its user had. falls: first, but after a newer id.
    """

    users: np.ndarray
    who: np.ndarray
    ids: np.ndarray
    first: np.ndarray
    falls: np.ndarray

    @classmethod
    def of(cls, deliveries: Table) -> "ByUser":
        users = np.unique(deliveries["user"].to_numpy())
        who = places(users, deliveries["user"].to_numpy())
        # Stable: the messages of one answer share an instant, and keep their order.
        order = np.lexsort((deliveries["received_ns"].to_numpy(), who))
        who, ids = who[order], deliveries["id"].to_numpy()[order]
        del order
        # A running maximum can never cross to the next user.
        pairs = one_each(who, ids)
        first = ~repeats(pairs)
        falls = first & (pairs < np.maximum.accumulate(pairs)) if len(pairs) else first
        return cls(users, who, ids, first, falls)

    def count(self, mask: np.ndarray) -> np.ndarray:
        """Return how many of the masked deliveries each user has."""
        return np.bincount(self.who[mask], minlength=len(self.users))

    def newest(self) -> np.ndarray:
        """Return each user's largest id."""
        return self._of_each(np.maximum)

    def oldest(self) -> np.ndarray:
        """Return each user's smallest id."""
        return self._of_each(np.minimum)

    def _of_each(self, ufunc: np.ufunc) -> np.ndarray:
        begins = np.flatnonzero(np.diff(self.who, prepend=-1))
        return np.asarray(ufunc.reduceat(self.ids, begins)) if len(begins) else np.zeros(0, np.int64)


def places(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the place of each value among the known ones, which are ascending and have all of them."""
    return np.searchsorted(known, values).astype(np.int32)


def one_each(who: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return one integer for each pair of a user, 0 or more, and an id: sorted by user, then by id."""
    if len(ids) and not 0 <= ids.min() <= ids.max() < _USER:
        ids = np.unique(ids, return_inverse=True)[1]
    pairs = who.astype(np.int64)
    pairs *= _USER
    pairs += ids
    return pairs


def repeats(pairs: np.ndarray) -> np.ndarray:
    """Say of each pair whether it was there before. Mostly none was, and sorted that is seen with the least memory."""
    ordered = np.sort(pairs)
    if not (ordered[1:] == ordered[:-1]).any():
        return np.zeros(len(pairs), bool)
    return pd.Series(pairs).duplicated().to_numpy()


def account(
    by_user: ByUser, published_ids: np.ndarray, clients: int, overdue_id: int, *, states: bool = False
) -> pd.DataFrame:
    """Count one cell's messages per user.

    published_ids: ids due in the window, ascending.
    clients: how many users there should have been; a user without any delivery has nothing delivered.
    overdue_id: the newest of them that can no longer be under way, 0 when they all can.
    states: each message replaces those before it.
    Returns one row per user with the COUNTS columns, index `user`.
    """
    return settled(tallied(by_user, published_ids), published_ids, clients, overdue_id, states=states)


def tallied(by_user: ByUser, published_ids: np.ndarray) -> pd.DataFrame:
    """Count what reached each user: its newest id, and how many deliveries were what. Index `user`."""
    ids, first = by_user.ids, by_user.first
    due = np.isin(ids, published_ids)
    first_id, last_id = (published_ids[0], published_ids[-1]) if len(published_ids) else (0, -1)
    inside = (ids >= first_id) & (ids <= last_id)
    return pd.DataFrame(
        {
            "newest": by_user.newest(),
            "delivered": by_user.count(first & due),
            "duplicated": by_user.count(~first & due),
            "reordered": by_user.count(by_user.falls & due),
            "unknown": by_user.count(first & inside & ~due),
        },
        index=pd.Index(by_user.users, name="user"),
    )


def settled(
    users: pd.DataFrame, published_ids: np.ndarray, clients: int, overdue_id: int, *, states: bool = False
) -> pd.DataFrame:
    """Say of each message that did not reach a user why. users: as `tallied` gives them; the rest as of `account`."""
    newest, delivered = users["newest"].to_numpy(), users["delivered"].to_numpy()
    decided = np.searchsorted(published_ids, np.maximum(newest, overdue_id), side="right")
    superseded = np.searchsorted(published_ids, newest, side="right") - delivered if states else np.zeros_like(decided)
    counted = pd.DataFrame(
        {
            "owed": len(published_ids),
            "delivered": delivered,
            "missed": decided - delivered - superseded,
            "superseded": superseded,
            "in_flight": len(published_ids) - decided,
            **{name: users[name].to_numpy() for name in ("duplicated", "reordered", "unknown")},
        },
        index=users.index,
    )
    overdue = int(np.searchsorted(published_ids, overdue_id, side="right"))
    return _with_silent_users(counted, clients, len(published_ids), overdue)


def _with_silent_users(counted: pd.DataFrame, clients: int, owed: int, overdue: int) -> pd.DataFrame:
    silent = clients - len(counted)
    if silent <= 0:
        return counted
    free = np.setdiff1d(np.arange(clients + len(counted)), counted.index.to_numpy())[:silent]
    nothing = pd.DataFrame(0, index=pd.Index(free, name="user"), columns=counted.columns)
    return pd.concat([counted, nothing.assign(owed=owed, missed=overdue, in_flight=owed - overdue)])
