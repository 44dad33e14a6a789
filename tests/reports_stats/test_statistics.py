"""What the statistics promise, measured: false alarms, power, coverage, and agreement with scipy and with tables."""

from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from reports.basics.statistics import ALPHA, compare, holm, median_interval, repeats_needed, share_interval, warmup_cut

measured = st.floats(min_value=0.001, max_value=1e6, allow_nan=False)
repeats = st.lists(measured, min_size=1, max_size=12)
tied = st.lists(st.integers(1, 4), min_size=2, max_size=8)


def repeats_of(rng: np.random.Generator, q: float, deliveries: int, factor: float = 1.0) -> NDArray[np.float64]:
    """Return a quantile of 10 repeats in ms: skewed latencies, on a machine whose mood varies by 3 %."""
    mood = rng.normal(1, 0.03, (10, 1))
    return np.quantile(rng.lognormal(3, 0.5, (10, deliveries)) * mood * factor, q, axis=1)


def test_runs_that_do_not_differ_are_rarely_called_different() -> None:
    """The contract asks for at most 5 % of 200 at alpha 0.01. Whole families after Holm: ten measures a comparison."""
    rng = np.random.default_rng(2026)
    alarms = 0
    for _ in range(200):
        p_values = [compare(repeats_of(rng, 0.99, 500), repeats_of(rng, 0.99, 500)).p for _ in range(10)]
        alarms += min(holm(p_values)) < ALPHA
    assert alarms <= 0.05 * 200


def test_a_single_comparison_raises_a_false_alarm_about_as_often_as_alpha_says() -> None:
    rng = np.random.default_rng(7)
    alarms = sum(compare(rng.lognormal(size=10), rng.lognormal(size=10)).p < 0.05 for _ in range(1_000))
    assert 0.02 * 1_000 < alarms < 0.07 * 1_000


@pytest.mark.parametrize(("q", "deliveries"), [(0.5, 1_000), (0.99, 5_000)])
def test_a_shift_of_ten_percent_is_found_with_ten_repeats(q: float, deliveries: int) -> None:
    """p99 needs the 5,000: of 1,000 deliveries it scatters by 6 % from repeat to repeat, and 66 % are found."""
    rng = np.random.default_rng(2026)
    pairs = [(repeats_of(rng, q, deliveries), repeats_of(rng, q, deliveries, factor=1.1)) for _ in range(200)]
    assert sum(compare(base, new).p < ALPHA for base, new in pairs) >= 0.8 * 200


@pytest.mark.parametrize("repeats", [6, 7, 10, 20])
def test_the_interval_holds_the_true_median_as_often_as_it_says(repeats: int) -> None:
    rng = np.random.default_rng(repeats)
    held = 0
    for seed in range(400):
        interval = median_interval(np.exp(rng.normal(0, 0.3, repeats)), seed=seed)
        held += interval.low <= 1 <= interval.high
    assert held >= (0.95 - 2 * sqrt(0.95 * 0.05 / 400)) * 400


@pytest.mark.parametrize(("repeats", "confidence"), [(2, 0.5), (3, 0.75), (5, 0.9375)])
def test_with_few_repeats_the_interval_is_the_range_and_says_what_that_covers(repeats: int, confidence: float) -> None:
    rng = np.random.default_rng(repeats)
    interval = median_interval([3.0, 1.0, 2.0, 5.0, 4.0][:repeats])
    assert (interval.method, interval.confidence) == ("range", confidence)
    held = 0
    for _ in range(2_000):
        drawn = median_interval(rng.exponential(1, repeats))
        held += drawn.low <= np.log(2) <= drawn.high
    assert abs(held / 2_000 - confidence) < 0.04


def test_one_repeat_has_no_interval() -> None:
    interval = median_interval([4.2])
    assert (interval.low, interval.high, interval.confidence, interval.method) == (4.2, 4.2, 0.0, "single")


