"""WebSocket: one text frame a message, the cursor in the query."""

import base64

from loadtests.http1 import get
from loadtests.stream_decoders import WebSocketDecoder
from loadtests.streaming import StreamUser


class WebsocketUser(StreamUser):
    """Reads one frame a message."""

    label = "WebSocket"

    def decoder(self) -> WebSocketDecoder:
        key = base64.b64encode(self.random.randbytes(16))
        headers = (
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key.decode()}\r\n"
        )
        return WebSocketDecoder(get(self.netloc, f"/api/socket?last_id={self.cursor}", headers), key)
