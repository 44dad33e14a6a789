"""Effects from observations: taken within each repeat, with an interval, and proven only when that excludes none."""

from math import isnan, nan
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.charts.dot_strip import strip
from reports.experiments import Effect, MeasuredEffect
from reports.experiments.effects import change_text, interval_text, measured


def effect(
    kind: Literal["ratio", "difference"] = "ratio", expected: Literal["lower", "higher", "same", ""] = "lower"
) -> Effect:
    return Effect("cost_ms", "cost", "ms", "off", "on", expected=expected, kind=kind)


def found(base: list[float], arm: list[float], of: Effect) -> MeasuredEffect:
    observed = {("off", at): {"cost_ms": value} for at, value in enumerate(base)}
    observed |= {("on", at): {"cost_ms": value} for at, value in enumerate(arm)}
    return measured([of], observed)["cost_ms", "on"]


def test_what_drifts_from_repeat_to_repeat_cancels_out() -> None:
    of_arms = found([10, 20, 40, 80, 160], [9, 18, 36, 72, 144], effect())
    assert (of_arms.base, of_arms.arm) == (40, 36)
    assert (of_arms.change, of_arms.low, of_arms.high) == pytest.approx((0.9, 0.9, 0.9))
    assert of_arms.proven
    assert of_arms.confidence == pytest.approx(0.9375)


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=9), st.floats(0.01, 100))
def test_a_constant_factor_is_found_whatever_the_repeats_were(base: list[float], factor: float) -> None:
    of_arms = found(base, [value * factor for value in base], effect())
    assert of_arms.low <= of_arms.change <= of_arms.high
    assert of_arms.change == pytest.approx(factor)
    assert of_arms.proven == (len(base) >= 5 and not of_arms.low <= 1 <= of_arms.high)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1, max_size=9))
def test_swapping_the_arms_turns_a_difference_round(pairs: list[tuple[float, float]]) -> None:
    base, arm = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    there, back = found(base, arm, effect("difference")), found(arm, base, effect("difference"))
    assert there.change == pytest.approx(-back.change)
    assert there.proven == back.proven or there.repeats >= 6  # a bootstrap may fall on either side of an edge


def test_a_ratio_to_nothing_and_a_figure_nobody_knows_are_no_effect() -> None:
    for of_arms in (found([0, 0, 0, 0, 0], [1, 1, 1, 1, 1], effect()), found([1] * 5, [1, 1, nan, 1, 1], effect())):
        assert isnan(of_arms.change)
        assert (of_arms.proven, of_arms.state) == (False, "~")
        assert (change_text(of_arms), interval_text(of_arms)) == ("\N{EN DASH}", "")


@pytest.mark.parametrize(
    ("base", "arm", "kind", "text"),
    [
        ([100.0], [31.0], "ratio", "\N{MINUS SIGN}69 %"),
        ([100.0], [150.0], "ratio", "+50 %"),
        ([10.0], [32.0], "ratio", "3.2 \N{MULTIPLICATION SIGN}"),
        ([5.0], [5.0], "difference", "0 ms"),
        ([500.0], [2000.0], "difference", "+1.5 s"),
    ],
)
def test_a_change_reads_as_people_say_it(
    base: list[float], arm: list[float], kind: Literal["ratio", "difference"], text: str
) -> None:
    assert change_text(found(base, arm, effect(kind))).replace("\N{NARROW NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(("ratio", "state"), [(1.04, "same"), (0.96, "same"), (1.06, "differs"), (0.5, "differs")])
def test_a_proven_change_too_small_to_act_upon_still_counts_as_the_same(ratio: float, state: str) -> None:
    assert found([1.0] * 5, [ratio] * 5, effect(expected="same")).state == state


def test_a_strip_shows_every_run_of_both_arms_and_tells_them_to_who_cannot_see() -> None:
    drawn = strip({"off": [1.0, 2.0], "on": [0.5, nan]}, "ms")
    assert drawn.count("<circle") == 3
    assert "off: 1.0" in drawn
    assert strip({"off": [nan]}, "ms") == ""
