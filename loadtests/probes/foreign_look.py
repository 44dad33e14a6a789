"""One client of a foreign server, looked at step by step: what it asked, what came, and where in that our message was.

The requests, decoders and rules are those of the users; only the socket is a plain one that waits.
"""

import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from loadtests import patterns
from loadtests.foreign.client import ForeignClient
from loadtests.foreign.spec import ForeignTarget, Way
from loadtests.foreign.tunnel import through_proxy
from loadtests.protocols.asking import Ask
from loadtests.protocols.events import Closed, Event, Head, Message, ProtocolError
from loadtests.protocols.http1 import ResponseReader
from loadtests.protocols.stream_decoders import TextStream
from loadtests.protocols.text_parsers import TextEvent
from loadtests.users.foreign import ForeignStream
from servers.targets.client import Heard
from servers.targets.tls import tls_context
from servers.targets.tracer import Trace
from servers.timing.clock import now_ns

CONNECT_S: Final = 10.0
KEPT_BYTES: Final = 512
FIELDS_SHOWN, FIELD_CHARACTERS = 12, 60
BETWEEN_S: Final = 0.1
"""From an answer without news to the next poll."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One message of ours. body: what it came in; name, id: of a server-sent event."""

    trace: Trace
    received_ns: int
    body: bytes
    name: str = ""
    id: str = ""


class SeenBytes:
    """A connection that waits."""

    def __init__(self, target: ForeignTarget, way: Way) -> None:
        """Raises OSError and ProtocolError."""
        self._socket = socket.create_connection(way.address, timeout=CONNECT_S)
        if way.tunnel:
            through_proxy(self._socket, way.tunnel)
        if way.tls:
            secure = tls_context(target.adapter.tls, shows_who=way.home)
            self._socket = secure.wrap_socket(self._socket, server_hostname=way.tls)

    def send(self, data: bytes) -> None:
        if data:
            self._socket.sendall(data)

    def read(self, until_s: float) -> bytes | None:
        """Return what comes, b"" at the end, None when nothing has come by then. Raises OSError."""
        self._socket.settimeout(max(0.001, until_s - time.monotonic()))
        with suppress(TimeoutError):
            return self._socket.recv(65_536)
        return None

    def close(self) -> None:
        self._socket.close()


