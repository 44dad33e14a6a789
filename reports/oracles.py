"""PURE. The closed forms that measurements must agree with. Derivations and sources: docs/method.md.

Symbols, in seconds and per second: `rate` messages, `interval` between polls, `delay` one way, `hold` timeout of a
long poll, `gap` from a server's answer to the next request in its hands. Publishing is Poisson, a server hands over
everything pending, nothing is overloaded.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, isinf, sqrt


@dataclass(frozen=True, slots=True)
class ShortPoll:
    """O1. Polls at a fixed interval and a random phase."""

    rate: float
    interval: float
    delay: float = 0.0

    @property
    def mean_latency(self) -> float:
        return self.interval / 2 + self.delay

    def latency_quantile(self, q: float) -> float:
        return q * self.interval + self.delay

    @property
    def empty_ratio(self) -> float:
        return exp(-self.rate * self.interval)

    @property
    def responses_per_s(self) -> float:
        """Of one client, as everywhere here."""
        return 1 / self.interval

    @property
    def messages_per_response(self) -> float:
        """Of the responses that are not empty."""
        return self.rate * self.interval / (1 - self.empty_ratio)

    @property
    def unseen_ratio(self) -> float:
        """Share of the updates never seen where a poll returns only the latest value."""
        return 1 - (1 - self.empty_ratio) / (self.rate * self.interval)


@dataclass(frozen=True, slots=True)
class UniformPoll:
    """O1 with each interval drawn uniformly between `shortest` and `longest`, as Locust's `between` does."""

    rate: float
    shortest: float
    longest: float
    delay: float = 0.0

    @property
    def mean_latency(self) -> float:
        a, b = self.shortest, self.longest
        return (a * a + a * b + b * b) / (3 * (a + b)) + self.delay

    @property
    def empty_ratio(self) -> float:
        a, b = self.shortest, self.longest
        return (exp(-self.rate * a) - exp(-self.rate * b)) / (self.rate * (b - a))


@dataclass(frozen=True, slots=True)
class LongPoll:
    """O2. At most `gap` slower than streaming: RFC 6202 section 2.2's three transits."""

    rate: float
    gap: float
    hold: float
    delay: float = 0.0

    @property
    def cycle(self) -> float:
        """Mean time from one answer to the next."""
        return self.gap + exp(-self.rate * self.gap) * (1 - exp(-self.rate * self.hold)) / self.rate

    @property
    def responses_per_s(self) -> float:
        return 1 / self.cycle

    @property
    def messages_per_response(self) -> float:
        """Of all responses, empty ones too."""
        return self.rate * self.cycle

    @property
    def empty_ratio(self) -> float:
        return exp(-self.rate * (self.gap + self.hold))

    @property
    def mean_wait(self) -> float:
        """What a message waits for the client's next request, on average."""
        return self.gap**2 / (2 * self.cycle)

    def wait_quantile(self, q: float) -> float:
        return max(0.0, self.gap - (1 - q) * self.cycle)

    @property
    def mean_latency(self) -> float:
        return self.mean_wait + self.delay

    @property
    def loss_without_cursor(self) -> float:
        """Share lost by a server that wakes only whoever is waiting: the negative control."""
        return self.rate * self.gap / (1 + self.rate * self.gap)


def long_poll_responses(published: Sequence[float], gap: float, hold: float) -> int:
    """O2 for given instants, ascending: how many responses one client gets from the first message to the last.

    What is published within `gap` of an answer waits for the next request and comes in one batch.
    """
    responses, answered, at = 0, -inf, 0
    while at < len(published):
        asked = answered + gap
        if published[at] > asked and not isinf(asked):
            responses += int((published[at] - asked) // hold)
        answered = max(published[at], asked)
        at = bisect_right(published, answered)
        responses += 1
    return responses


def one_message_wait(rate: float, gap: float) -> float:
    """O3. Mean wait of a long poll that returns one message a response (M/D/1); inf where it cannot keep up."""
    load = rate * gap
    return rate * gap**2 / (2 * (1 - load)) if load < 1 else inf


def fan_out_wait(clients: int, writes_per_s: float) -> float:
    """O4. Mean wait for a broadcast that one loop writes client after client; the last waits twice as long."""
    return clients / (2 * writes_per_s)


def rotation_wait(lifetime: float, reconnect: float) -> float:
    """O4. Mean extra wait when a stream is closed every `lifetime` and takes `reconnect` to be back, with resume."""
    return reconnect**2 / (2 * (lifetime + reconnect))


def frozen_quantile(q: float, window: float, frozen: float, usual: float) -> float:
    """O9. Quantile of the latency of messages due evenly in `window`, when the server stood still for `frozen` of it.

    A share frozen/window waits for the end of the freeze, uniformly between 0 and `frozen`, so a share
    (frozen - x)/window waits longer than x. `usual` is what a message takes anyway; where q lies below the share that
    had to wait, it is all there is.
    """
    return usual + max(0.0, frozen - (1 - q) * window)


def mean_tolerance(interval: float, deliveries: int) -> float:
    """How far the mean of that many short-poll latencies may lie from O1: three standard errors, or 1 % of a period."""
    return max(3 * interval / sqrt(12 * deliveries), 0.01 * interval) if deliveries else inf


def ratio_tolerance(ratio: float, responses: int) -> float:
    """How far a measured ratio may lie from theory: three binomial standard errors, plus the weight of one response."""
    return 3 * sqrt(ratio * (1 - ratio) / responses) + 1 / responses if responses else inf


def push_ceiling_bytes_per_s(window_bytes: int, round_trip: float) -> float:
    """O5. What flow control lets through; latency is that of streaming while the carrier stream is open."""
    return window_bytes / round_trip


def poll_bytes_per_s(
    request: float, filled_head: float, empty_answer: float, body: float, rate: float, cycle: float, empty_ratio: float
) -> float:
    """O6. HTTP bytes per client and second of short (cycle = interval) and long polling (cycle = LongPoll.cycle)."""
    return (request + filled_head * (1 - empty_ratio) + empty_answer * empty_ratio) / cycle + rate * body


def stream_bytes_per_s(body: float, framing: float, rate: float, heartbeat: float = 0.0, every: float = 1.0) -> float:
    """O6. Bytes per client and second of a stream, its one pair of heads left out."""
    return rate * (body + framing) + heartbeat / every
