"""A user's part in following a foreign server: what it asks before that, and streams and polls in others' words."""

from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from loadtests.foreign.client import ForeignClient
from loadtests.protocols.asking import Ask
from loadtests.protocols.events import StreamDecoder
from loadtests.protocols.http1 import ResponseReader
from loadtests.protocols.stream_decoders import TextStream
from loadtests.protocols.text_parsers import TextEvent
from loadtests.users.connection import Connection, Receive
from loadtests.users.user_settings import session
from servers.targets.client import NOTHING, Heard
from servers.targets.tracer import Trace
from servers.timing.clock import now_ns

NO_EVENT: Final = TextEvent(b"", 0)
STEP_NS: Final = 10_000_000_000
"""How long the answer to a step may take."""
Connect = Callable[[Receive], Connection]


def take_steps(client: ForeignClient, connect: Connect) -> None:
    """Ask what is to be asked before a subscription stands. Raises as a request does (`FAULTS` in user.py)."""
    for step in client.how.connect:
        if step.request:
            reader = _fetch(connect, client.step_request(step))
            client.check(step, reader.status, reader.headers, reader.body)


def _fetch(connect: Connect, request: bytes) -> ResponseReader:
    reader, whole = ResponseReader(limit_bytes=session.options.message_limit_bytes), False

    def received(data: bytes, _received_ns: int, _arrived_ns: int) -> None:
        nonlocal whole
        whole = reader.receive(data)
        if whole:
            connection.wake()

    connection = connect(received)
    try:
        connection.deadline_ns = now_ns() + STEP_NS
        connection.send(request)
        while not whole:
            connection.wait()
    finally:
        connection.close()
    return reader


class ForeignStream:
    """A stream of a foreign server, as its user follows it; `follow` begins it anew.

    What many hear alike they keep together: with a copy for each, the last 64 events of a thousand clients are more
    than a cache holds, and every message would be written to memory.
    """

    _told: ClassVar[Heard] = Heard(b"")

    def __init__(self, client: ForeignClient) -> None:
        self._client = client
        self._newest_id = 0

    def follow(self, ask: Ask) -> StreamDecoder:
        decoder = self._client.follow(ask)
        self._text = decoder if isinstance(decoder, TextStream) else None
        return decoder

    def opened(self) -> bytes:
        """Return what is to be said now that it stands."""
        return self._client.opened()

    def take(self, body: bytes) -> tuple[list[Trace], bytes]:
        """Return our messages in what came, and what is to be answered. Raises Misunderstood."""
        if self._text is not None and self._client.hears:
            event = next((each for each in self._text.found if each.data is body), NO_EVENT)
            self._hear(body, self._text, _text(event.name), _text(event.id))
        return self._taken(body)

    def take_lone(self, body: bytes) -> tuple[list[Trace], bytes]:
        """Do as `take` does with what a decoder's `lone` gave."""
        if self._text is not None and self._client.hears:
            self._hear(body, self._text, "", _text(self._text.last_id))
        return self._taken(body)

    def _hear(self, body: bytes, text: TextStream | None, name: str = "", last_id: str = "") -> None:
        headers = text.head.headers if text is not None and self._client.hears_headers else NOTHING
        heard = Heard(body, headers, name, last_id)
        if heard != self._told:
            ForeignStream._told = heard
        self._client.hear(self._told)

    def _taken(self, body: bytes) -> tuple[list[Trace], bytes]:
        answer = b""
        if self._text is None:
            answer = self._client.answer(body) if self._client.talks else b""
            if self._client.hears:
                self._hear(body, None)
        found = self._client.traces(body)
        if self._client.how.latest:
            # A state that is told again is not a second delivery.
            found = [trace for trace in found if trace.id > self._newest_id]
            self._newest_id = max((trace.id for trace in found), default=self._newest_id)
        return found, answer


def _text(field: bytes) -> str:
    return field.decode("utf-8", "replace")


class ForeignPolls:
    """Polls of a foreign server. repeats: an answer may tell again what an earlier one told, which is nothing new."""

    def __init__(self, client: ForeignClient, *, repeats: bool) -> None:
        self._client = client
        self._repeats = repeats
        self._stepped = False
        self._owed: list[bytes] = []
        self._seen: set[int] = set()

    def request(self, connect: Connect) -> bytes:
        """Return the next request, once what is to be asked before it was asked. Raises as `take_steps` does."""
        if not self._stepped:
            take_steps(self._client, connect)
            self._stepped = True
        while self._owed:
            _fetch(connect, self._owed.pop(0))
        return self._client.request()

    def failed(self) -> None:
        """What the steps led to may be over."""
        self._stepped = False
        self._owed.clear()

    def take(self, headers: Mapping[str, str], body: bytes) -> list[Trace]:
        found = self._client.traces(body)
        self._client.hear(Heard(body, headers))
        if self._client.how.reply:
            self._owed += self._client.replies(body)
        if self._repeats or self._client.how.latest:
            found = [trace for trace in found if trace.id not in self._seen]
            self._seen.update(trace.id for trace in found)
        return found
