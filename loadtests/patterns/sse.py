"""Server-sent events: what EventSource does, resumed with Last-Event-ID."""

from loadtests.users.streaming import StreamUser
from servers.targets.client import Request


class SseUser(StreamUser):
    """Reads one event a message."""

    label = "Server-Sent Events"

    def subscribe(self) -> Request:
        return Request("GET", "/api/events", {"Accept": "text/event-stream", "Last-Event-ID": str(self.cursor)})
