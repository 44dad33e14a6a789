"""PURE. O6 for one cell: bytes of a delivery, as HTTP and as TCP, and TCP segments.

Messages and their framing follow from the journal and the formats. Heads are taken as they were, since what a server
says of itself differs from one to the next; how often they are sent is theory's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from reports.data.columns import Table
from reports.measures.costs import answered_in, between, delivered_between, looks, processes
from reports.theory.oracles import Floats, poll_bytes_per_s, stream_bytes_per_s
from reports.theory.oracles.framing import RECORD_BYTES, body_bytes, in_records, records
from reports.theory.predictions.conditions import (
    CLOCK_S,
    READ_S,
    SURE,
    Bound,
    Conditions,
    Counts,
    Expected,
    trials,
    woken,
)
from reports.theory.predictions.heartbeats import Heartbeats, beats

EXACT_BYTES: Final = 0.05
"""Messages are known to the byte; a digit of the server's port is not, nor whom the last messages still reached."""
APART_NS: Final = 100_000
"""Between two messages that the journal puts into one wake-up: perhaps the server was interrupted in between, perhaps
it woke twice. The journal cannot tell."""
HEAD_BYTES: Final = 2.0
"""What heads differ by from one answer to the next: digits of lengths and cursors."""
SEGMENTS_OF_A_POLL: Final = 2, 3, 4
"""At least, as a rule, at most: request and answer; an acknowledgement that does not ride on the other; two of them."""
SEGMENTS_OF_A_HANDSHAKE: Final = 3
SEGMENTS_OF_A_PROBE: Final = 2
"""Of a connection on which nothing came for a heartbeat: the server's kernel asks, the client's answers."""
SEGMENTS_OF_A_MESSAGE: Final = 1, 2, 2
"""Data and its acknowledgement, which may be one for several."""
SEGMENTS_OF_A_HEARTBEAT: Final = 1, 2, 4
"""Data and its acknowledgement; where the client answers, twice."""
DELAYED_ACK_S: Final = 0.04
"""How long Linux may wait with an acknowledgement (tcp(7)); what is not acknowledged yet is not counted as sent."""


Framed = Callable[[Counts, Counts, Counts], Any]
"""Ids, lengths of bodies, and the wake-up that each message was written in -> bytes of each with its own framing."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What was recorded of one cell. framed, heartbeats: of its pattern; content_bytes: of a message; None where its
    body is not ours to know. sealed: under TLS, our server's.
    """

    framed: Framed
    heartbeats: Heartbeats
    published: pd.DataFrame
    requests: Table
    deliveries: Table
    samples: pd.DataFrame
    from_ns: int
    until_ns: int
    content_bytes: int | None
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class Looks:
    """Between two looks at the sockets: deliveries, mean bytes of a message, connections that were opened.

    spans: from one look to the other, of each load process, in s from the window's start. Each has an equal share of
    the clients.
    """

    spans: Sequence[tuple[float, float]]
    delivered: float
    message: float
    opened: int


