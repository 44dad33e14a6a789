"""PURE. Server-sent events: what EventSource does, resumed with Last-Event-ID."""

from loadtests.protocols.asking import Ask
from loadtests.protocols.http1 import get
from loadtests.protocols.stream_decoders import SseDecoder


def follow(ask: Ask) -> SseDecoder:
    headers = f"Accept: text/event-stream\r\nLast-Event-ID: {ask.cursor}\r\n{ask.encoding}"
    return SseDecoder(get(ask.netloc, ask.path, headers), gzip=ask.gzip, limit_bytes=ask.limit_bytes)
