"""How late polls were sent and how many never were, on schedules with known answers. The window is 10 s to 20 s."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.measures.send_delay import connecting_ms, send_pace

S = 1_000_000_000
FROM, UNTIL = 10 * S, 20 * S


def polls(due_s: list[float], late_ms: float = 0.0, user: int = 0) -> pd.DataFrame:
    due_ns = np.round(np.array(due_s) * S).astype(np.int64)
    return pd.DataFrame({"user": user, "due_ns": due_ns, "started_ns": due_ns + round(late_ms * 1e6)})


def pace(*users: pd.DataFrame, interval_s: float = 1.0) -> dict[str, float]:
    return send_pace(pd.concat(users, ignore_index=True), FROM, UNTIL, round(interval_s * S))


def test_a_poll_is_late_from_its_own_instant_and_only_those_due_in_the_window_count() -> None:
    found = pace(polls([9.5], late_ms=900), polls([10.5, 11.5], late_ms=3), polls([12.5], late_ms=8))
    assert found["send_late_p99_ms"] == found["send_late_max_ms"] == 8


def test_every_instant_of_the_schedule_without_a_request_is_a_poll_that_was_never_sent() -> None:
    on_time = [9.25 + at for at in range(13)]
    found = pace(polls(on_time), polls([due + 0.5 for due in on_time if due not in (12.25, 13.25)], user=1))
    assert (found["polls_due"], found["polls_unsent"]) == (20, 2)


def test_a_user_who_never_comes_back_leaves_the_rest_of_its_schedule_unsent() -> None:
    found = pace(polls([9.25 + at for at in range(13)]), polls([9.5, 10.5, 11.5], user=1))
    assert (found["polls_due"], found["polls_unsent"]) == (20, 8)


def test_a_user_who_starts_within_the_window_owes_nothing_before() -> None:
    found = pace(polls([15.0, 16.0, 17.0, 18.0, 19.0]))
    assert (found["polls_due"], found["polls_unsent"]) == (5, 0)


@pytest.mark.parametrize("due_s", [[9.0], [9.0, 12.3456789, 14.1]], ids=["a stream", "a long poll"])
def test_who_asks_as_he_likes_has_no_schedule_to_miss(due_s: list[float]) -> None:
    found = pace(polls(due_s))
    assert (found["polls_due"], found["polls_unsent"]) == (0, 0)


def test_a_stream_that_opened_before_the_window_was_never_late() -> None:
    assert math.isnan(pace(polls([9.0]))["send_late_p99_ms"])


@settings(deadline=None)
@given(
    first_ms=st.lists(st.integers(5_000, 19_000), min_size=1, max_size=5),
    dropped=st.sets(st.integers(0, 60), max_size=20),
)
def test_due_is_sent_plus_unsent_whatever_was_dropped(first_ms: list[int], dropped: set[int]) -> None:
    interval_ms, rows, wanted, sent = 700, [], 0, 0
    for user, first in enumerate(first_ms):
        instants = range(first, 25_000, interval_ms)
        kept = [at for nth, at in enumerate(instants) if nth == 0 or (nth + 7 * user) % 61 not in dropped]
        rows.append(polls([at / 1000 for at in kept], user=user))
        wanted += sum(10_000 <= at < 20_000 for at in instants)
        sent += sum(10_000 <= at < 20_000 for at in kept)
    found = pace(*rows, interval_s=0.7)
    if all(len(one) == 1 for one in rows):  # nobody asked twice: nothing shows that there was a schedule
        wanted = sent = 0
    assert (found["polls_due"], found["polls_unsent"]) == (wanted, wanted - sent)


@pytest.mark.parametrize(
    ("setting", "expected_ms"),
    [
        ({}, 0),
        ({"tls": True}, 0),
        ({"no_keep_alive": True, "network": "relay"}, 0),
        ({"no_keep_alive": True, "network": "netem"}, 20),
        ({"no_keep_alive": True, "network": "relay", "tls": True}, 40),
    ],
)
def test_a_connection_for_each_poll_is_made_before_the_poll_is_sent(
    setting: dict[str, object], expected_ms: float
) -> None:
    assert connecting_ms(20.0, setting) == expected_ms
