"""PURE. What theory says of one cell, given when its messages were really published.

A rate would leave the chance of the schedule in; the journal takes it out. What is still left to chance, and what is
known no better than to a bound, is added on either side of what theory says: see `Bound`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reports.theory.predictions.conditions import Bound, Conditions, Expected
from reports.theory.predictions.heartbeats import NO_HEARTBEATS, Heartbeats
from reports.theory.predictions.streams import streaming
from reports.theory.predictions.traffic import Framed, Rows, stream_traffic


def always(_setting: Mapping[str, Any]) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Theory:
    """How to predict a pattern: its latency and requests from the journal, and what it sends from its rows too.

    framed: bytes of each message with its own framing, as the `bytes` of a delivery. speaks: whether anything can be
    said under these settings. heartbeats: what a stream sends besides.
    """

    framed: Framed
    expected: Callable[[Conditions], Expected]
    traffic: Callable[[Conditions, Rows, Expected], dict[str, Bound]]
    speaks: Callable[[Mapping[str, Any]], bool] = always
    heartbeats: Heartbeats = NO_HEARTBEATS


def stream(framed: Framed, heartbeats: Heartbeats) -> Theory:
    """Return the theory of any pattern that writes each message to all clients as it comes."""
    return Theory(framed, streaming, stream_traffic, heartbeats=heartbeats)


__all__ = ["Bound", "Conditions", "Expected", "Heartbeats", "Rows", "Theory", "stream"]
