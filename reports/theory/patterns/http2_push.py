"""PURE. HTTP/2 push: a stream, each message three frames or more (RFC 9113), their fields compressed (RFC 7541)."""

from typing import Any, Final

import numpy as np

from reports.theory.oracles.framing import Counts
from reports.theory.predictions import Heartbeats, stream

FRAME_HEAD: Final = 9
FRAME_HOLDS: Final = 16_384
"""Bytes of a body in one DATA frame, where a client does not ask for more (RFC 9113 section 6.5.2)."""
FIRST_PUSH_BYTES: Final = 12
"""More on a connection's first push, whose authority is spelled out: HPACK's table does not have it yet."""
HUFFMAN_BITS: Final = dict.fromkeys("012aeis", 5) | dict.fromkeys("3456789/gmp", 6)
"""RFC 7541 appendix B, as far as paths of messages and lengths need it."""


def framed(ids: Counts, bodies: Counts, _wakes: Counts) -> Any:
    """PUSH_PROMISE, HEADERS and as much DATA as it takes. HPACK's tables make one byte each of method, scheme,
    authority, status and content-type; path (one byte and a string) and content-length (two and a string) are literals.
    """
    fixed = FRAME_HEAD * (2 - -bodies // FRAME_HOLDS) + 4 + 3 + 1 + 2 + 2
    paths = np.array([huffman_bytes(f"/api/messages/{each}") for each in ids])
    lengths = np.array([huffman_bytes(str(each)) for each in bodies])
    first = np.where(ids == ids.min(), FIRST_PUSH_BYTES, 0)
    return bodies + fixed + (1 + paths) + (1 + lengths) + first


def huffman_bytes(text: str) -> int:
    return -(-sum(HUFFMAN_BITS[character] for character in text) // 8)


PING_BYTES: Final = FRAME_HEAD + 8

THEORY: Final = stream(framed, Heartbeats(2 * PING_BYTES, asked=True, every_s=20.0))
