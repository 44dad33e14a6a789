"""An adapter in Python: a chat that wants every request signed, and packs the texts of its events."""

import base64
import hashlib
import hmac
import os
import zlib
from collections.abc import Iterable, Mapping

from pollbench import Client, Request


class SignedChat(Client):
    """What TOML says of the chat stands in `tables`; what it cannot say, in methods."""

    tables = r"""
    [publish]
    request = 'POST /messages {"text": "{{message|json}}"}'
    [sse]
    request = "GET /events"
    headers = { Accept = "text/event-stream", Last-Event-ID = "{{last}}" }
    remember = { last = 'regex (?m)^id: ?([^\r\n]+)[\r\n]' }
    """

    def publish(self, message: Mapping[str, str]) -> Request:
        return self.signed(super().publish(message))

    def subscribe(self) -> Request:
        return self.signed(super().subscribe())

    def texts(self, data: bytes) -> Iterable[bytes]:
        yield zlib.decompress(base64.b64decode(data))

    def signed(self, request: Request) -> Request:
        text = f"{request.method} {request.path}\n".encode() + request.body
        signature = hmac.new(os.environ["CHAT_KEY"].encode(), text, hashlib.sha256).hexdigest()
        return request._replace(headers={**request.headers, "X-Signature": signature})
