"""Server-sent events: what EventSource does, resumed with Last-Event-ID."""

from loadtests.http1 import ACCEPT_GZIP, get
from loadtests.session import session
from loadtests.stream_decoders import SseDecoder
from loadtests.streaming import StreamUser


class SseUser(StreamUser):
    """Reads one event a message."""

    label = "Server-Sent Events"

    def decoder(self) -> SseDecoder:
        encoding = ACCEPT_GZIP if session.options.compress else ""
        headers = f"Accept: text/event-stream\r\nLast-Event-ID: {self.cursor}\r\n{encoding}"
        return SseDecoder(get(self.netloc, "/api/events", headers))
