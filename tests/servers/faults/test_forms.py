"""Faults read from their one-line form, and what they do to how many messages."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.basics.statistics import share_interval
from servers.settings.fault_specs import (
    Delay,
    Drop,
    Duplicate,
    Fate,
    Fault,
    Forget,
    Freeze,
    IgnoreDisconnect,
    LeakWaiters,
    Reorder,
    parse_fault,
)

SHARES = st.floats(1e-3, 0.9).map(lambda share: float(f"{share:g}"))
FAULTS: st.SearchStrategy[Fault] = st.one_of(
    SHARES.map(Drop),
    SHARES.map(Duplicate),
    SHARES.map(Reorder),
    st.integers(0, 60_000).map(Delay),
    st.tuples(st.integers(0, 100), st.integers(100, 60_000), SHARES).map(lambda parts: Delay(*parts)),
    st.tuples(st.integers(0, 3600), st.integers(1, 60)).map(lambda parts: Freeze(*parts)),
    st.sampled_from([Forget(), LeakWaiters(), IgnoreDisconnect()]),
)


@given(FAULTS)
def test_a_fault_is_read_back_from_what_it_prints(fault: Fault) -> None:
    assert parse_fault(str(fault)) == fault
    assert fault.meaning


@pytest.mark.parametrize(
    "text",
    [
        "",
        "drop",
        "drop:",
        "drop:0",
        "drop:0.95",
        "drop:nan",
        "drop:often",
        "drop:0.1,0.2",
        "duplicate:-1",
        "reorder:1",
        "delay:-1",
        "delay:5,10",
        "delay:20,10,0.5",
        "delay:5,10,0",
        "delay:inf",
        "freeze:1",
        "freeze:1,0",
        "freeze:1,61",
        "freeze:-1,1",
        "forget:0.1",
        "leak-waiters:1",
        "ignore-disconnect:1",
        "explode:0.1",
    ],
)
def test_what_is_no_fault_is_refused_in_one_line_with_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match="is none of: drop:SHARE") as refused:
        parse_fault(text)
    assert repr(text) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.9])
@pytest.mark.parametrize("kind", [Drop, Duplicate, Reorder])
def test_chance_falls_on_the_share_that_was_asked_for(kind: type[Drop | Duplicate | Reorder], share: float) -> None:
    count = 20_000
    hit = sum(fate != Fate() for fate in islice(kind(share).fates(), count))
    low, high = share_interval(hit, count, confidence=0.999)
    assert low < share < high


def test_a_delay_of_two_modes_mixes_them_in_the_share_that_was_asked_for() -> None:
    delays_ns = [fate.delay_ns for fate in islice(Delay(5, 40, 0.3).fates(), 20_000)]
    assert set(delays_ns) == {5_000_000, 40_000_000}
    assert delays_ns.count(40_000_000) / 20_000 == pytest.approx(0.3, abs=0.02)
    assert set(islice(Delay(7.5).fates(), 100)) == {Fate(delay_ns=7_500_000)}


def test_the_same_fault_befalls_the_same_messages_in_every_run() -> None:
    assert list(islice(Drop(0.1).fates(), 500)) == list(islice(Drop(0.1).fates(), 500))
