"""Long polling: the server holds the request until there is something to say; then ask again at once."""

from loadtests.users.polling import PollingUser
from loadtests.users.user_settings import session
from servers.timing.clock import now_ns

GRACE_S = 30.0
"""How much longer than the hold an answer may take: a server may add jitter, and a network its delay."""


class LongPollingUser(PollingUser):
    """Always has one request with the server."""

    label = "Long polling"
    path = "/api/longpoll"
    held = True

    def on_start(self) -> None:
        self.query = (
            f"timeout={session.options.hold_timeout_s:g}&{'limit=1&' if session.options.one_per_response else ''}"
        )
        self.patience_s = session.options.hold_timeout_s + GRACE_S
        super().on_start()

    def live(self) -> None:
        while True:
            self.poll(now_ns())
