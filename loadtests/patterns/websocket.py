"""WebSocket: one text frame a message, the cursor in the query."""

import base64

from loadtests.protocols.websocket_decoder import WebSocketDecoder, handshake
from loadtests.users.streaming import StreamUser
from loadtests.users.user_settings import session


class WebsocketUser(StreamUser):
    """Reads one frame a message."""

    label = "WebSocket"

    def decoder(self) -> WebSocketDecoder:
        key = base64.b64encode(self.random.randbytes(16))
        request = handshake(self.netloc, f"/api/socket?last_id={self.cursor}", key)
        return WebSocketDecoder(request, key, session.options.message_limit_bytes)
