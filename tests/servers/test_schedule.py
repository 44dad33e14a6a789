"""When messages are due: in order, at the rate that was asked for, and the same every time."""

import random
import tracemalloc
from itertools import islice, pairwise
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.feed.schedule import Burst, Manual, Poisson, Schedule, Stairs, Steady, in_order, parse_schedule
from servers.timing import NS_PER_S

RATES = st.floats(0.01, 10_000)
SCHEDULES: st.SearchStrategy[Schedule] = st.one_of(
    st.builds(Steady, RATES),
    st.builds(Poisson, RATES, st.integers(0, 1000)),
    st.builds(Burst, st.integers(1, 50), st.floats(0.01, 100)),
    st.builds(Stairs, st.floats(1, 50), st.floats(50, 5000), st.integers(1, 12), st.floats(0.1, 10), st.booleans()),
)


@given(SCHEDULES)
def test_due_instants_never_go_back_and_are_the_same_every_time(schedule: Schedule) -> None:
    offsets_ns = list(islice(schedule.offsets_ns(), 200))
    assert offsets_ns == sorted(offsets_ns)
    assert offsets_ns == list(islice(schedule.offsets_ns(), 200))
    assert not offsets_ns or offsets_ns[0] >= 0


@given(st.one_of(st.builds(Steady, RATES), st.builds(Burst, st.integers(1, 50), st.floats(0.01, 100))))
def test_the_long_run_rate_is_the_rate_that_was_asked_for(schedule: Schedule) -> None:
    count = 1000
    last_ns = list(islice(schedule.offsets_ns(), count))[-1]
    one_period = getattr(schedule, "size", 1)
    assert count / schedule.rate_per_s * NS_PER_S == pytest.approx(last_ns, rel=one_period / count + 1e-6)


def test_a_poisson_schedule_has_exponential_gaps() -> None:
    """Mean and standard deviation of the gaps are both 1/rate; 20,000 gaps put 4 standard errors at 3 %."""
    offsets_ns = [0, *islice(Poisson(50).offsets_ns(), 20_000)]
    gaps_s = [(b - a) / NS_PER_S for a, b in pairwise(offsets_ns)]
    mean_s = sum(gaps_s) / len(gaps_s)
    deviation_s = (sum((gap_s - mean_s) ** 2 for gap_s in gaps_s) / len(gaps_s)) ** 0.5
    assert mean_s == pytest.approx(1 / 50, rel=0.03)
    assert deviation_s == pytest.approx(1 / 50, rel=0.04)


def test_seeds_make_different_schedules() -> None:
    assert next(Poisson(1, seed=1).offsets_ns()) != next(Poisson(1, seed=2).offsets_ns())


def test_steady_does_not_drift() -> None:
    assert list(islice(Steady(3).offsets_ns(), 300))[-1] == 100 * NS_PER_S


def test_nothing_is_ever_due_by_hand() -> None:
    assert list(Manual().offsets_ns()) == []


