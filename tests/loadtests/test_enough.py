"""A window is as long as its quantiles need, or nothing is measured in vain."""

from dataclasses import replace
from itertools import takewhile

import pytest

from loadtests.scenario.enough import ENOUGH_MESSAGES, LONGEST_S, long_enough
from loadtests.scenario.scenarios import SCENARIOS, Scenario
from servers.feed.schedule import parse_schedule

FEED = SCENARIOS["feed"]


def due(scenario: Scenario, schedule: str) -> int:
    """Count the messages due in the window, one by one."""
    from_ns, until_ns = (round(at_s * 1e9) for at_s in (scenario.warmup_s, scenario.warmup_s + scenario.window_s))
    offsets = takewhile(lambda offset_ns: offset_ns < until_ns, parse_schedule(schedule).offsets_ns())
    return sum(offset_ns >= from_ns for offset_ns in offsets)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_has_enough_messages_in_its_window_at_each_of_its_rates(name: str) -> None:
    scenario = SCENARIOS[name]
    assert long_enough(scenario) is scenario
    assert min(due(scenario, schedule) for schedule in scenario.schedules.values()) >= ENOUGH_MESSAGES


@pytest.mark.parametrize("warmup_s", [0.0, 0.5, 12.3])
@pytest.mark.parametrize(
    "schedule",
    [
        "poisson:0.5",
        "poisson:2,seed=7",
        "steady:1",
        "steady:0.25",
        "burst:3/7",
        "burst:1/5",
        "burst:500/60",
        "steady:5",
    ],
)
def test_a_window_is_lengthened_until_enough_messages_are_due_in_it_and_no_further(
    schedule: str, warmup_s: float
) -> None:
    asked = replace(FEED, schedule=schedule, warmup_s=warmup_s, window_s=0.5)
    longer = long_enough(asked)
    assert due(longer, schedule) >= ENOUGH_MESSAGES > due(replace(longer, window_s=longer.window_s - 0.2), schedule)
    assert long_enough(longer) is longer


def test_a_sweep_is_as_long_as_its_rarest_messages_need() -> None:
    sweep = long_enough(replace(FEED, schedule="poisson:0.5,poisson:50"))
    assert sweep.window_s == long_enough(replace(FEED, schedule="poisson:0.5")).window_s


@pytest.mark.parametrize("schedule", ["steady:1e6", "poisson:1000", "steady:100"])
def test_a_window_that_is_long_enough_stays_as_it_was_and_is_not_counted_out(schedule: str) -> None:
    asked = replace(FEED, schedule=schedule, warmup_s=86_400.0)
    assert long_enough(asked) is asked


def test_stairs_end_and_are_taken_as_they_are() -> None:
    asked = replace(FEED, schedule="stairs:1-1/3x1")
    assert long_enough(asked) is asked


@pytest.mark.parametrize(
    ("schedule", "window"), [("steady:0.01", True), ("burst:1/1000", True), ("steady:1e-6", False)]
)
def test_what_would_take_too_long_is_refused_with_what_it_would_take(schedule: str, window: bool) -> None:
    with pytest.raises(ValueError, match=f"--schedule {schedule} takes .* s for 20 messages") as refusal:
        long_enough(replace(FEED, schedule=schedule))
    assert ("--window" in str(refusal.value)) is window
    assert LONGEST_S == 600
