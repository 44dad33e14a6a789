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
