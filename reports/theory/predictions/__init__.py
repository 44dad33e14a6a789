"""PURE. What theory says of one cell, given when its messages were really published.

A rate would leave the chance of the schedule in; the journal takes it out. What is still left to chance, and what is
known no better than to a bound, is added on either side of what theory says: see `Bound`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from reports.theory.predictions.conditions import Bound, Conditions, Expected
from reports.theory.predictions.long_polls import long_polling
from reports.theory.predictions.short_polls import short_polling
from reports.theory.predictions.streams import streaming
from reports.theory.predictions.traffic import Rows, poll_traffic, stream_traffic


@dataclass(frozen=True, slots=True)
class Theory:
    """How to predict a pattern: its latency and requests from the journal, and what it sends from its rows too."""

    expected: Callable[[Conditions], Expected]
    traffic: Callable[[Conditions, Rows, Expected], dict[str, Bound]]


_STREAM: Final = Theory(streaming, stream_traffic)

THEORIES: Final[Mapping[str, Theory]] = {
    "short_polling": Theory(short_polling, partial(poll_traffic, held=False)),
    "long_polling": Theory(long_polling, partial(poll_traffic, held=True)),
    "chunked": _STREAM,
    "sse": _STREAM,
    "websocket": _STREAM,
    "http2_push": _STREAM,
}
"""By pattern; one that is not here has no theory, and no row."""

__all__ = ["THEORIES", "Bound", "Conditions", "Expected", "Rows", "Theory"]
