"""PURE. O6: how many bytes a message is on the wire, and what a delivery costs with all that is sent around it.

Bytes are HTTP's, as the rows have them, unless a name says TCP. Written from the formats, as each pattern's framing
(reports/theory/patterns) is, and not from the servers' code, which the tests hold against it.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

BODY: Final = '{"id":,"due_ns":,"published_ns":,"timestamp":"2026-11-24T08:00:00.000000Z","content":""}'
"""A message as JSON, its numbers and its content left out."""
RECORD_BYTES: Final = 22
"""What a record of TLS 1.3 adds (RFC 8446 section 5.2): a header of 5, a content type, and a tag of 16."""
RECORD_HOLDS: Final = 16_384
"""Bytes that a record may carry (RFC 8446 section 5.1)."""


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
    """Return the bytes of messages, written in one chunk a wake-up."""
    return _shared(pieces, wakes, _chunk_head)


def _chunk_head(lengths: Counts) -> Counts:
    """A length in hexadecimal and two CRLF (RFC 9112 section 7.1)."""
    return np.searchsorted(16 ** np.arange(1, 15), lengths, side="right") + 1 + len("\r\n\r\n")


def in_records(pieces: Counts, wakes: Counts) -> Any:
    """Return the bytes of messages under TLS, of which each wake-up's are written at once."""
    return _shared(pieces, wakes, lambda lengths: RECORD_BYTES * records(lengths))


def records(written: Counts) -> Counts:
    """Return how many TLS records each write becomes; no record holds of two."""
    return -(-written // RECORD_HOLDS)


def _shared(pieces: Counts, wakes: Counts, around: Callable[[Counts], Counts]) -> Any:
    """Add to each message its share of what is around those of its wake-up, given how long they are together.

    wakes: number of the wake-up that each message was written in, ascending.
    """
    _, which, members = np.unique(wakes, return_inverse=True, return_counts=True)
    lengths = np.rint(np.bincount(which, weights=pieces)).astype(np.int64)
    return pieces + (around(lengths) / members)[which]


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
