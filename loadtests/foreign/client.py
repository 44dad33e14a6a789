"""What a client asks as bytes, the decoder of what it is sent, and our messages in that."""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from loadtests.foreign.spec import ForeignTarget, Way
from loadtests.protocols.events import StreamDecoder
from loadtests.protocols.http1_bodies import LIMIT_BYTES
from loadtests.protocols.stream_decoders import LinesDecoder, SseDecoder
from loadtests.protocols.websocket_decoder import WebSocketDecoder, client_frame, handshake
from servers.targets.adapter import Step
from servers.targets.classes import client_of
from servers.targets.client import Client, Heard, Request
from servers.targets.redirects import is_redirect, redirected
from servers.targets.tracer import Scanner, Trace
from servers.targets.url import server_and_path
from servers.targets.variables import Misunderstood
from servers.web.urls import BaseUrl
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
        self._target = target
        self._pattern = pattern
        self._scanner = scanner
        self._hops = 0
        self._led: Request | None = None
        self._asked = Request("GET", target.url)
        self._client = client_of(target.adapter, self.how, target.place, str(number))
        self.hears = bool(self.how.remember) or type(self._client).hear is not Client.hear

    @property
    def way(self) -> Way:
        """How the server is reached that is asked next. Raises Misunderstood."""
        return self._target.way(self._server, self._pattern)

    @property
    def is_led(self) -> bool:
        """Whether what is asked next follows a redirect."""
        return self._led is not None

    def led(self, status: int, location: str) -> bool:
        """Take note of where an answer leads; return whether it is followed. Raises Misunderstood."""
        if not is_redirect(status, location) or self._hops >= self._target.adapter.redirects:
            return False
        self._hops += 1
        self._led = redirected(self._asked, self._asked.path, status, location)
        return True

    def request(self) -> bytes:
        """Return what asks for messages now. Raises Misunderstood where what was remembered fits nowhere."""
        by_proxy = self.way.by_proxy
        return encoded(*self._next(), by_proxy=by_proxy)

    def step_request(self, step: Step) -> bytes:
        base = self._target.base
        return encoded(self._client.step(step), base, by_proxy=self.way.by_proxy)

    def check(self, step: Step, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Take the answer to a step that is a request. Raises Misunderstood when it is not what was expected."""
        self._client.check(step, status, headers, body)

    def decoder(self, random_bytes: Callable[[int], bytes], limit_bytes: int = LIMIT_BYTES) -> StreamDecoder:
        """Return a decoder whose first output asks for messages. What was heard so far is looked at for that."""
        offered, by_proxy = [self.how.subprotocol] if self.how.subprotocol else [], self.way.by_proxy
        asked, base = self._next()
        gzip = self.how.gzip
        return decoder_of(self._pattern, asked, base, random_bytes, gzip, limit_bytes, offered, by_proxy=by_proxy)

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

    @property
    def _server(self) -> BaseUrl:
        return self._target.base if self._led is None else _whole(self._led.path)[0]

    def _next(self) -> tuple[Request, BaseUrl]:
        """Return what is asked next, and below which URL: what a redirect made of the last request, or a new one."""
        if self._led is None:
            self._hops = 0
            asked, base = self._client.subscribe(), self._target.base
        else:
            base, path = _whole(self._led.path)
            asked, self._led = self._led._replace(path=path), None
        self._asked = asked._replace(path=f"{replace(base, path='')}{_target(base.path, asked.path)}")
        return asked, base


def encoded(request: Request, base: BaseUrl, *, by_proxy: bool = False) -> bytes:
    """Return a request as HTTP/1.1 has it. base: below which its path is; by_proxy: a proxy is to read it."""
    length = f"Content-Length: {len(request.body)}\r\n" if request.body or request.method in WITH_A_BODY else ""
    target = f"{f'http://{base.netloc}' * by_proxy}{_target(base.path, request.path)}"
    head = f"{request.method} {target} HTTP/1.1\r\nHost: {base.netloc}\r\n"
    text = f"{head}{_lines(request.headers)}{length}\r\n"
    try:
        return text.encode("latin-1") + request.body  # as heads are read, so that an ETag goes back as it came
    except UnicodeEncodeError:
        return text.encode() + request.body


def decoder_of(
    pattern: str,
    asked: Request,
    base: BaseUrl,
    random_bytes: Callable[[int], bytes],
    gzip: bool = False,
    limit_bytes: int = LIMIT_BYTES,
    subprotocols: list[str] | None = None,
    *,
    by_proxy: bool = False,
) -> StreamDecoder:
    """Return the decoder of a stream, whose first output is the request for it; see `encoded`."""
    if pattern == "websocket":
        key, offered = base64.b64encode(random_bytes(16)), subprotocols or []
        request = handshake(base.netloc, _target(base.path, asked.path), key, _lines(asked.headers), offered)
        return WebSocketDecoder(request, key, limit_bytes, offered)
    kind = SseDecoder if pattern == "sse" else LinesDecoder
    return kind(encoded(asked, base, by_proxy=by_proxy), gzip=gzip, limit_bytes=limit_bytes)


def _whole(url: str) -> tuple[BaseUrl, str]:
    try:
        return server_and_path(url)
    except ValueError as wrong:
        raise Misunderstood(f"it redirects to what is no URL of a server: {wrong}") from None


def _target(base_path: str, path: str) -> str:
    whole = base_path + path
    return whole if PLAIN.fullmatch(whole) else quote(whole, safe=PATH_MARKS)


def _lines(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def _frames(texts: Iterable[str]) -> bytes:
    return b"".join(client_frame(TEXT, text.encode()) for text in texts)
