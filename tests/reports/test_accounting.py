"""Conservation: where every message went, on frames with known answers and against a count by hand."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.measures.losses import COUNTS, ByUser, account

Arrivals = list[tuple[int, int]]


def frame(arrivals: Arrivals) -> pd.DataFrame:
    """(user, id) in the order in which they arrived."""
    return pd.DataFrame(
        {
            "user": [user for user, _ in arrivals],
            "id": [number for _, number in arrivals],
            "received_ns": range(len(arrivals)),
        }
    ).astype("int64")


def counted(arrivals: Arrivals, published: list[int], clients: int = 1, overdue_id: int = 0) -> dict[str, int]:
    per_user = account(ByUser.of(frame(arrivals)), np.array(published), clients, overdue_id)
    return {str(name): int(total) for name, total in per_user.sum().items()}


def test_a_message_overtaken_by_a_newer_one_is_missed_and_one_at_the_end_is_in_flight() -> None:
    assert counted([(0, 1), (0, 3)], [1, 2, 3, 4]) == {
        "owed": 4,
        "delivered": 2,
        "missed": 1,
        "superseded": 0,
        "in_flight": 1,
        "duplicated": 0,
        "reordered": 0,
        "unknown": 0,
    }


def test_a_repeat_is_duplicated_and_a_fall_is_reordered_but_both_are_delivered() -> None:
    found = counted([(0, 2), (0, 1), (0, 2), (0, 3)], [1, 2, 3])
    assert (found["delivered"], found["duplicated"], found["reordered"], found["missed"]) == (3, 1, 1, 0)


def test_a_repeat_that_comes_late_is_not_also_reordered() -> None:
    assert counted([(0, 1), (0, 2), (0, 1)], [1, 2])["reordered"] == 0


def test_a_message_after_the_window_shows_that_the_one_before_it_was_missed() -> None:
    assert counted([(0, 1), (0, 9)], [1, 2])["missed"] == 1


def test_a_delivery_between_two_published_ids_that_was_never_published_is_unknown() -> None:
    found = counted([(0, 1), (0, 2), (0, 3)], [1, 3])
    assert (found["delivered"], found["unknown"]) == (2, 1)


def test_a_message_that_had_time_enough_to_arrive_is_missed_and_not_under_way() -> None:
    found = counted([(0, 1)], [1, 2, 3, 4], overdue_id=3)
    assert (found["delivered"], found["missed"], found["in_flight"]) == (1, 2, 1)


def test_a_user_who_never_received_anything_missed_what_had_time_enough() -> None:
    per_user = account(ByUser.of(frame([(7, 1), (7, 2)])), np.array([1, 2]), clients=3, overdue_id=1)
    assert len(per_user) == 3
    assert sorted(per_user["missed"]) == [0, 1, 1]
    assert sorted(per_user["in_flight"]) == [0, 1, 1]


def test_a_state_that_a_newer_one_replaced_is_superseded_and_one_that_nothing_replaced_is_missed() -> None:
    per_user = account(ByUser.of(frame([(7, 2), (7, 4)])), np.array([1, 2, 3, 4, 5]), 1, overdue_id=5, states=True)
    (found,) = per_user[["delivered", "superseded", "missed", "in_flight"]].to_numpy().tolist()
    assert found == [2, 2, 1, 0]


@settings(deadline=None)  # how long an example takes says how busy the machine is
@given(
    arrivals=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12)), max_size=60),
    published=st.lists(st.integers(1, 12), unique=True).map(sorted),
    overdue_id=st.integers(0, 14),
)
def test_published_is_delivered_plus_missed_plus_in_flight_for_every_user(
    arrivals: Arrivals, published: list[int], overdue_id: int
) -> None:
    per_user = account(ByUser.of(frame(arrivals)), np.array(published, int), 4, overdue_id)
    assert (per_user["owed"] == per_user[["delivered", "missed", "superseded", "in_flight"]].sum(axis=1)).all()
    assert (per_user[COUNTS] >= 0).all(axis=None)
    for user in range(4):
        got = [number for who, number in arrivals if who == user]
        due = [number for number in got if number in published]
        assert per_user.loc[user, "delivered"] == len(set(due))
        assert per_user.loc[user, "duplicated"] == len(due) - len(set(due))
        decided = max([overdue_id, *got])
        assert per_user.loc[user, "missed"] == len({n for n in published if n <= decided} - set(got))
