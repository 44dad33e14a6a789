"""PURE. Nudges: server-sent events, the cursor in the query."""

from loadtests.protocols.asking import Ask
from loadtests.protocols.http1 import get
from loadtests.protocols.stream_decoders import SseDecoder


def follow(ask: Ask) -> SseDecoder:
    return SseDecoder(get(ask.netloc, ask.target), limit_bytes=ask.limit_bytes)