def test_a_burst_is_due_all_at_once() -> None:
    assert list(islice(Burst(3, 0.5).offsets_ns(), 5)) == [NS_PER_S // 2] * 3 + [NS_PER_S] * 2


def test_stairs_at_random_have_as_many_messages_in_each_step_and_uneven_gaps() -> None:
    stairs = Stairs(10, 1000, 3, 2.0, at_random=True)
    offsets_s = [offset_ns / NS_PER_S for offset_ns in stairs.offsets_ns()]
    assert [sum(2 * step <= at_s < 2 * step + 2 for at_s in offsets_s) for step in range(3)] == stairs.counts()
    gaps_s = [after - before for before, after in pairwise(offsets_s[-2000:])]
    assert stdev(gaps_s) == pytest.approx(mean(gaps_s), rel=0.1)


def test_stairs_rise_by_the_same_factor_stay_within_their_step_and_then_end() -> None:
    stairs = Stairs(10, 1000, 3, 2.0)
    assert stairs.counts() == [20, 200, 2000]
    offsets_s = [offset_ns / NS_PER_S for offset_ns in stairs.offsets_ns()]
    assert [sum(step * 2 <= at_s < step * 2 + 2 for at_s in offsets_s) for step in range(3)] == [20, 200, 2000]
    assert stairs.rate_per_s == pytest.approx(370)


@pytest.mark.parametrize(
    "text",
    [
        "manual",
        "steady:5",
        "poisson:0.4",
        "steady:3.14159265358979",
        "steady:123456.789",
        "poisson:40,seed=7",
        "burst:20/2",
        "stairs:20-5000/10x0.8",
        "stairs:8-32/4x4,random",
    ],
)
def test_a_schedule_reads_back_what_it_says(text: str) -> None:
    assert str(parse_schedule(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "steady",
        "steady:",
        "steady:0",
        "steady:-1",
        "steady:nan",
        "steady:inf",
        "steady:1e-300",
        "poisson:1e7",
        "burst:10000000/1",
        "poisson:1,seed=x",
        "poisson:1,sed=1",
        "burst:0/1",
        "burst:1/0",
        "burst:1.5/1",
        "burst:5",
        "manual:1",
        "stairs:20/3x1",
        "stairs:20-50/3x1,",
        "stairs:20-50/3x1,steady",
        "stairs:20-5/3x1",
        "stairs:20-50/0x1",
        "stairs:20-50/3",
        "stairs:20-50/3x0",
        "stairs:20-50-80/3x1",
        "hourly:1",
    ],
)
def test_any_other_text_is_refused_with_the_forms_that_are_known(text: str) -> None:
    with pytest.raises(ValueError, match=r"manual \| steady:RATE"):
        parse_schedule(text)


FINITE = ("1e308", "1e-308", "1e6", "1e-6", "1000000", "0", "-0", "-1", "1_0", "9" * 5000)
NUMBERS = (*FINITE, "nan", "inf", "-inf", "x", "")
STAIRS = ("stairs:1e-6-{0}/{1}x{2}{3}", "stairs:1-{0}/{1}x{2}{3}")
SHAPES = ("steady:{0}", "poisson:{0}", "poisson:1,seed={0}", "burst:{0}/{1}", *STAIRS)
EXTREMES = sorted(
    {
        shape.format(first, second, third, spacing)
        for shape in SHAPES
        for first in NUMBERS
        for second in (*NUMBERS, "2", "1001")
        for third in NUMBERS
        for spacing in ("", ",random")
    }
)


def test_a_schedule_of_whatever_numbers_is_refused_in_a_line_or_begins_at_once_in_little_memory() -> None:
    """The due instants that a server asks for first, and what it says of its schedule; a million would be 40 MB."""
    taken = 0
    tracemalloc.start()
    try:
        for text in EXTREMES:
            try:
                schedule = parse_schedule(text)
            except ValueError as wrong:
                assert "manual | steady:RATE" in str(wrong)
                assert len(str(wrong)) < 500
                continue
            taken += 1
            offsets_ns = list(islice(schedule.offsets_ns(), 300))
            assert offsets_ns == sorted(offsets_ns)
            assert 0 <= offsets_ns[-1] < 2**63
            assert 0 < schedule.rate_per_s <= 1e12
            assert parse_schedule(str(schedule)).rate_per_s == pytest.approx(schedule.rate_per_s, rel=1e-5)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 25 < taken < len(EXTREMES)
    assert peak_bytes < 3_000_000


@pytest.mark.parametrize(
    "text", ["stairs:1e6-1e6/1x1e6,random", "stairs:1-1/1000000x1", "stairs:1-1/1x0.01", "stairs:1e6-1e6/11x1,random"]
)
def test_stairs_without_end_or_without_a_message_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="stairs have at most 1000 steps and 1 to 10000000 messages"):
        parse_schedule(text)


def test_instants_drawn_in_order_are_as_even_as_instants_drawn_and_sorted() -> None:
    """Mean and spread of the third of nine: a beta distribution, 3/10 and (21/1100)^0.5."""
    draw = random.Random(7).random
    thirds = [list(islice(in_order(9, draw), 3))[2] for _ in range(20_000)]
    assert mean(thirds) == pytest.approx(3 / 10, rel=0.02)
    assert stdev(thirds) == pytest.approx((21 / 1100) ** 0.5, rel=0.03)
