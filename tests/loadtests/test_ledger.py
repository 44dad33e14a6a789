"""The ledger of one process: what was missed and what came twice, exact whatever the order and the batches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadtests.live.loss_tracker import GAPS_KEPT, Finding, Ledger
from loadtests.records.recorder import DTYPES, Rows
from loadtests.records.rows import Delivery

S = 10**9
ARRIVALS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 25)), max_size=80)
"""(user, id) in the order in which they were recorded."""


def rows(arrivals: list[tuple[int, int]], published_ns: int = S, second: int = 7) -> Rows:
    """Deliveries; a message's instant of publishing grows with its id."""
    made = [tuple(Delivery(user, at, 1, published_ns + at, second * S + at, 100, 0)) for user, at in arrivals]
    return np.array(made, DTYPES["deliveries"])


def totals(findings: list[Finding]) -> tuple[int, int]:
    return sum(found.missed for found in findings), sum(found.duplicated for found in findings)


@given(arrivals=ARRIVALS, cuts=st.lists(st.integers(0, 80), max_size=5), start_id=st.integers(0, 10))
def test_missed_and_duplicated_are_what_the_definitions_say_however_rows_come_in_batches(
    arrivals: list[tuple[int, int]], cuts: list[int], start_id: int
) -> None:
    ledger, found = Ledger(dict.fromkeys(range(4), start_id)), []
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), len(arrivals)], strict=True):
        found += list(ledger.take(rows(arrivals[first:last])))
    missed = duplicated = 0
    for user in {user for user, _ in arrivals}:
        ids = [at for who, at in arrivals if who == user]
        owed = {at for at in ids if at > start_id}
        missed += len(set(range(start_id + 1, max(owed, default=start_id) + 1)) - owed)
        duplicated += len(ids) - len(owed)
    assert totals(found) == (missed, duplicated)


def test_a_user_whose_start_nobody_knows_begins_with_its_first_message() -> None:
    assert list(Ledger({}).take(rows([(1, 500), (1, 501)]))) == []
    assert totals(list(Ledger({}).take(rows([(1, 500), (1, 503)])))) == (2, 0)


def test_a_message_that_comes_late_is_taken_back_where_it_was_counted_as_missed() -> None:
    ledger = Ledger({1: 0})
    assert list(ledger.take(rows([(1, 1), (1, 5)], second=3))) == [Finding(3, 3, 0, at=1)]
    assert list(ledger.take(rows([(1, 3)], second=9))) == [Finding(3, -1, 0)]
    assert list(ledger.take(rows([(1, 3), (1, 6)], second=9))) == [Finding(9, 0, 1, at=0)]


def test_a_server_that_begins_anew_is_not_taken_for_one_that_repeats_itself() -> None:
    ledger = Ledger({1: 0})
    assert list(ledger.take(rows([(1, at) for at in range(1, 9)]))) == []
    assert list(ledger.take(rows([(1, 1), (1, 2), (1, 3)], published_ns=50 * S))) == []
    assert totals(list(ledger.take(rows([(1, 6)], published_ns=50 * S)))) == (2, 0)


def test_gaps_that_are_forgotten_stay_missed_and_memory_stays_bounded() -> None:
    ledger = Ledger({1: 0})
    assert totals(list(ledger.take(rows([(1, 2 * at) for at in range(1, GAPS_KEPT + 3)])))) == (GAPS_KEPT + 2, 0)
    assert totals(list(ledger.take(rows([(1, 1), (1, 2 * GAPS_KEPT + 1)])))) == (-1, 1)


def test_users_of_different_processes_have_numbers_far_apart_and_that_costs_nothing() -> None:
    assert totals(list(Ledger({1: 0, 2: 0}).take(rows([(7_000_001, 1), (7_000_001, 3), (7_000_002, 1)])))) == (1, 0)
