"""What a client asks as bytes, the decoder of what it is sent, and our messages in that."""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from loadtests.foreign.spec import ForeignTarget, Way
from loadtests.foreign.traced_lines import TracedLinesDecoder
from loadtests.protocols.asking import Ask
from loadtests.protocols.events import StreamDecoder
from loadtests.protocols.stream_decoders import SseDecoder
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

    how: its table of the adapter. hears: whether it remembers anything of what comes; hears_headers: also of headers.
    """

    def __init__(self, target: ForeignTarget, pattern: str, number: int, scanner: Scanner) -> None:
        """Raises AdapterError when the adapter does not say how to subscribe by this pattern."""
        self.how = target.adapter.subscription(pattern)
        self._target = target
        self._pattern = pattern
        self._scanner = scanner
        self._hops = 0
        self._led: Request | None = None
        self._asked, self._below = Request("GET", ""), target.base
        self._home = target.way(target.base, pattern)
        self._client = client_of(target.adapter, self.how, target.place, str(number))
        kind = type(self._client)
        self.hears = bool(self.how.remember) or kind.hear is not Client.hear
        by_header = any(rule.strip().startswith("header") for rule in self.how.remember.values())
        self.hears_headers = by_header or kind.hear is not Client.hear
        self.talks = bool(self.how.connect or self.how.reply) or kind.answer is not Client.answer
        self._is_plain = not self.how.find and kind.texts is Client.texts

    @property
    def way(self) -> Way:
        """How the server is reached that is asked next. Raises Misunderstood."""
        return self._home if self._led is None else self._target.way(_whole(self._led.path)[0], self._pattern)

    @property
    def is_led(self) -> bool:
        """Whether what is asked next follows a redirect."""
        return self._led is not None

    def led(self, status: int, location: str) -> bool:
        """Take note of where an answer leads; return whether it is followed. Raises Misunderstood."""
        if not is_redirect(status, location) or self._hops >= self._target.adapter.redirects:
            return False
        self._hops += 1
        below, asked = self._below, self._asked
        self._led = redirected(asked, f"{replace(below, path='')}{_target(below.path, asked.path)}", status, location)
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

    def follow(self, ask: Ask) -> StreamDecoder:
        """Return a decoder as our own patterns do (loadtests/patterns): its first output asks for what comes next.

        Where, and after what, the adapter knows and `ask` does not. What was heard so far is looked at for that.
        """
        by_proxy = self.way.by_proxy
        asked, base = self._next()
        if self._pattern == "websocket":
            key = base64.b64encode(ask.random_bytes(16))
            offered = [self.how.subprotocol] if self.how.subprotocol else []
            request = handshake(base.netloc, _target(base.path, asked.path), key, _lines(asked.headers), offered)
            return WebSocketDecoder(request, key, ask.limit_bytes, offered)
        kind = SseDecoder if self._pattern == "sse" else TracedLinesDecoder
        return kind(encoded(asked, base, by_proxy=by_proxy), gzip=self.how.gzip, limit_bytes=ask.limit_bytes)

    def opened(self) -> bytes:
        """Return what is to be sent on a WebSocket that was opened. Raises Misunderstood."""
        return _frames(self._client.opened())

    def answer(self, body: bytes) -> bytes:
        """Return what is to be sent to what came on a WebSocket. Raises Misunderstood."""
        return _frames(self._client.answer(body))

    def replies(self, body: bytes) -> list[bytes]:
        """Return the requests by which an answer to a poll is to be answered. Raises Misunderstood."""
        by_proxy = self.way.by_proxy
        return [encoded(each, self._target.base, by_proxy=by_proxy) for each in self._client.replies(body)]

    def hear(self, heard: Heard) -> None:
        """Keep what came, for when it is resumed."""
        self._client.hear(heard)

    def traces(self, body: bytes) -> list[Trace]:
        """Return our messages in what came, each once."""
        if self._is_plain:
            return self._scanner.scan(body)
        return [trace for text in self._client.texts(body) for trace in self._scanner.scan(text)]

    def _next(self) -> tuple[Request, BaseUrl]:
        """Return what is asked next, and below which URL: what a redirect made of the last request, or a new one."""
        if self._led is None:
            self._hops = 0
            self._asked, self._below = self._client.subscribe(), self._target.base
        else:
            self._below, path = _whole(self._led.path)
            self._asked, self._led = self._led._replace(path=path), None
        return self._asked, self._below


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


def _whole(url: str) -> tuple[BaseUrl, str]:
    try:
        return server_and_path(url)
    except ValueError as wrong:
        raise Misunderstood(f"it redirects to an address that is no URL of a server: {wrong}") from None


def _target(base_path: str, path: str) -> str:
    whole = base_path + path
    return whole if PLAIN.fullmatch(whole) else quote(whole, safe=PATH_MARKS)


def _lines(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def _frames(texts: Iterable[str]) -> bytes:
    return b"".join(client_frame(TEXT, text.encode()) for text in texts)
