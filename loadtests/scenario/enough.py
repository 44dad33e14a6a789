"""PURE. How long a window must be for its quantiles: as long as it takes for enough messages to be due in it."""

from dataclasses import replace
from itertools import dropwhile, islice
from math import ceil
from typing import Final

from loadtests.scenario.scenarios import Scenario
from servers.feed.schedule import Burst, parse_schedule
from servers.timing import NS_PER_S

ENOUGH_MESSAGES: Final = 20
"""In a window. A p99 of fewer is their worst, a median hardly more; repeats then add up to a hundred."""
LONGEST_S: Final = 600.0
"""A longer window is asked for by name, or not meant."""
WINDOW_MOST_S: Final = 86_400.0


def long_enough(scenario: Scenario) -> Scenario:
    """Return the scenario with its window lengthened until enough messages are due in it, at each of its rates.

    Raises ValueError when that would take longer than anyone wants to wait without asking for it.
    """
    needed_s = max((_needed_s(text, scenario) for text in scenario.schedules.values()), default=0.0)
    if needed_s <= scenario.window_s:
        return scenario
    if needed_s > LONGEST_S:
        otherwise = f", or ask for it with --window {needed_s:.0f}" if needed_s <= WINDOW_MOST_S else ""
        raise ValueError(
            f"--schedule {scenario.schedule} takes {needed_s:,.0f} s for {ENOUGH_MESSAGES} messages, which is what a "
            f"figure needs: publish more often{otherwise}"
        )
    return replace(scenario, window_s=needed_s)


def _needed_s(text: str, scenario: Scenario) -> float:
    """Return how long it takes, in tenths of a second; 0 where the window has more than enough, or never will."""
    schedule, warmup_s = parse_schedule(text), scenario.warmup_s
    if isinstance(schedule, Burst):
        first, more = ceil(warmup_s / schedule.period_s) or 1, ceil(ENOUGH_MESSAGES / schedule.size) - 1
        return _up((first + more) * schedule.period_s - warmup_s)
    if schedule.rate_per_s * scenario.window_s > 5 * ENOUGH_MESSAGES:
        return 0.0
    from_ns = round(warmup_s * NS_PER_S)
    due = dropwhile(lambda offset_ns: offset_ns < from_ns, schedule.offsets_ns())
    last_ns = next(islice(due, ENOUGH_MESSAGES - 1, None), None)
    return 0.0 if last_ns is None else _up((last_ns - from_ns) / NS_PER_S)


def _up(seconds: float) -> float:
    """The window ends before the instant at its end, so that a message due then is not in it."""
    return (int(seconds * 10) + 1) / 10
