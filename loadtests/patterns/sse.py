"""Server-sent events: what EventSource does, resumed with Last-Event-ID."""

from loadtests.protocols.http1 import ACCEPT_GZIP, get
from loadtests.protocols.stream_decoders import SseDecoder
from loadtests.users.streaming import StreamUser
from loadtests.users.user_settings import session


class SseUser(StreamUser):
    """Reads one event a message."""

    label = "Server-Sent Events"

    def decoder(self) -> SseDecoder:
        encoding = ACCEPT_GZIP if session.options.compress else ""
        headers = f"Accept: text/event-stream\r\nLast-Event-ID: {self.cursor}\r\n{encoding}"
        request = get(self.netloc, "/api/events", headers)
        return SseDecoder(request, gzip=session.options.compress, limit_bytes=session.options.message_limit_bytes)
