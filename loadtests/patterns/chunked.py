"""Chunked streaming: JSON lines on a response that never ends."""

from loadtests.protocols.http1 import ACCEPT_GZIP, get
from loadtests.protocols.stream_decoders import LinesDecoder
from loadtests.users.streaming import StreamUser
from loadtests.users.user_settings import session


class ChunkedUser(StreamUser):
    """Reads one JSON line a message."""

    label = "Chunked streaming"

    def decoder(self) -> LinesDecoder:
        request = get(
            self.netloc, f"/api/stream?last_id={self.cursor}", ACCEPT_GZIP if session.options.compress else ""
        )
        return LinesDecoder(request, gzip=session.options.compress, limit_bytes=session.options.message_limit_bytes)
