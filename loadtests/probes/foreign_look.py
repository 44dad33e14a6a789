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
from typing import Any, Final

from loadtests.foreign.client import ForeignClient
from loadtests.foreign.spec import ForeignTarget
from loadtests.protocols.events import Closed, Event, Head, Message, ProtocolError
from loadtests.protocols.http1 import ResponseReader
from loadtests.protocols.stream_decoders import TextStream
from loadtests.protocols.text_parsers import TextEvent
from loadtests.users.foreign import ForeignStream
from servers.targets.tls import tls_context
from servers.targets.tracer import Trace
from servers.timing.clock import now_ns

CONNECT_S: Final = 10.0
KEPT_BYTES: Final = 512
BETWEEN_S: Final = 0.1
"""From an answer without news to the next poll."""
POLLED: Final = {"short_polling", "long_polling"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One message of ours. body: what it came in; name, id: of a server-sent event."""

    trace: Trace
    received_ns: int
    body: bytes
    name: str = ""
    id: str = ""


class Wire:
    """A connection that waits."""

    def __init__(self, target: ForeignTarget) -> None:
        """Raises OSError."""
        plain = socket.create_connection(target.address, timeout=CONNECT_S)
        secure = tls_context(target.adapter.tls) if target.secure else None
        self._socket = secure.wrap_socket(plain, server_hostname=target.place.host) if secure else plain

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
        self.polled = pattern in POLLED
        self._target = target
        self._client = ForeignClient(target, pattern, 1, target.scanner())
        self._stream = ForeignStream(self._client, os.urandom)
        self._stepped = False
        self._wire: Wire | None = None
        self.first = self.asked = b""
        self.status = 0
        self.headers: dict[str, str] = {}

    @property
    def is_open(self) -> bool:
        return self._wire is not None

    def open(self) -> None:
        """Ask. Raises OSError and ProtocolError."""
        self.close()
        if not (self._stepped and self.polled):
            self._take_steps()
        self._wire = Wire(self._target)
        if self.polled:
            self._reader = ResponseReader(gzip=self._client.how.gzip)
            self.asked = self._client.request()
        else:
            self._decoder = self._stream.decoder()
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

    def _take_steps(self) -> None:
        for step in self._client.how.connect:
            if step.request:
                wire, reader = Wire(self._target), ResponseReader()
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
        self._client.learn(self._client.how.remember, reader.headers, reader.body)
        found = [Seen(trace, received_ns, reader.body) for trace in self._client.traces(reader.body)]
        self.close()
        return found

    def _streamed(self, data: bytes, received_ns: int) -> list[Seen]:
        return [seen for event in self._decoder.receive(data) for seen in self._taken(event, received_ns)]

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
        elif isinstance(event, Message):
            traces, answer = self._stream.take(event)
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
            return f"/{str(key).replace('~', '~0').replace('/', '~1')}{found}"
    return None
