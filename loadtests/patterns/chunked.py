"""PURE. Chunked streaming: JSON lines on a response that never ends."""

from loadtests.protocols.asking import Ask
from loadtests.protocols.http1 import get
from loadtests.protocols.stream_decoders import LinesDecoder


def follow(ask: Ask) -> LinesDecoder:
    return LinesDecoder(get(ask.netloc, ask.target, ask.encoding), gzip=ask.gzip, limit_bytes=ask.limit_bytes)