class Look:
    """A subscription by one pattern. first: the first bytes that came; asked: the request; status: of its answer."""

    def __init__(self, target: ForeignTarget, pattern: str) -> None:
        self.polled = patterns.held(pattern) is not None
        self._target = target
        self._client = ForeignClient(target, pattern, 1, target.scanner())
        self._stream = ForeignStream(self._client)
        self._ask = Ask(netloc=target.base.netloc, path=target.base.path, random_bytes=os.urandom)
        self._stepped = False
        self._wire: SeenBytes | None = None
        self.first = self.asked = b""
        self.status = 0
        self.headers: dict[str, str] = {}

    @property
    def is_open(self) -> bool:
        return self._wire is not None

    def open(self) -> None:
        """Ask. Raises OSError and ProtocolError."""
        self.close()
        if not (self._client.is_led or (self._stepped and self.polled)):
            self._take_steps()
        self._wire = SeenBytes(self._target, self._client.way)
        if self.polled:
            self._reader = ResponseReader(gzip=self._client.how.gzip)
            self.asked = self._client.request()
        else:
            self._decoder = self._stream.follow(self._ask)
            self.asked = self._decoder.take_output()
        self._wire.send(self.asked)

    def hear(self, within_s: float) -> list[Seen]:
        """Return our messages in what comes next; none when nothing of ours came in time. Raises as `open` does."""
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            if self._wire is None:
                self.open()
            assert self._wire is not None
            data = self._wire.read(until_s)
            if data is None:
                break
            received_ns = now_ns()
            self.first += data[: KEPT_BYTES - len(self.first)]
            found = self._polled(data, received_ns) if self.polled else self._streamed(data, received_ns)
            if found:
                return found
            if not data:
                self.close()
                break
            if self.polled:
                time.sleep(BETWEEN_S)
        return []

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    @property
    def body(self) -> bytes:
        """The first bytes behind the head of an answer."""
        return self.first.partition(b"\r\n\r\n")[2]

    def _go_on(self) -> None:
        """Ask where the last answer leads."""
        self.first = b""
        self.open()

    def _take_steps(self) -> None:
        for step in self._client.how.connect:
            if step.request:
                wire, reader = SeenBytes(self._target, self._client.way), ResponseReader()
                wire.send(self._client.step_request(step))
                data = wire.read(time.monotonic() + CONNECT_S)
                while data is not None and not reader.receive(data):
                    data = wire.read(time.monotonic() + CONNECT_S)
                wire.close()
                self._client.check(step, reader.status, reader.headers, reader.body)
        self._stepped = True

    def _polled(self, data: bytes, received_ns: int) -> list[Seen]:
        if not self._reader.receive(data):
            return []
        reader = self._reader
        self.status, self.headers = reader.status, reader.headers
        if self._client.led(reader.status, reader.headers.get("location", "")):
            self._go_on()
            return []
        self._client.hear(Heard(reader.body, reader.headers))
        found = [Seen(trace, received_ns, reader.body) for trace in self._client.traces(reader.body)]
        self.close()
        return found

    def _streamed(self, data: bytes, received_ns: int) -> list[Seen]:
        decoder, found = self._decoder, list[Seen]()
        for event in decoder.receive(data):
            if self._decoder is not decoder:
                break  # it led elsewhere
            found += self._taken(event, received_ns)
        return found

    def _taken(self, event: Event, received_ns: int) -> Iterator[Seen]:
        wire = self._wire
        if wire is None:
            return
        if isinstance(event, Head):
            self.status = event.status
            if isinstance(self._decoder, TextStream):
                self.headers = self._decoder.head.headers
            if event.status == 101:
                wire.send(self._stream.opened())
            elif self._client.led(event.status, event.location):
                self._go_on()
                return
        elif isinstance(event, Message):
            traces, answer = self._stream.take(event.body)
            wire.send(answer)
            name, number = self._told_beside(event.body)
            yield from (Seen(trace, received_ns, event.body, name, number) for trace in traces)
        elif isinstance(event, Closed) and event.error:
            raise ProtocolError(event.reason or event.error)
        wire.send(self._decoder.take_output())

    def _told_beside(self, body: bytes) -> tuple[str, str]:
        found: Sequence[TextEvent] = self._decoder.found if isinstance(self._decoder, TextStream) else ()
        each = next((text for text in found if text.data is body), None)
        return (each.name.decode(errors="replace"), each.id.decode(errors="replace")) if each else ("", "")


def fields_of(tracer: str, seen: Seen, *, is_event: bool) -> Iterator[tuple[str, str]]:
    """Yield what a message is made of: an event's name and id, and the values of JSON by pointer, one has the token."""
    if is_event:
        yield "event", seen.name or "message"
        yield "id", seen.id or "none, so nothing to resume from"
    with suppress(ValueError, RecursionError):
        leaves = islice(_leaves(json.loads(seen.body)), FIELDS_SHOWN)
        yield from ((pointer or "/", _short(value, tracer)) for pointer, value in leaves)


def _leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield pointer, value
        return
    for key, each in items:
        yield from _leaves(each, f"{pointer}/{_escaped(key)}")


def _short(value: Any, tracer: str) -> str:
    text = json.dumps(value, ensure_ascii=False).replace(tracer, "TOKEN")
    return (
        text
        if len(text) <= FIELD_CHARACTERS
        else f"{text[:FIELD_CHARACTERS]}... {'with the TOKEN' * ('TOKEN' in text)}"
    )


def _escaped(key: object) -> str:
    """Write a step of a JSON pointer (RFC 6901 section 3)."""
    return str(key).replace("~", "~0").replace("/", "~1")


def place_of(tracer: str, body: bytes) -> str:
    """Say where a tracer is: by JSON pointer, through JSON in JSON, else by its first and last byte."""
    with suppress(ValueError, RecursionError):
        pointer = _pointer(tracer, json.loads(body))
        if pointer is not None:
            return f"at {pointer or 'the top'} of the JSON"
    at = body.find(tracer.encode())
    return f"in bytes {at} to {at + len(tracer) - 1} of {len(body)}" if at >= 0 else "hidden, and found by `find`"


def _pointer(tracer: str, value: Any) -> str | None:
    if isinstance(value, str) and tracer in value:
        with suppress(ValueError, RecursionError):
            inside = _pointer(tracer, json.loads(value))
            return "" if inside is None else f" -> {inside}"
        return ""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        found = _pointer(tracer, each)
        if found is not None:
            return f"/{_escaped(key)}{found}"
    return None
