"""The four promises of a watch, kept and broken by hand, and against a count that knows nothing of arrays."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.measures.losses import ByUser
from reports.measures.ordering import watch

Arrivals = list[tuple[int, int]]
JOURNAL = pd.DataFrame({"id": range(1, 11)})


def seen(arrivals: Arrivals) -> pd.DataFrame:
    """(user, id) in the order of arrival, one instant each: 10, 20, 30 ..."""
    rows = [(user, number, 10 * (at + 1)) for at, (user, number) in enumerate(arrivals)]
    return pd.DataFrame(rows, columns=["user", "id", "received_ns"]).astype("int64")


def asked(*rows: tuple[int, int, int]) -> pd.DataFrame:
    """(user, connection, started_ns)"""
    return pd.DataFrame(rows, columns=["user", "connection", "started_ns"]).astype("int64")


def kept(arrivals: Arrivals, *requests: tuple[int, int, int]) -> dict[str, int]:
    return watched(seen(arrivals), *requests)


def watched(
    deliveries: pd.DataFrame, *requests: tuple[int, int, int], journal: pd.DataFrame = JOURNAL
) -> dict[str, int]:
    return watch(ByUser.of(deliveries), deliveries, asked(*requests), journal)


@pytest.mark.parametrize(
    ("ids", "ordered", "unique", "reliable"),
    [
        ([1, 2, 3], 1, 1, 1),
        ([3, 4, 5], 1, 1, 1),
        ([1, 3], 1, 1, 0),
        ([1, 3, 2], 0, 1, 1),
        ([1, 2, 2, 3], 1, 0, 1),
        ([1, 2, 3, 1], 1, 0, 1),
    ],
    ids=["perfect", "late joiner", "gap", "out of order", "twice", "an old one again"],
)
def test_each_promise_is_broken_by_what_it_forbids_and_by_nothing_else(
    ids: list[int], ordered: int, unique: int, reliable: int
) -> None:
    found = kept([(0, number) for number in ids])
    assert (found["ordered_users"], found["unique_users"], found["reliable_users"]) == (ordered, unique, reliable)
    assert (found["users"], found["reconnects"], found["reconnected_users"]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("after", "resumed"), [([3, 4], 1), ([4], 0), ([2, 3], 0)], ids=["the next one", "one skipped", "one again"]
)
def test_after_a_reconnect_a_user_goes_on_with_the_very_next_message(after: list[int], resumed: int) -> None:
    found = kept([(0, 1), (0, 2), *((0, number) for number in after)], (0, 1, 0), (0, 2, 25))
    assert (found["reconnects"], found["reconnected_users"], found["resumed_users"]) == (1, 1, resumed)


def test_a_reconnect_that_brought_nothing_more_neither_keeps_nor_breaks_a_promise() -> None:
    found = kept([(0, 1), (0, 2)], (0, 1, 0), (0, 2, 25), (0, 3, 35))
    assert (found["reconnects"], found["reconnected_users"], found["resumed_users"]) == (2, 0, 0)


def test_several_requests_on_one_connection_are_no_reconnect() -> None:
    assert kept([(0, 1), (0, 2)], (0, 1, 0), (0, 1, 15), (0, 1, 25))["reconnects"] == 0


def test_messages_of_one_answer_keep_their_order() -> None:
    arrivals = seen([(0, 1), (0, 2), (0, 3), (0, 4)])
    arrivals["received_ns"] = [10, 30, 30, 30]
    found = watched(arrivals, (0, 1, 0), (0, 2, 20))
    assert (found["ordered_users"], found["resumed_users"]) == (1, 1)


def test_nobody_who_received_nothing_is_said_to_be_served_well() -> None:
    assert kept([], (0, 1, 0), (0, 2, 5))["users"] == 0


@settings(deadline=None)
@given(
    arrivals=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 10)), max_size=40),
    breaks=st.sets(st.tuples(st.integers(0, 2), st.integers(1, 400)), max_size=4),
)
def test_the_counts_are_those_of_a_walk_through_the_rows(arrivals: Arrivals, breaks: set[tuple[int, int]]) -> None:
    again = [(user, nth + 2, at) for nth, (user, at) in enumerate(sorted(breaks, key=lambda each: each[1]))]
    found = kept(arrivals, *((user, 1, 0) for user in range(3)), *again)
    users = {user for user, _ in arrivals}
    ordered = unique = reliable = resumed = reconnected = 0
    for user in users:
        rows = [(10 * (at + 1), number) for at, (who, number) in enumerate(arrivals) if who == user]
        ids = [number for _, number in rows]
        firsts = list(dict.fromkeys(ids))
        ordered += firsts == sorted(firsts)
        unique += len(firsts) == len(ids)
        reliable += set(ids) == set(range(min(ids), max(ids) + 1))
        told = [
            (max(number for at, number in rows if at < start), next(number for at, number in rows if at >= start))
            for start in (start for who, _, start in again if who == user)
            if any(at < start for at, _ in rows) and any(at >= start for at, _ in rows)
        ]
        reconnected += bool(told)
        resumed += bool(told) and all(after == before + 1 for before, after in told)
    assert found == {
        "users": len(users),
        "ordered_users": ordered,
        "unique_users": unique,
        "reliable_users": reliable,
        "resumed_users": resumed,
        "reconnected_users": reconnected,
        "reconnects": len(again),
    }


def test_ids_are_compared_with_the_journal_and_not_with_each_other() -> None:
    """A journal without 2 makes 3 the message after 1."""
    journal = pd.DataFrame({"id": np.array([1, 3, 4])})
    found = watched(seen([(0, 1), (0, 3)]), (0, 1, 0), (0, 2, 15), journal=journal)
    assert (found["reliable_users"], found["resumed_users"]) == (1, 1)
