"""The offset of two clocks: the true one is always inside, whatever the ways took; a clock that was set is found."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from loadtests.clocks.drift import Drift, rho_ppm
from loadtests.clocks.offset import (
    FREE_RUNNING_PPM,
    UNBOUNDED_NS,
    ClockExchange,
    ClocksDisagree,
    OffsetInterval,
    of_delivery,
)
from loadtests.clocks.track import Track, track
from tests.clocks.two_clocks import MS, S, TwoClocks

PATHS = 1_000
DELAYS = st.integers(1, 2 * S)


def known(exchanges: list[ClockExchange], rho_ppm: float = FREE_RUNNING_PPM) -> OffsetInterval:
    return reduce(OffsetInterval.intersect, (each.interval(rho_ppm) for each in exchanges))


def holds(interval: OffsetInterval, offset_ns: float) -> bool:
    """Give the rounding of our own simulation one nanosecond."""
    return interval.low_ns - 1 <= offset_ns <= interval.high_ns + 1


@hypothesis_settings(max_examples=PATHS)
@given(
    offset_ns=st.integers(-(10**15), 10**15),
    drift_ppm=st.floats(-FREE_RUNNING_PPM, FREE_RUNNING_PPM),
    ways=st.lists(st.tuples(DELAYS, DELAYS, DELAYS), min_size=1, max_size=20),
)
def test_the_true_offset_is_inside_whatever_each_way_took(
    offset_ns: int, drift_ppm: float, ways: list[tuple[int, int, int]]
) -> None:
    clocks = TwoClocks(offset_ns, drift_ppm)
    exchanges = [clocks.exchange(10**15 + at * S, *way) for at, way in enumerate(ways)]
    found = known(exchanges)
    assert holds(found, clocks.offset_at(found.at_ns))


def test_the_known_offset_lies_in_the_interval_a_thousand_times_of_a_thousand() -> None:
    random = np.random.default_rng(12)
    held = tight = 0
    for _ in range(PATHS):
        clocks = TwoClocks(int(random.normal(0, 1e12)), float(random.uniform(-1, 1)) * FREE_RUNNING_PPM)
        exchanges = clocks.exchanges(random, 50)
        found = known(exchanges)
        held += holds(found, clocks.offset_at(found.at_ns))
        tight += found.high_ns - found.low_ns < min(each.back_ns - each.left_ns for each in exchanges)
    assert held == PATHS
    # Small delays of different probes go together: mostly more is known than from the best probe alone.
    assert tight > PATHS / 2


def test_a_drift_faster_than_assumed_is_found() -> None:
    random = np.random.default_rng(7)
    with pytest.raises(ClocksDisagree, match="drifts by more than 50 ppm"):
        known(TwoClocks(3 * S, drift_ppm=50_000).exchanges(random, 50))


def test_a_clock_that_was_set_leaves_no_offset() -> None:
    random = np.random.default_rng(7)
    before, after = (TwoClocks(offset).exchanges(random, 20) for offset in (0, 3 * S))
    with pytest.raises(ClocksDisagree, match=r"at least .* ms by one exchange and at most .* ms by another"):
        known(before + after)


def test_a_message_is_half_a_probe() -> None:
    clocks = TwoClocks(-1_000 * S)
    probe = clocks.exchange(2_000 * S, 40 * MS, 0, 40 * MS).interval()
    received_ns = 2_001 * S
    found = probe.intersect(of_delivery(clocks.theirs(received_ns - MS), received_ns))
    assert holds(found, clocks.offset_ns)
    assert found.high_ns - found.low_ns < 42 * MS  # 80 by the probe alone


def test_one_side_alone_is_told_to_be_one() -> None:
    alone = of_delivery(5, 9)
    assert (alone.low_ns, alone.high_ns, alone.bounded) == (-4, UNBOUNDED_NS, False)
    assert alone.widened(10**18).high_ns == UNBOUNDED_NS
    assert OffsetInterval(-3, 4, 0).bounded


def test_what_holds_at_one_instant_holds_at_another_by_as_much_less_as_clocks_drift() -> None:
    interval = OffsetInterval(-10, 11, 5 * S)
    assert interval.widened(6 * S) == OffsetInterval(-50_010, 50_011, 6 * S)
    assert interval.widened(4 * S) == OffsetInterval(-50_010, 50_011, 4 * S)
    assert (interval.midpoint_ns, interval.error_ns) == (0, 11)


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_the_track_of_a_cell_ends_where_one_exchange_after_the_other_leads(seed: int, count: int) -> None:
    exchanges = TwoClocks(seed * 1_000, 20.0).exchanges(np.random.default_rng(seed), count)
    found, one_by_one = track(np.array(exchanges), FREE_RUNNING_PPM).last, known(exchanges)
    assert found.at_ns == one_by_one.at_ns
    # One rounds at each step, the other once.
    assert found.low_ns == pytest.approx(one_by_one.low_ns, abs=count + 1)
    assert found.high_ns == pytest.approx(one_by_one.high_ns, abs=count + 1)


def test_an_instant_is_brought_over_with_no_more_than_the_stated_error() -> None:
    random = np.random.default_rng(5)
    for _ in range(200):
        clocks = TwoClocks(int(random.normal(0, 1e12)), float(random.uniform(-1, 1)) * FREE_RUNNING_PPM)
        exchanges = np.array(clocks.exchanges(random, 100))
        found = track(exchanges, FREE_RUNNING_PPM, span_ns=(0, 40 * S))
        assert not found.empty
        assert worst_ns(found, clocks, random.integers(0, 40 * S, 500)) <= found.error_ns() + 1


def worst_ns(found: Track, clocks: TwoClocks, instants: np.ndarray) -> float:
    true_ns = np.array([clocks.offset_at(int(each)) for each in instants])
    return float(np.abs(found.shift_ns(instants) - true_ns).max())


def test_what_comes_later_tells_of_what_was_before() -> None:
    clocks = TwoClocks(3 * S)
    slow, fast = clocks.exchange(0, 50 * MS, 0, 50 * MS), clocks.exchange(S, MS, 0, MS)
    found = track(np.array([slow, fast]), FREE_RUNNING_PPM)
    assert (found.high_ns - found.low_ns)[0] < 3 * MS


def test_deliveries_narrow_a_track_and_contradict_a_clock_that_was_set() -> None:
    clocks = TwoClocks(-1_000 * S)
    exchanges = np.array([clocks.exchange(2_000 * S, 40 * MS, 0, 40 * MS)])
    received = np.array([2_001 * S])
    narrowed = track(exchanges, FREE_RUNNING_PPM, (received, np.array([clocks.offset_ns - MS])))
    assert (narrowed.empty, narrowed.error_ns() < 22 * MS) == (False, True)
    contradicted = track(exchanges, FREE_RUNNING_PPM, (received, np.array([clocks.offset_ns + S])))
    assert contradicted.empty
    assert contradicted.contradiction_ns == pytest.approx(S - 40 * MS, rel=0.01)


def test_what_a_clock_is_steered_by_makes_it_less_certain() -> None:
    steered, free = Drift(), Drift()
    for second in range(5):
        steered.take(second * (S + 300_000), second * S)
        free.take(second * S, second * S)
    free.take(99, 0)  # held up between two readings: says nothing
    assert steered.seen_ppm == pytest.approx(300)
    assert free.seen_ppm == 0
    assert rho_ppm(steered, free) == pytest.approx(FREE_RUNNING_PPM + 300)


def test_two_readings_within_a_second_say_nothing_of_a_rate() -> None:
    hurried = Drift()
    hurried.take(0, 1)
    hurried.take(1_000, 900)
    assert hurried.seen_ppm == 0
