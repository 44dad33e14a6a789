"""PURE. WebSocket: one text frame a message, the cursor in the query."""

import base64

from loadtests.protocols.asking import Ask
from loadtests.protocols.websocket_decoder import WebSocketDecoder, handshake


def follow(ask: Ask) -> WebSocketDecoder:
    key = base64.b64encode(ask.random_bytes(16))
    return WebSocketDecoder(handshake(ask.netloc, ask.target, key), key, ask.limit_bytes)
