"""A crossing is reported only where each pattern is measurably better on its own side."""

from dataclasses import replace

import pandas as pd
import pytest

from loadtests.scenario.dimensions import CLIENTS, RATE
from reports.measures.crossovers import Crossover, crossovers

LINEAR = replace(CLIENTS, by_factors=False)


def rows(*, spread: float = 0.0, **lines: list[float]) -> pd.DataFrame:
    """One row per pattern and step 10, 20, 30, ...; `spread`: how far an interval reaches to either side."""
    return pd.DataFrame(
        [
            {
                "pattern": name,
                "clients": 10.0 * (at + 1),
                "p99_ms": value,
                "p99_ms_low": value - spread,
                "p99_ms_high": value + spread,
            }
            for name, values in lines.items()
            for at, value in enumerate(values)
        ]
    )


def test_two_lines_that_cross_do_so_where_they_meet() -> None:
    (found,) = crossovers(rows(poll=[10.0, 20.0, 30.0], stream=[20.0, 20.0, 20.0]), LINEAR, "p99_ms")
    assert found == Crossover("poll", "stream", 10.0, 30.0, 20.0, 20.0)


def test_on_logarithmic_axes_lines_meet_where_they_are_drawn_to() -> None:
    """Three times as much and a third of it: in the middle, which on such an axis is the geometric mean."""
    counts = rows(poll=[10.0, 90.0], stream=[30.0, 30.0]).rename(columns={"clients": "rate_per_s"})
    (found,) = crossovers(counts, RATE, "p99_ms")
    assert found.at == pytest.approx((10 * 20) ** 0.5)
    costs = counts.rename(columns=lambda name: name.replace("p99_ms", "cpu_ms_per_1000"))
    (cost,) = crossovers(costs, RATE, "cpu_ms_per_1000")
    assert cost.at == pytest.approx(10 * 2 ** (20 / 80))


def test_over_a_step_at_which_nobody_leads_they_cross_where_the_drawn_lines_do() -> None:
    (found,) = crossovers(rows(a=[10.0, 19.5, 30.0], b=[20.0, 20.0, 20.0]), LINEAR, "p99_ms")
    assert (found.low, found.high) == (10.0, 30.0)
    assert found.at == pytest.approx(20 + 10 * 0.5 / 10.5)


def test_lines_that_stay_on_their_side_do_not_cross() -> None:
    assert crossovers(rows(poll=[10.0, 11.0], stream=[20.0, 30.0]), LINEAR, "p99_ms") == []


@pytest.mark.parametrize("spread", [6.0, 20.0])
def test_lines_whose_intervals_overlap_do_not_cross(spread: float) -> None:
    assert crossovers(rows(spread=spread, poll=[10.0, 20.0], stream=[20.0, 10.0]), LINEAR, "p99_ms") == []


def test_a_measure_that_is_missing_somewhere_is_compared_where_both_have_it() -> None:
    found = crossovers(rows(poll=[10.0, float("nan"), 40.0], stream=[20.0, 20.0, 20.0]), LINEAR, "p99_ms")
    assert [(each.low, each.high) for each in found] == [(10.0, 30.0)]


def test_lines_that_cross_twice_are_told_twice_in_order() -> None:
    found = crossovers(rows(a=[10.0, 30.0, 10.0], b=[20.0, 20.0, 20.0]), LINEAR, "p99_ms")
    assert [(each.before, each.after) for each in found] == [("a", "b"), ("b", "a")]
    assert found[0].at < found[1].at