@given(repeats)
def test_an_interval_holds_its_own_median_and_stays_within_what_was_seen(values: list[float]) -> None:
    interval = median_interval(values)
    assert min(values) <= interval.low <= interval.median <= interval.high <= max(values)


@given(repeats)
def test_the_same_repeats_give_the_same_interval(values: list[float]) -> None:
    assert median_interval(values) == median_interval(values)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]])
def test_a_sample_without_numbers_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one value and only finite ones"):
        median_interval(values)
    with pytest.raises(ValueError, match="at least one value and only finite ones"):
        compare([1.0], values)


@given(st.lists(st.integers(0, 1_000_000), min_size=2, max_size=24, unique=True), st.data())
def test_without_ties_p_is_scipys_exact_one(values: list[int], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(values) - 1))
    base, new = values[:cut], values[cut:]
    assert compare(base, new).p == pytest.approx(stats.mannwhitneyu(base, new, method="exact").pvalue)


@settings(max_examples=30)
@given(tied, tied)
def test_with_ties_p_is_that_of_every_permutation(base: list[int], new: list[int]) -> None:
    if len(set(base + new)) == 1:
        assert compare(base, new).p == 1.0
        return
    every = stats.PermutationMethod(n_resamples=comb(16, 8))
    assert compare(base, new).p == pytest.approx(stats.mannwhitneyu(base, new, method=every).pvalue)


def test_with_many_repeats_p_is_scipys_approximation() -> None:
    rng = np.random.default_rng(1)
    base, new = rng.normal(size=40), rng.normal(0.5, size=45)
    assert compare(base, new).p == pytest.approx(stats.mannwhitneyu(base, new, method="asymptotic").pvalue)


def test_many_repeats_and_few_agree_where_they_meet() -> None:
    rng = np.random.default_rng(1)
    base, new = rng.normal(size=30), rng.normal(0.5, size=30)
    exact, approximate = compare(base, new), stats.mannwhitneyu(base, new, method="asymptotic")
    assert exact.p == pytest.approx(approximate.pvalue, rel=0.1)


@given(repeats, repeats)
def test_swapping_the_runs_turns_the_shift_round_and_leaves_p(base: list[float], new: list[float]) -> None:
    there, back = compare(base, new), compare(new, base)
    assert there.p == pytest.approx(back.p)
    assert there.delta == pytest.approx(-back.delta)
    assert (there.amount, there.low, there.high) == pytest.approx((-back.amount, -back.high, -back.low))


@given(repeats, repeats)
def test_a_shift_lies_inside_its_interval_and_its_numbers_in_their_ranges(base: list[float], new: list[float]) -> None:
    shift = compare(base, new)
    assert shift.low <= shift.amount <= shift.high
    assert 0 < shift.p <= 1
    assert -1 <= shift.delta <= 1
    assert 0 <= shift.confidence < 1


@given(st.lists(st.integers(0, 1_000_000), min_size=1, max_size=12, unique=True), st.integers(1, 1_000_000))
def test_a_run_against_itself_plus_a_constant_shifts_by_that_constant(values: list[int], constant: int) -> None:
    assert compare(values, [value + constant for value in values]).amount == constant


@given(st.lists(measured, min_size=4, max_size=9, unique=True), st.lists(measured, min_size=4, max_size=9, unique=True))
def test_the_interval_and_p_say_the_same(base: list[float], new: list[float]) -> None:
    """The interval inverts the test, so zero lies outside it exactly where p is within what the interval leaves out."""
    if set(base) & set(new):
        return
    shift = compare(base, new)
    assert (shift.low > 0 or shift.high < 0) == (shift.p <= 1 - shift.confidence + 1e-12)


