"""HTTP/2 server push: every update a pushed response, on one connection with one open request."""

from typing import ClassVar

from loadtests.protocols.events import Event, Refused
from loadtests.protocols.push_decoder import PushDecoder
from loadtests.users.connection import Exchange
from loadtests.users.streaming import StreamUser
from loadtests.users.user import CODES
from loadtests.users.user_settings import session


class Http2PushUser(StreamUser):
    """Accepts pushes. A delivery that came in the response itself is recorded as inline, so it cannot pass for a push.

    A push that is refused is recorded as a request of its own with the error "refused".
    """

    label = "HTTP/2 push"
    http2: ClassVar[bool] = True

    def decoder(self) -> PushDecoder:
        target = f"/api/updates?last_id={self.cursor}"
        scheme = "https" if self.way.tls else "http"
        return PushDecoder(self.base.netloc, target, scheme=scheme, limit_bytes=session.options.message_limit_bytes)

    def _take(self, event: Event, received_ns: int, arrived_ns: int) -> None:
        if type(event) is Refused:
            self.requested(received_ns, Exchange(received_ns), 0, CODES["refused"])
        else:
            super()._take(event, received_ns, arrived_ns)
