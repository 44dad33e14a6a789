"""PURE. One client of a foreign server: the bytes it asks with, our messages in what it hears, what it remembers."""

import base64
import binascii
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from loadtests.foreign.spec import ForeignTarget
from loadtests.foreign.traced_lines import TracedLinesDecoder
from loadtests.protocols.events import ProtocolError, StreamDecoder
from loadtests.protocols.http1_bodies import LIMIT_BYTES
from loadtests.protocols.stream_decoders import SseDecoder
from loadtests.protocols.text_parsers import TextEvent
from loadtests.protocols.websocket_decoder import WebSocketDecoder, handshake
from servers.outlet.message import Variables
from servers.targets.adapter import Step
from servers.targets.reading import parse_expect, request_line
from servers.targets.rules import parse_finder, parse_rule
from servers.targets.template import read
from servers.targets.tracer import Scanner, Trace

EVENTS_KEPT: Final = 64
"""In which `remember` looks when a stream is resumed, the newest first."""
PATH_MARKS: Final = "%/:?#[]@!$&'()*+,;=~"
WITH_A_BODY: Final = {"POST", "PUT", "PATCH"}
NO_HEADERS: Final[Mapping[str, str]] = {}


class ForeignClient:
    """What one client knows. scanner: finds the tracers of the run; clients of a process share one."""

    def __init__(self, target: ForeignTarget, pattern: str, number: int, scanner: Scanner) -> None:
        """Raises AdapterError when the adapter does not say how to subscribe by this pattern."""
        self.how = target.adapter.subscription(pattern)
        self._pattern = pattern
        self._adapter = target.adapter
        self._base = target.base
        self._variables = target.place.variables(str(number)).with_values(self.how.first)
        self._scanner = scanner
        self._find = parse_finder(self.how.find) if self.how.find else None
        self._heard: deque[bytes | TextEvent] = deque(maxlen=EVENTS_KEPT)
        self._headers = NO_HEADERS

    def request(self) -> bytes:
        """Return what asks for messages now. Raises ProtocolError where what was remembered fits nowhere."""
        gzip = {"Accept-Encoding": "gzip"} if self.how.gzip else {}
        return self._request(self.how.request, {**gzip, **self.how.headers}, self.how.body)

    def step_request(self, step: Step) -> bytes:
        return self._request(step.request, step.headers, step.body)

    def replies(self, body: bytes) -> list[bytes]:
        """Return the requests by which an answer to a poll is to be answered."""
        found = ((reply.send, parse_rule(reply.when)({}, body)) for reply in self.how.reply)
        return [self._request(send, NO_HEADERS, "", {"found": text}) for send, text in found if text is not None]

    def decoder(self, random_bytes: Callable[[int], bytes], limit_bytes: int = LIMIT_BYTES) -> StreamDecoder:
        """Return a decoder whose first output asks for messages. What was heard so far is looked at for that."""
        self._recall()
        if self._pattern == "websocket":
            key = base64.b64encode(random_bytes(16))
            own = self._header_lines(self.how.headers)
            offered = [self.how.subprotocol] if self.how.subprotocol else []
            asked = handshake(self._base.netloc, self._target(self.how.websocket), key, own, offered)
            return WebSocketDecoder(asked, key, limit_bytes, offered)
        kind = SseDecoder if self._pattern == "sse" else TracedLinesDecoder
        return kind(self.request(), gzip=self.how.gzip, limit_bytes=limit_bytes)

    def traces(self, body: bytes) -> list[Trace]:
        """Return our messages in what came, each once."""
        if self._find is None:
            return self._scanner.scan(body)
        return [trace for text in self._find(body) for trace in self._scanner.scan(self._revealed(text))]

    def hear(self, event: bytes | TextEvent, headers: Mapping[str, str] = NO_HEADERS) -> None:
        """Keep an event of a stream, for when it is resumed. headers: of the response that it came in."""
        if self.how.remember:
            self._heard.append(event)
            self._headers = headers

    def learn(self, rules: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> None:
        """Remember of an answer what the rules find in it."""
        found = {name: parse_rule(rule)(headers, body) for name, rule in rules.items()}
        if known := {name: value for name, value in found.items() if value is not None}:
            self._variables = self._variables.with_values(known)

    def fill(self, text: str, more: Mapping[str, str] = NO_HEADERS) -> str:
        """Raises ProtocolError for a variable that has no value yet."""
        return _filled(text, self._variables.with_values(more) if more else self._variables)

    def check(self, step: Step, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Take the answer to a step that is a request. Raises ProtocolError when it is not what was expected."""
        if not parse_expect(step.expect)(status, headers, body):
            raise ProtocolError(f"connect: {step.request.partition(' ')[0]} was answered {status}: {body[:60]!r}")
        self.learn(step.remember, headers, body)

    def _recall(self) -> None:
        for name, rule in self.how.remember.items():
            for event in reversed(self._heard):
                data, text = (event.data, _as_text(event)) if isinstance(event, TextEvent) else (event, event)
                value = parse_rule(rule)(self._headers, data if rule.startswith("json") else text)
                if value is not None:
                    self._variables = self._variables.with_values({name: value})
                    break
        self._heard.clear()

    def _revealed(self, text: bytes) -> bytes:
        if not self.how.base64:
            return text
        try:
            return base64.b64decode(text + b"=" * (-len(text) % 4))
        except binascii.Error as wrong:
            raise ProtocolError(f"{text[:60]!r} is not base64: {wrong}") from None

    def _target(self, path: str, more: Mapping[str, str] = NO_HEADERS) -> str:
        return quote(f"{self._base.path}{self.fill(path, more)}", safe=PATH_MARKS)

    def _request(
        self, request: str, headers: Mapping[str, str], body: str, more: Mapping[str, str] = NO_HEADERS
    ) -> bytes:
        line = request_line(request)
        sent = self.fill(body or line.body.text, more).encode()
        length = f"Content-Length: {len(sent)}\r\n" if sent or line.method in WITH_A_BODY else ""
        head = f"{line.method} {self._target(line.path.text, more)} HTTP/1.1\r\nHost: {self._base.netloc}\r\n"
        return f"{head}{self._header_lines(headers)}{length}\r\n".encode() + sent

    def _header_lines(self, own: Mapping[str, str]) -> str:
        """A header whose variable has no value yet is not sent."""
        lines = ""
        for name, text in {**self._adapter.headers, **own}.items():
            if all(hole in self._variables or _is_always(hole) for hole in read(text).names):
                value = self.fill(text)
                if not value.isprintable():
                    raise ProtocolError(f"{name}: {value[:60]!r}, which was remembered, is more than a line of text")
                lines += f"{name}: {value}\r\n"
        return lines


def _is_always(name: str) -> bool:
    return name == "uuid" or name.startswith("env.")


def _filled(text: str, variables: Variables) -> str:
    try:
        return read(text).fill(variables)
    except KeyError as unknown:
        raise ProtocolError(f"no answer has said yet what {unknown.args[0]} is, and {text[:60]!r} needs it") from None


def _as_text(event: TextEvent) -> bytes:
    """Return a server-sent event as it may have been written; of a line, nothing but the line."""
    if not event.id and not event.name:
        return event.data
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event.id, event.name or b"message", event.data)