def test_the_interval_of_a_shift_is_the_one_in_the_textbook() -> None:
    """Hollander and Wolfe, Nonparametric Statistical Methods, permeability of membranes: R's wilcox.test conf.int."""
    new = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    base = [1.15, 0.88, 0.90, 0.74, 1.21]
    shift = compare(base, new)
    assert shift.p == pytest.approx(0.2544, abs=5e-5)
    assert shift.amount == pytest.approx(0.305, abs=5e-4)
    assert (shift.low, shift.high) == pytest.approx((-0.15, 0.76))


def test_three_against_three_repeats_can_prove_nothing_and_say_so() -> None:
    shift = compare([1, 2, 3], [101, 102, 103])
    assert shift.p == pytest.approx(0.1)
    assert shift.confidence == pytest.approx(0.9)
    assert shift.delta == 1.0


@pytest.mark.parametrize(("comparisons", "needed"), [(1, 5), (10, 7), (60, 8)])
def test_the_repeats_needed_are_the_fewest_that_can_reach_alpha(comparisons: int, needed: int) -> None:
    assert repeats_needed(comparisons) == needed
    clearest = compare(range(needed), range(100, 100 + needed)).p
    assert clearest * comparisons <= ALPHA
    assert compare(range(needed - 1), range(100, 99 + needed)).p * comparisons > ALPHA


def test_holm_gives_the_published_adjustment() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holm_never_lowers_p_keeps_the_order_and_never_beats_bonferroni_downwards(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= q <= min(1.0, p * len(p_values)) for p, q in zip(p_values, adjusted, strict=True))
    ranked = [q for _, q in sorted(zip(p_values, adjusted, strict=True))]
    assert ranked == sorted(ranked)


def test_no_loss_in_a_thousand_still_leaves_room_for_some() -> None:
    low, high = share_interval(0, 1_000)
    assert low == 0.0
    assert 0.003 < high < 0.004
    assert share_interval(0, 0) == (0.0, 1.0)


@given(st.integers(1, 10_000), st.data())
def test_a_share_lies_inside_its_interval(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, total))
    low, high = share_interval(count, total)
    assert 0 <= low <= count / total + 1e-12
    assert count / total - 1e-12 <= high <= 1


def latencies(
    rng: np.random.Generator, messages: int, users: int = 20
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    published_ns = np.cumsum(rng.exponential(2e8, messages)).astype(np.int64)
    return rng.lognormal(0, 0.5, messages * users), np.repeat(published_ns, users)


def test_a_warm_up_is_found_where_it_ends() -> None:
    rng = np.random.default_rng(5)
    cuts = []
    for _ in range(100):
        latency, at_ns = latencies(rng, messages=200)
        latency[: 30 * 20] *= 2
        shuffled = rng.permutation(len(latency))
        cuts.append(warmup_cut(latency[shuffled], at_ns[shuffled]) / 20)
    assert np.median(cuts) == 30
    assert np.mean([25 <= cut <= 40 for cut in cuts]) >= 0.9


def test_a_steady_run_has_no_warm_up() -> None:
    rng = np.random.default_rng(6)
    assert sum(warmup_cut(*latencies(rng, messages=200)) > 0 for _ in range(200)) <= 4


def test_a_stall_in_the_middle_is_not_a_warm_up() -> None:
    latency, at_ns = latencies(np.random.default_rng(8), messages=200)
    latency[60 * 20 : 64 * 20] += 50
    assert warmup_cut(latency, at_ns) == 0


@pytest.mark.parametrize("drift", [np.linspace(1, 10, 4_000), np.linspace(10, 1, 4_000)], ids=["growing", "shrinking"])
def test_a_run_that_never_settles_is_all_warm_up(drift: NDArray[np.float64]) -> None:
    latency, at_ns = latencies(np.random.default_rng(9), messages=200)
    assert warmup_cut(latency * drift, at_ns) == len(latency)


def test_too_few_messages_cannot_tell() -> None:
    latency, at_ns = latencies(np.random.default_rng(10), messages=49)
    latency[:200] *= 10
    assert warmup_cut(latency, at_ns) == 0
    assert warmup_cut([], []) == 0
