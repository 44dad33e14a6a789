"""What a client asks as bytes, the decoder of what it is sent, and our messages in that."""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import quote

from loadtests.foreign.spec import ForeignTarget
from loadtests.protocols.events import StreamDecoder
from loadtests.protocols.http1_bodies import LIMIT_BYTES
from loadtests.protocols.stream_decoders import LinesDecoder, SseDecoder
from loadtests.protocols.websocket_decoder import WebSocketDecoder, client_frame, handshake
from servers.targets.adapter import Step
from servers.targets.classes import client_of
from servers.targets.client import Client, Heard, Request
from servers.targets.tracer import Scanner, Trace
from servers.web.websocket_frames import TEXT

PATH_MARKS: Final = "%/:?#[]@!$&'()*+,;=~"
PLAIN: Final = re.compile(r"[\w/?&=.,:;@~+%-]*", re.ASCII)
"""What `quote` would leave as it is, looked at in a third of its time."""
WITH_A_BODY: Final = {"POST", "PUT", "PATCH"}


class ForeignClient:
    """A client of a server that is not ours. scanner: finds the tracers of the run; clients of a process share one.

    how: its table of the adapter. hears: whether it remembers anything of what comes.
    """

    def __init__(self, target: ForeignTarget, pattern: str, number: int, scanner: Scanner) -> None:
        """Raises AdapterError when the adapter does not say how to subscribe by this pattern."""
        self.how = target.adapter.subscription(pattern)
        self._pattern = pattern
        self._base = target.base
        self._scanner = scanner
        self._client = client_of(target.adapter, self.how, target.place, str(number))
        self.hears = bool(self.how.remember) or type(self._client).hear is not Client.hear

    def request(self) -> bytes:
        """Return what asks for messages now. Raises Misunderstood where what was remembered fits nowhere."""
        return self._encoded(self._client.subscribe())

    def step_request(self, step: Step) -> bytes:
        return self._encoded(self._client.step(step))

    def check(self, step: Step, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Take the answer to a step that is a request. Raises Misunderstood when it is not what was expected."""
        self._client.check(step, status, headers, body)

    def decoder(self, random_bytes: Callable[[int], bytes], limit_bytes: int = LIMIT_BYTES) -> StreamDecoder:
        """Return a decoder whose first output asks for messages. What was heard so far is looked at for that."""
        offered = [self.how.subprotocol] if self.how.subprotocol else []
        asked, netloc, path = self._client.subscribe(), self._base.netloc, self._base.path
        return decoder_of(self._pattern, asked, netloc, path, random_bytes, self.how.gzip, limit_bytes, offered)

    def opened(self) -> bytes:
        """Return what is to be sent on a WebSocket that was opened. Raises Misunderstood."""
        return _frames(self._client.opened())

    def answer(self, body: bytes) -> bytes:
        """Return what is to be sent to what came on a WebSocket. Raises Misunderstood."""
        return _frames(self._client.answer(body))

    def hear(self, heard: Heard) -> None:
        """Keep what came, for when it is resumed."""
        self._client.hear(heard)

    def traces(self, body: bytes) -> list[Trace]:
        """Return our messages in what came, each once."""
        return [trace for text in self._client.texts(body) for trace in self._scanner.scan(text)]

    def _encoded(self, request: Request) -> bytes:
        return encoded(request, self._base.netloc, self._base.path)


def encoded(request: Request, netloc: str, base_path: str = "") -> bytes:
    """Return a request as HTTP/1.1 has it. netloc: what Host says; base_path: before the request's own path."""
    length = f"Content-Length: {len(request.body)}\r\n" if request.body or request.method in WITH_A_BODY else ""
    head = f"{request.method} {_target(base_path, request.path)} HTTP/1.1\r\nHost: {netloc}\r\n"
    text = f"{head}{_lines(request.headers)}{length}\r\n"
    try:
        return text.encode("latin-1") + request.body  # as heads are read, so that an ETag goes back as it came
    except UnicodeEncodeError:
        return text.encode() + request.body


def decoder_of(
    pattern: str,
    asked: Request,
    netloc: str,
    base_path: str,
    random_bytes: Callable[[int], bytes],
    gzip: bool = False,
    limit_bytes: int = LIMIT_BYTES,
    subprotocols: list[str] | None = None,
) -> StreamDecoder:
    """Return the decoder of a stream, whose first output is the request for it; see `encoded`."""
    if pattern == "websocket":
        key, offered = base64.b64encode(random_bytes(16)), subprotocols or []
        request = handshake(netloc, _target(base_path, asked.path), key, _lines(asked.headers), offered)
        return WebSocketDecoder(request, key, limit_bytes, offered)
    kind = SseDecoder if pattern == "sse" else LinesDecoder
    return kind(encoded(asked, netloc, base_path), gzip=gzip, limit_bytes=limit_bytes)


def _target(base_path: str, path: str) -> str:
    whole = base_path + path
    return whole if PLAIN.fullmatch(whole) else quote(whole, safe=PATH_MARKS)


def _lines(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def _frames(texts: Iterable[str]) -> bytes:
    return b"".join(client_frame(TEXT, text.encode()) for text in texts)
