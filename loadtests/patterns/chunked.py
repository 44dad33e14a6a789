"""Chunked streaming: JSON lines on a response that never ends."""

from loadtests.http1 import ACCEPT_GZIP, get
from loadtests.session import session
from loadtests.stream_decoders import LinesDecoder
from loadtests.streaming import StreamUser


class ChunkedUser(StreamUser):
    """Reads one JSON line a message."""

    label = "Chunked streaming"

    def decoder(self) -> LinesDecoder:
        return LinesDecoder(
            get(self.netloc, f"/api/stream?last_id={self.cursor}", ACCEPT_GZIP if session.options.compress else "")
        )
