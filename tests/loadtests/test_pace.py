"""How evenly polls follow each other: the mean, the spread, and a start that needs no warming up."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from loadtests.scenario.poll_timing import LONGEST_EXPONENTIAL, Pace, parse_pace

KINDS = ["rate", "pause", "uniform:0.5", "uniform:1", "uniform:0.05", "exponential"]


@pytest.mark.parametrize("text", KINDS)
def test_a_pace_is_read_back_from_what_it_says(text: str) -> None:
    assert str(parse_pace(text)) == text


@given(st.floats(0.001, 1))
def test_any_spread_is_read_back_to_six_digits(spread: float) -> None:
    assert parse_pace(str(Pace("uniform", spread))).spread == pytest.approx(spread, rel=1e-5)


def test_a_spread_of_half_the_interval_need_not_be_said() -> None:
    assert parse_pace(" uniform ") == Pace("uniform", 0.5)


@pytest.mark.parametrize(
    "text", ["", "uniform:", "uniform:0", "uniform:1.1", "uniform:nan", "uniform:x", "rate:1", "exponential:2", "often"]
)
def test_what_is_no_pace_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"poll-pace .* is none of: rate"):
        parse_pace(text)


@pytest.mark.parametrize("text", KINDS)
def test_gaps_have_the_interval_as_their_mean_and_hardly_exceed_the_longest(text: str) -> None:
    pace, random = parse_pace(text), Random(1)
    gaps = [pace.gap(random) for _ in range(20_000)]
    assert sum(gaps) / len(gaps) == pytest.approx(1, abs=0.03)
    assert min(gaps) >= 0
    assert max(gaps) <= max(pace.longest, LONGEST_EXPONENTIAL)


@pytest.mark.parametrize("text", KINDS)
def test_a_user_just_come_waits_as_one_that_has_polled_for_ever(text: str) -> None:
    """The wait from any instant to the next poll has one distribution, at the start as after fifty gaps."""
    pace, random = parse_pace(text), Random(2)
    first = [pace.first(random) for _ in range(4_000)]
    later = []
    for _ in range(4_000):
        at, instant = pace.first(random), 50 + random.random()
        while at < instant:
            at += pace.gap(random)
        later.append(at - instant)
    assert stats.ks_2samp(first, later).pvalue > 0.001