def poll_traffic(at: Conditions, rows: Rows, expected: Expected, *, held: bool) -> dict[str, Bound]:
    """Return the bounds of the columns about bytes. held: a long poll."""
    message, measured = _message_bytes(rows, rows.deliveries), int(at.own.sum())
    answered = rows.requests[answered_in(rows.requests, rows.from_ns, rows.until_ns)]
    heads, empty = (_heads(answered[answered["empty"] == which], message) for which in (0, 1))
    heads, empty = (heads if np.isfinite(heads) else empty), (empty if np.isfinite(empty) else heads)
    rate, ratio = expected.bounds["responses_per_s"], expected.bounds["empty_ratio"]

    def per_delivery(responses_per_s: float, empty_ratio: float) -> float:
        published = measured / at.window
        own = responses_per_s / at.clients
        return poll_bytes_per_s(heads, empty, message, published, own, empty_ratio) / published

    corners = [per_delivery(each, share) for each in (rate.low, rate.high) for share in (ratio.low, ratio.high)]
    # A request that is held is cut by both edges of the window.
    margin = HEAD_BYTES + (heads / measured if held else 0.0)
    theory = per_delivery(rate.theory, ratio.theory)
    found = _payload(at, rows, message)
    found["http_bytes_per_delivery"] = Bound(theory, min(corners) - margin, max(corners) + margin)
    seen = _between(rows)
    if seen is None:
        return found
    each = heads * (1 - ratio.theory) + empty * ratio.theory + _records_bytes(rows, answered)
    under_way = _held_under_way(at, seen) if held else _short_under_way(at)
    middle = float(np.mean([expected.answers(*span) for span in seen.spans])) * at.clients / seen.delivered
    low, high = (middle * edge / rate.theory for edge in (rate.low, rate.high))
    margin = HEAD_BYTES + under_way * at.clients * (each + message) / seen.delivered
    wire = Bound(seen.message + middle * each, seen.message + low * each - margin, seen.message + high * each + margin)
    least, usual, most = SEGMENTS_OF_A_POLL
    edge = under_way * at.clients * most / seen.delivered
    opening = SEGMENTS_OF_A_HANDSHAKE * seen.opened / seen.delivered
    if held:
        probes = float(np.mean([held_probes(at, *span) for span in seen.spans])) * at.clients / seen.delivered
    else:
        probes = high * (at.gaps.mean // at.heartbeat if at.heartbeat else 0)
    highest = most * high + opening + edge + SEGMENTS_OF_A_PROBE * probes
    segments = Bound(usual * middle + opening, least * low + opening - edge, highest)
    return found | {"wire_bytes_per_delivery": wire, "segments_per_delivery": segments}


def stream_traffic(at: Conditions, rows: Rows, _expected: Expected) -> dict[str, Bound]:
    """Return the bounds of the columns about bytes. Heads are sent once, and spread over the life of the stream."""
    message, rate = _message_bytes(rows, rows.deliveries), at.own.sum() / at.window
    life_s = float((rows.requests["ended_ns"] - rows.requests["started_ns"]).mean()) / 1e9
    heads = _heads(rows.requests, message)
    theory = stream_bytes_per_s(message, rate, heads, life_s) / rate
    split = _split_bytes(rows)
    found = _payload(at, rows, message, split)
    margin = EXACT_BYTES + 0.05 * (theory - message) + split
    found |= {"http_bytes_per_delivery": Bound(theory, theory - margin, theory + margin)}
    rows = _on_wire(rows)
    seen = _between(rows)
    if seen is None:
        return found
    split = _split_bytes(rows)
    cut = _line_under_way(at, seen, at.clients * (at.cost + READ_S) + at.tail_slack) * at.clients / seen.delivered
    margin = EXACT_BYTES + cut * seen.message + split
    arrived = at.published + at.delay
    woke = woken(at.due, at.published)
    inside = [(arrived >= from_) & (arrived < until) for from_, until in seen.spans]
    wakes = float(np.mean([len(np.unique(woke[each])) for each in inside])) * at.clients / seen.delivered
    least, usual, most = (segments * wakes for segments in SEGMENTS_OF_A_MESSAGE)
    edge = cut * most + 2 * at.clients / seen.delivered
    beaten = [beats(rows.heartbeats, at, *span) for span in seen.spans]
    few, many = (float(share) for share in np.mean(beaten, axis=0) * at.clients / seen.delivered)
    beat, rest, answered = SEGMENTS_OF_A_HEARTBEAT
    each_bytes, mean = rows.heartbeats.wire_bytes(sealed=rows.sealed), (few + many) / 2
    wire = (mean * each_bytes, few * each_bytes - margin, many * each_bytes + margin)
    return found | {
        "wire_bytes_per_delivery": Bound(*(seen.message + more for more in wire)),
        "segments_per_delivery": Bound(usual + mean * rest, least + few * beat - edge, most + many * answered + edge),
    }


def held_probes(at: Conditions, from_: float, until: float) -> int:
    """How often a long poll's connection may be probed between two instants: in silences, as it is used otherwise."""
    if not 0 < at.heartbeat <= at.hold:
        return 0
    edges = np.concatenate([[at.joined[0]], at.published, [at.end]])
    within = np.minimum(edges[1:], until) - np.maximum(edges[:-1], from_)
    silent = (np.diff(edges) + at.tail_slack >= at.heartbeat) & (within > 0)
    return int((within[silent] // at.heartbeat + 1).sum())


def _payload(at: Conditions, rows: Rows, message: float, split: float = 0.0) -> dict[str, Bound]:
    if rows.content_bytes is None:
        return {}
    exact = EXACT_BYTES + 1 / len(at.due) + split
    return {"payload_bytes_per_delivery": Bound(message, message - exact, message + exact)}


def _split_bytes(rows: Rows) -> float:
    """Bytes of a message that hang on whether wake-ups were one or two."""
    if rows.content_bytes is None:
        return 0.0
    published_ns = rows.published["published_ns"].to_numpy()
    wakes = woken(rows.published["due_ns"].to_numpy(), published_ns)
    most = np.cumsum(np.append(0, (np.diff(wakes) > 0) | (np.diff(published_ns) > APART_NS)))
    return float((_framed_bytes(rows, most) - _framed_bytes(rows, wakes)).mean())


def _framed_bytes(rows: Rows, wakes: Counts) -> Floats:
    """Return the bytes of every published message with its framing, by the formats."""
    assert rows.content_bytes is not None
    ids, due_ns, published_ns = (rows.published[name].to_numpy() for name in ("id", "due_ns", "published_ns"))
    bodies = body_bytes(ids, due_ns, published_ns, rows.content_bytes)
    return np.asarray(rows.framed(ids, bodies, wakes), np.float64)


def _on_wire(rows: Rows) -> Rows:
    """Return rows whose messages are as long as TCP has them: with a share of the TLS record of their wake-up."""
    if not rows.sealed:
        return rows
    return replace(rows, framed=lambda *each: in_records(rows.framed(*each), each[-1]))


def _records_bytes(rows: Rows, answered: Table) -> float:
    """Mean bytes of the TLS records around a request and its answer, each of which is written at once."""
    return RECORD_BYTES * float(1 + records(answered["bytes_in"].to_numpy()).mean()) if rows.sealed else 0.0


def _message_bytes(rows: Rows, deliveries: Table) -> float:
    """Mean bytes of the messages that these deliveries brought, with their own framing: by the formats, or as seen."""
    if rows.content_bytes is None:
        return float(deliveries["bytes"].mean())
    ids = rows.published["id"].to_numpy()
    wakes = woken(rows.published["due_ns"].to_numpy(), rows.published["published_ns"].to_numpy())
    framed = _framed_bytes(rows, wakes)
    return float(framed[np.searchsorted(ids, deliveries["id"].to_numpy()).clip(max=len(ids) - 1)].mean())


def _heads(requests: Table, message: float) -> float:
    """Mean bytes of a request and its answer that are no messages; NaN of none."""
    if not len(requests):
        return np.nan
    return float((requests["bytes_in"] + requests["bytes_out"] - requests["messages"] * message).mean())


def _between(rows: Rows) -> Looks | None:
    """Return what the kernel's counters are divided by; None where there are none.

    And where a TLS handshake may be among them: the bytes of certificates and session tickets are not known.
    """
    found = looks(processes(rows.samples[rows.samples["role"] == "generator"]), rows.from_ns, rows.until_ns)
    if not found:
        return None
    delivered = delivered_between(found, between(rows.deliveries["received_ns"]))
    if not delivered:
        return None
    edges_ns = [(int(first["at_ns"]), int(last["at_ns"])) for first, last in found]
    from_ns, until_ns = min(first for first, _ in edges_ns), max(last for _, last in edges_ns)
    inside = rows.deliveries[rows.deliveries["received_ns"].between(from_ns, until_ns, inclusive="right")]
    spans = [((first - rows.from_ns) / 1e9, (last - rows.from_ns) / 1e9) for first, last in edges_ns]
    opened = int(sum(last["connections"] - first["connections"] for first, last in found))
    if rows.sealed and (opened or _answered_first_ns(rows.requests) > from_ns):
        return None
    return Looks(spans, delivered, _message_bytes(rows, inside), opened)


def _answered_first_ns(requests: Table) -> float:
    """Return by when every user had a first byte of an answer, which comes behind all that is of the handshake."""
    first_ns = requests["first_byte_ns"].astype(float)
    return float(first_ns.mask(first_ns <= 0, np.inf).groupby(requests["user"]).min().max())


def _line_under_way(at: Conditions, seen: Looks, lasts: float) -> float:
    """How many messages may have been counted by the kernel and not yet by us, or the reverse, at either look."""
    first = at.published + at.delay - CLOCK_S
    found = [((first <= look) & (look <= first + CLOCK_S + lasts)).sum() for span in seen.spans for look in span]
    return float(sum(found)) / len(seen.spans)


def _held_under_way(at: Conditions, seen: Looks) -> float:
    """The same for long polls, whose users ask again at once, all together."""
    line = at.clients * at.cost + at.tail_slack
    return _line_under_way(at, seen, 2 * at.delay + line + max(DELAYED_ACK_S, 2 * at.delay + line))


def _short_under_way(at: Conditions) -> float:
    """The same for short polls, as a share of the users: they are independent, so both looks differ by chance only."""
    share = min(1.0, (2 * at.delay + DELAYED_ACK_S + at.tail_slack) / at.gaps.mean)
    return float(SURE * np.sqrt(2 * share / trials(at)))
