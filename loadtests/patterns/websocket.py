"""WebSocket: one text frame a message, the cursor in the query."""

from loadtests.users.streaming import StreamUser
from servers.targets.client import Request


class WebsocketUser(StreamUser):
    """Reads one frame a message."""

    label = "WebSocket"

    def subscribe(self) -> Request:
        return Request("GET", f"/api/socket?last_id={self.cursor}")
