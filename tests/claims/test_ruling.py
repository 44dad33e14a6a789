"""What decides a claim, by table: steps and bounds in, verdict and condition out."""

from collections.abc import Sequence
from math import inf

import pytest

from reports.basics.units import THIN
from reports.claims.claim import Claim, OfModel, OfRun, Test
from reports.claims.ruling import Ruled, State, Step, Tried, Verdict
from reports.claims.words import answer, bound, said
from reports.model.law import Estimate


def exactly(value: float) -> Estimate:
    return Estimate(value, value, value)


def tried(figures: Sequence[Estimate | None], given: str = "", high: float = 10.0) -> Tried:
    test = OfRun(says="p99", figure="p99_ms", high=high, why="", given=given, run="near", pattern="sse")
    return Tried(test, [Step(0.0, figure, "" if figure else "INVALID") for figure in figures], "run near")


def along(values: Sequence[Estimate | None], low: float | None = None, high: float | None = None) -> Tried:
    """One figure at 1, 2, 4, 8 ... messages a second."""
    steps = [Step(float(2**at), figure, "" if figure else "out of reach") for at, figure in enumerate(values)]
    at = [step.at for step in steps]
    test = OfModel(
        says="CPU",
        figure="cores",
        low=low,
        high=high,
        why="",
        pattern="short_polling",
        over="sse",
        along="rate_per_s",
        steps=at,
    )
    return Tried(test, steps, "model")


def ruled(*tests: Tried) -> Ruled:
    claim = Claim(
        sentence="It is fast.", topic="when", guide="", means="", conditions="", tests=[t.test for t in tests]
    )
    return Ruled("fast", claim, tests)


@pytest.mark.parametrize(
    ("figure", "state"),
    [
        (Estimate(5, 4, 6), State.HOLDS),
        (Estimate(5, 4, 10), State.HOLDS),
        (Estimate(9, 8, 11), State.OPEN),
        (Estimate(12, 11, 13), State.FAILS),
        (None, State.UNKNOWN),
    ],
)
def test_a_whole_interval_within_the_bounds_holds_and_one_across_them_is_open(
    figure: Estimate | None, state: State
) -> None:
    assert Step(0.0, figure).state(-inf, 10.0) is state


HOLDS, FAILS, OPEN, UNKNOWN = exactly(5.0), exactly(20.0), Estimate(10, 9, 11), None


@pytest.mark.parametrize(
    ("tests", "verdict", "told"),
    [
        ([tried([HOLDS])], Verdict.CONFIRMED, "confirmed"),
        ([tried([HOLDS]), tried([FAILS])], Verdict.REFUTED, "refuted"),
        ([tried([HOLDS]), tried([OPEN])], Verdict.OPEN, "open"),
        ([tried([UNKNOWN]), tried([UNKNOWN])], Verdict.NOT_JUDGED, "not judged"),
        ([tried([HOLDS]), tried([UNKNOWN])], Verdict.OPEN, "open"),
        ([tried([FAILS]), tried([UNKNOWN])], Verdict.REFUTED, "refuted"),
        ([tried([HOLDS], "near"), tried([FAILS], "far")], Verdict.HOLDS_IF, "holds if near"),
        ([tried([HOLDS], "near"), tried([HOLDS], "far")], Verdict.CONFIRMED, "confirmed"),
        ([tried([FAILS], "near"), tried([FAILS], "far")], Verdict.REFUTED, "refuted"),
        ([tried([HOLDS], "near"), tried([FAILS], "far"), tried([FAILS])], Verdict.REFUTED, "refuted"),
        ([tried([HOLDS], "near"), tried([FAILS], "near")], Verdict.REFUTED, "refuted"),
        ([tried([HOLDS], "near"), tried([OPEN], "far")], Verdict.OPEN, "open, but holds if near"),
        ([tried([FAILS], "near"), tried([OPEN], "far")], Verdict.OPEN, "open, but fails if near"),
    ],
)
def test_what_must_hold_decides_first_and_conditions_are_named(tests: list[Tried], verdict: Verdict, told: str) -> None:
    found = ruled(*tests)
    assert found.verdict is verdict
    assert answer(found) == told


def test_where_the_figures_pass_the_bound_is_the_condition() -> None:
    falling = along([exactly(value) for value in (4.0, 2.0, 0.5, 0.25)], high=1.0)
    (crossing,) = falling.crossovers
    assert crossing.at == pytest.approx(2 * 2**0.5) and (crossing.low, crossing.high) == (2.0, 4.0)
    assert answer(ruled(falling)) == "holds from 2.8 messages a second on"
    assert answer(ruled(along([exactly(value) for value in (4.0, 2.0, 0.5)], low=1.0))) == (
        "holds up to 2.8 messages a second"
    )


@pytest.mark.parametrize("bounds", [{"low": 1.0}, {"high": 1.0}])
def test_a_figure_on_the_bound_holds_and_the_next_one_passes_it(bounds: dict[str, float]) -> None:
    past = 0.5 if "low" in bounds else 2.0
    (crossing,) = along([exactly(1.0), exactly(past)], **bounds).crossovers
    assert crossing.at == 1.0


def test_a_crossover_is_as_sure_as_the_steps_beside_it() -> None:
    found = along([exactly(4.0), Estimate(1.5, 0.9, 2.2), Estimate(0.8, 0.6, 1.1), exactly(0.5)], high=1.0)
    (crossing,) = found.crossovers
    assert (crossing.low, crossing.high) == (1.0, 8.0)
    assert 2.0 < crossing.at < 4.0


def test_a_claim_that_holds_between_two_crossovers_says_both() -> None:
    found = along([exactly(value) for value in (4.0, 0.5, 0.5, 4.0)], high=1.0)
    assert answer(ruled(found)).startswith("holds from 1.6 messages a second to 5 messages a second")


def test_where_steps_are_open_to_the_end_only_what_surely_holds_is_said() -> None:
    found = along([exactly(0.5), exactly(0.8), Estimate(1.0, 0.8, 1.3)], high=1.0)
    assert answer(ruled(found)) == "open, but holds up to 2 messages a second"


def test_what_fails_as_far_as_anything_is_sure_is_open_beyond() -> None:
    found = along([exactly(8.0), exactly(4.0), Estimate(1.5, 0.8, 3.0), Estimate(0.9, 0.5, 1.8)], high=1.0)
    assert answer(ruled(found)) == "open, but fails up to 2 messages a second"


def test_steps_of_which_nothing_is_known_are_left_out() -> None:
    found = along([None, exactly(4.0), exactly(0.5), None], high=1.0)
    assert found.states == {State.HOLDS, State.FAILS}
    assert answer(ruled(found)).startswith("holds from 3.2")


def test_figures_are_said_with_unit_interval_and_bound() -> None:
    found = tried([Estimate(1000, 900, 1100)])
    assert said(found, found.steps[0]).replace(THIN, " ") == "1.0 s (900 ms to 1.1 s)"
    assert bound(found.test).replace(THIN, " ") == "at most 10 ms"
    ratio: Test = along([], low=0.5, high=2.0).test
    assert bound(ratio).replace(THIN, " ") == "0.500 \N{MULTIPLICATION SIGN} to 2.00 \N{MULTIPLICATION SIGN}"
