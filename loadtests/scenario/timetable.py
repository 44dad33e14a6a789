"""PURE. What a schedule says of a cell before it runs: when messages are due, and when they must have arrived."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import numpy as np

from loadtests.scenario.poll_timing import parse_pace
from servers.feed.schedule import parse_schedule

COUNTED_MAX: Final = 1_000_000
"""Messages are counted so far: counting a schedule of a million a second would take too long."""
SLACK_S: Final = 0.5


def due_instants_ns(schedule: str, start_ns: int, from_ns: int, until_ns: int) -> Iterator[int]:
    """Yield when messages are due, from one instant up to another, at most COUNTED_MAX of them."""
    for offset_ns in islice(parse_schedule(schedule).offsets_ns(), COUNTED_MAX):
        if start_ns + offset_ns >= until_ns:
            return
        if start_ns + offset_ns >= from_ns:
            yield start_ns + offset_ns


def polls_due(first_ns: "np.ndarray[Any, np.dtype[np.int64]]", from_ns: int, until_ns: int, interval_ns: int) -> int:
    """Count the instants first + k * interval, k >= 0, of all users together, from one instant up to another.

    first_ns: of each user. Before a bound lie as many as intervals fit, rounded up.
    """
    end, start = (np.maximum(-(-(bound - first_ns) // interval_ns), 0) for bound in (until_ns, from_ns))
    return int((end - start).sum())


def allowed_s(poll_interval_s: float, poll_pace: str, rtt_ms: float, jitter_ms: float) -> float:
    """Return how long a message may be under way when nothing is overloaded: to the next poll, there and back, twice.

    It is what a planned cell drains for unless it is told otherwise.
    """
    return poll_interval_s * parse_pace(poll_pace).longest + SLACK_S + 2 * (rtt_ms + 2 * jitter_ms) / 1000
