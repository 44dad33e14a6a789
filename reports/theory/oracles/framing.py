"""PURE. O6: how many bytes a message is on the wire, and what a delivery costs with all that is sent around it.

Bytes are HTTP's, as the rows have them, unless a name says TCP. Written from the formats (RFC 9112, 9113, 7541, 6455
and WHATWG HTML 9.2), not from the servers' code, which the tests hold against it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.theory.oracles.gaps import Floats

Counts = NDArray[np.int64]

BODY: Final = '{"id":,"due_ns":,"published_ns":,"timestamp":"2026-11-24T08:00:00.000000Z","content":""}'
"""A message as JSON, its numbers and its content left out."""
FRAME_HEAD: Final = 9
FIRST_PUSH_BYTES: Final = 12
"""More on a connection's first push, whose authority is spelled out: HPACK's table does not have it yet."""
HUFFMAN_BITS: Final = dict.fromkeys("012aeis", 5) | dict.fromkeys("3456789/gmp", 6)
"""RFC 7541 appendix B, as far as paths of messages and lengths need it."""


def body_bytes(ids: Counts, due_ns: Counts, published_ns: Counts, content_bytes: int) -> Counts:
    """Return the length of each message's body."""
    return len(BODY) + content_bytes + digits(ids) + digits(due_ns) + digits(published_ns)


def digits(numbers: Counts) -> Counts:
    """Return how many decimal digits each whole number of 0 or more has."""
    return np.searchsorted(10 ** np.arange(1, 19), numbers, side="right") + 1


def framed_bytes(pattern: str, ids: Counts, bodies: Counts, wakes: Counts) -> Floats:
    """Return the bytes of each message with its own framing, as the `bytes` of a delivery. Raises KeyError.

    wakes: number of the wake-up that each message was written in, ascending; a chunk holds all of one wake-up, and its
    head is shared out.
    """
    return np.asarray(FRAMED[pattern](ids, bodies, wakes), np.float64)


def _comma(_ids: Counts, bodies: Counts, _wakes: Counts) -> Any:
    """In the list of a poll's answer."""
    return bodies + len(",")


def _lines(_ids: Counts, bodies: Counts, wakes: Counts) -> Any:
    return _in_chunks(bodies + len("\n"), wakes)


def _events(ids: Counts, bodies: Counts, wakes: Counts) -> Any:
    return _in_chunks(bodies + len("id: \ndata: \n\n") + digits(ids), wakes)


def _in_chunks(pieces: Counts, wakes: Counts) -> Any:
    """Add the chunk's length in hexadecimal and two CRLF (RFC 9112 section 7.1)."""
    _, which, members = np.unique(wakes, return_inverse=True, return_counts=True)
    lengths = np.bincount(which, weights=pieces).astype(np.int64)
    heads = np.searchsorted(16 ** np.arange(1, 15), lengths, side="right") + 1 + len("\r\n\r\n")
    return pieces + (heads / members)[which]


def _frames(_ids: Counts, bodies: Counts, _wakes: Counts) -> Any:
    """RFC 6455 section 5.2: two bytes, and two or eight more for a length that does not fit."""
    return bodies + np.where(bodies < 126, 2, np.where(bodies < 65_536, 4, 10))


def _pushes(ids: Counts, bodies: Counts, _wakes: Counts) -> Any:
    """PUSH_PROMISE, HEADERS and DATA. HPACK's tables make one byte each of method, scheme, authority, status and
    content-type; path (one byte and a string) and content-length (two and a string) are literals.
    """
    fixed = 3 * FRAME_HEAD + 4 + 3 + 1 + 2 + 2
    paths = np.array([huffman_bytes(f"/api/messages/{each}") for each in ids])
    lengths = np.array([huffman_bytes(str(each)) for each in bodies])
    first = np.where(ids == ids.min(), FIRST_PUSH_BYTES, 0)
    return bodies + fixed + (1 + paths) + (1 + lengths) + first


def huffman_bytes(text: str) -> int:
    return -(-sum(HUFFMAN_BITS[character] for character in text) // 8)


FRAMED: Final[Mapping[str, Callable[[Counts, Counts, Counts], Any]]] = {
    "short_polling": _comma,
    "long_polling": _comma,
    "chunked": _lines,
    "sse": _events,
    "websocket": _frames,
    "http2_push": _pushes,
}


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
