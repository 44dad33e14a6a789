"""Chunked streaming: JSON lines on a response that never ends."""

from loadtests.users.streaming import StreamUser
from servers.targets.client import Request


class ChunkedUser(StreamUser):
    """Reads one JSON line a message."""

    label = "Chunked streaming"

    def subscribe(self) -> Request:
        return Request("GET", f"/api/stream?last_id={self.cursor}")
