"""PURE. O6: how many bytes a message is on the wire, and what a delivery costs with all that is sent around it.

Bytes are HTTP's, as the rows have them, unless a name says TCP. Written from the formats, as each pattern's framing
(reports/theory/patterns) is, and not from the servers' code, which the tests hold against it.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

BODY: Final = '{"id":,"due_ns":,"published_ns":,"timestamp":"2026-11-24T08:00:00.000000Z","content":""}'
"""A message as JSON, its numbers and its content left out."""


def body_bytes(ids: Counts, due_ns: Counts, published_ns: Counts, content_bytes: int) -> Counts:
    """Return the length of each message's body."""
    return len(BODY) + content_bytes + digits(ids) + digits(due_ns) + digits(published_ns)


def digits(numbers: Counts) -> Counts:
    """Return how many decimal digits each whole number of 0 or more has."""
    return np.searchsorted(10 ** np.arange(1, 19), numbers, side="right") + 1


def listed(_ids: Counts, bodies: Counts, _wakes: Counts) -> Any:
    """Return the bytes of messages in the list of a poll's answer."""
    return bodies + len(",")


def in_chunks(pieces: Counts, wakes: Counts) -> Any:
    """Return the bytes of messages in chunks: each has its length in hexadecimal and two CRLF (RFC 9112 section 7.1).

    wakes: number of the wake-up that each message was written in, ascending; a chunk holds all of one wake-up, and its
    head is shared out.
    """
    _, which, members = np.unique(wakes, return_inverse=True, return_counts=True)
    lengths = np.bincount(which, weights=pieces).astype(np.int64)
    heads = np.searchsorted(16 ** np.arange(1, 15), lengths, side="right") + 1 + len("\r\n\r\n")
    return pieces + (heads / members)[which]


def poll_bytes_per_s(
    heads: float, empty_heads: float, message: float, rate: float, responses_per_s: float, empty_ratio: float
) -> float:
    """Bytes per client and second of short and long polling: heads of request and answer, by whether it was empty."""
    return responses_per_s * (heads * (1 - empty_ratio) + empty_heads * empty_ratio) + rate * message


def stream_bytes_per_s(message: float, rate: float, heads: float = 0.0, lifetime: float = 1.0) -> float:
    """Bytes per client and second of a stream. heads: of its request and response, with all that is not a message,
    once in a lifetime (s).
    """
    return rate * message + heads / lifetime
