"""PURE. A small event simulation of the delivery patterns, written without the closed forms it is there to check.

One client, Poisson messages, an ideal network of fixed one-way delay, a server that takes no time. It steps from
event to event and keeps what each message and each response experienced.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random


@dataclass(slots=True)
class Observed:
    """latencies_s: due to received, one a message. responses, empty: counts. lost: messages nobody was given."""

    latencies_s: list[float] = field(default_factory=list)
    responses: int = 0
    empty: int = 0
    lost: int = 0
    duration_s: float = 0.0

    @property
    def empty_ratio(self) -> float:
        return self.empty / self.responses

    @property
    def mean_latency_s(self) -> float:
        return sum(self.latencies_s) / len(self.latencies_s)

    @property
    def responses_per_s(self) -> float:
        return self.responses / self.duration_s

    @property
    def messages_per_response(self) -> float:
        return len(self.latencies_s) / self.responses

    def share_within(self, latency_s: float) -> float:
        return sum(each <= latency_s for each in self.latencies_s) / len(self.latencies_s)

    def quantile_s(self, q: float) -> float:
        ascending = sorted(self.latencies_s)
        return ascending[min(int(q * len(ascending)), len(ascending) - 1)]


def poisson_instants_s(rate_per_s: float, count: int, seed: int) -> list[float]:
    random, at_s, instants = Random(seed), 0.0, []
    for _ in range(count):
        at_s += random.expovariate(rate_per_s)
        instants.append(at_s)
    return instants


def short_poll(messages_s: list[float], interval_s: Callable[[], float], delay_s: float) -> Observed:
    """The server is read again `interval_s()` after each read; every read takes all that is pending."""
    seen, read_s, result = 0, 0.0, Observed()
    while read_s < messages_s[-1]:
        read_s += interval_s()
        pending = bisect_right(messages_s, read_s) - seen
        result.latencies_s += [read_s + delay_s - due_s for due_s in messages_s[seen : seen + pending]]
        result.responses += 1
        result.empty += pending == 0
        seen += pending
    result.duration_s = read_s
    return result


def short_poll_pausing(messages_s: list[float], pause_s: float, delay_s: float, work_s: float) -> Observed:
    """A client that sleeps `pause_s` behind each answer; the server works `work_s` before it looks."""
    seen, sent_s, result = 0, 0.0, Observed()
    while sent_s < messages_s[-1]:
        looked_s = sent_s + delay_s + work_s
        answered_s = looked_s + delay_s
        pending = bisect_right(messages_s, looked_s) - seen
        result.latencies_s += [answered_s - due_s for due_s in messages_s[seen : seen + pending]]
        result.responses += 1
        result.empty += pending == 0
        seen += pending
        sent_s = answered_s + pause_s
    result.duration_s = sent_s
    return result


def broadcast(messages_s: list[float], clients: int, write_s: float, delay_s: float) -> list[list[float]]:
    """One loop writes each message to one client after the other; return the latencies of each, first in line first."""
    free_s, latencies_s = 0.0, [list[float]() for _ in range(clients)]
    for due_s in messages_s:
        free_s = max(free_s, due_s)
        for client in range(clients):
            free_s += write_s
            latencies_s[client].append(free_s + delay_s - due_s)
    return latencies_s


def long_poll(
    messages_s: list[float],
    gap_s: float,
    hold_s: float,
    *,
    delay_s: float = 0.0,
    batching: bool = True,
    cursor: bool = True,
) -> Observed:
    """A request is in the server's hands `gap_s` after the answer to the one before left it."""
    seen, arrived_s, result = 0, 0.0, Observed()
    while seen < len(messages_s):
        pending = bisect_right(messages_s, arrived_s) - seen
        if not cursor:
            result.lost += pending
            seen += pending
            pending = 0
            if seen == len(messages_s):
                break
        if pending:
            answered_s = arrived_s
            taken = pending if batching else 1
        elif messages_s[seen] <= arrived_s + hold_s:
            answered_s, taken = messages_s[seen], 1
        else:
            answered_s, taken = arrived_s + hold_s, 0
        result.latencies_s += [answered_s + delay_s - due_s for due_s in messages_s[seen : seen + taken]]
        result.responses += 1
        result.empty += taken == 0
        seen += taken
        arrived_s = answered_s + gap_s
    result.duration_s = arrived_s
    return result


def frozen_latencies(rate_per_s: float, window_s: float, at_s: float, frozen_s: float, usual_s: float) -> list[float]:
    """Latencies of messages due evenly in a window, of which those due in the freeze come when it is over."""
    dues_s = [(n + 0.5) / rate_per_s for n in range(round(rate_per_s * window_s))]
    sent_s = [at_s + frozen_s if at_s <= due_s < at_s + frozen_s else due_s for due_s in dues_s]
    return [sent - due + usual_s for sent, due in zip(sent_s, dues_s, strict=True)]
