"""PURE. Heartbeats of streams: how many a client gets between two instants, at least and at most."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from reports.theory.oracles import Floats
from reports.theory.oracles.framing import RECORD_BYTES
from reports.theory.predictions.conditions import Conditions, Counts

STAMPED_BYTES: Final = len('{"type":"heartbeat","timestamp":"2026-01-01T00:00:00.000000Z"}')
"""What those that are messages say."""
DRIFT_S: Final = 0.1
"""By how much a timer that is set anew behind each heartbeat to many clients may be late with the next."""


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """length_bytes: of one, with its framing and its client's answer; 0 for a pattern that has none.

    asked: comes whether or not there was a silence, since the client must answer. every_s: None for the setting's.
    """

    length_bytes: int = 0
    asked: bool = False
    every_s: float | None = None

    def wire_bytes(self, *, sealed: bool) -> int:
        """Return its length as TCP has it: under TLS, with a record each for it and for its client's answer."""
        return self.length_bytes + sealed * RECORD_BYTES * (1 + self.asked)


NO_HEARTBEATS: Final = Heartbeats()


def beats(kind: Heartbeats, at: Conditions, from_: float, until: float) -> tuple[int, int]:
    """Return the least and the most heartbeats of a client between two instants (s from the window's start)."""
    every = at.heartbeat if kind.every_s is None else kind.every_s
    if not every or not kind.length_bytes:
        return 0, 0
    earliest, latest = _asked(at, every, until) if kind.asked else _in_silences(at, every, until)
    surely = (earliest > from_) & (latest < until)
    perhaps = (latest >= from_) & (earliest <= until)
    return int(surely.sum()), int(perhaps.sum())


def _asked(at: Conditions, every: float, until: float) -> tuple[Floats, Floats]:
    """One timer for all runs from when the first client joined, or one each."""
    number: Floats = np.arange(1.0, max(0, int((until - at.joined[0]) / every)) + 2)
    return at.joined[0] + number * every, at.joined[1] + number * (every + DRIFT_S) + at.slack


def _in_silences(at: Conditions, every: float, until: float) -> tuple[Floats, Floats]:
    written = at.published + at.delay
    # Never below 0: a journal that somebody changed may go back in time, and is judged elsewhere.
    silences = np.diff(np.append(written, max(until, written[-1]) + every)).clip(min=0)
    number: Counts = np.concatenate([np.arange(1, int(silence / every) + 1) for silence in silences])
    begun: Floats = np.repeat(written, (silences / every).astype(np.int64)) + number * every
    return begun - at.slack, begun + number * DRIFT_S + at.slack
