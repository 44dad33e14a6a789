"""PURE. The closed forms that measurements must agree with. Derivations and sources: docs/method.md.

Symbols, in seconds and per second: `rate` messages, `delay` one way, `hold` timeout of a long poll, `gap` from a
server's answer to the next request in its hands. Publishing is Poisson, nothing is overloaded. All of one client,
unless it says otherwise. What follows from instants that are given, rather than from a rate, is in predictions.py.
"""

from reports.theory.oracles.framing import poll_bytes_per_s, stream_bytes_per_s
from reports.theory.oracles.gaps import Every, ExponentialGaps, Floats, Gaps, UniformGaps
from reports.theory.oracles.polling import LongPoll, OneByOne, ShortPoll
from reports.theory.oracles.queue import queue_cdf
from reports.theory.oracles.streaming import FanOut, frozen_quantile

__all__ = [
    "Every",
    "ExponentialGaps",
    "FanOut",
    "Floats",
    "Gaps",
    "LongPoll",
    "OneByOne",
    "ShortPoll",
    "UniformGaps",
    "frozen_quantile",
    "poll_bytes_per_s",
    "queue_cdf",
    "stream_bytes_per_s",
]
