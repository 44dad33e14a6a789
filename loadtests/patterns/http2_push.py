"""HTTP/2 server push: every update a pushed response, on one connection with one open request."""

from typing import ClassVar

from loadtests.push_decoder import PushDecoder
from loadtests.streaming import StreamUser


class Http2PushUser(StreamUser):
    """Accepts pushes. A delivery that came in the response itself is recorded as inline, so it cannot pass for a push."""

    label = "HTTP/2 push"
    http2: ClassVar[bool] = True

    def decoder(self) -> PushDecoder:
        return PushDecoder(self.netloc, f"/api/updates?last_id={self.cursor}")
