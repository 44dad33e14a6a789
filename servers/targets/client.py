"""PURE. One client of a server, or whoever publishes into it: what it asks, remembers and answers; where messages are.

What an adapter's tables say in templates and rules is done here, once for publishers, users and `target check`. A class
derived from `Client` says in Python what tables cannot (classes.py finds it): any of the methods from `publish` to
`texts`. On the load side it is followed as our own patterns are, by `follow(ask)` (loadtests/foreign/client.py).
"""

import base64
import binascii
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final, NamedTuple

from servers.targets.adapter import Adapter, Publish, Step, Subscribe
from servers.targets.reading import parse_expect, request_line
from servers.targets.rules import parse_finder, parse_rule
from servers.targets.template import ENVIRONMENT, read
from servers.targets.variables import Misunderstood, Place

EVENTS_KEPT: Final = 64
"""In which `remember` looks when a stream is resumed, the newest first."""
NOTHING: Final[Mapping[str, str]] = {}
SHOWN_BYTES: Final = 200


class Request(NamedTuple):
    """path: below the server's URL, or, of a publisher, a URL of its own."""

    method: str
    path: str
    headers: Mapping[str, str] = NOTHING
    body: bytes = b""


class Heard(NamedTuple):
    """An event of a stream, a WebSocket message or the answer to a poll. data: what it says.

    headers: of the response it came in, names in lower case. name, id: of a server-sent event.
    """

    data: bytes
    headers: Mapping[str, str] = NOTHING
    name: str = ""
    id: str = ""


class Client:
    """tables: what a TOML file would say, of a class that is an adapter by itself.

    adapter: all that is known of the server; how: the table that this client follows; place: where, and which run.
    """

    tables: ClassVar[str] = ""

    def __init__(self, adapter: Adapter, how: Publish | Subscribe, place: Place, name: str) -> None:
        self.adapter = adapter
        self.how = how
        self.place = place
        self._variables = place.variables(name).with_values(how.first if isinstance(how, Subscribe) else NOTHING)
        self._heard: deque[Heard] = deque(maxlen=EVENTS_KEPT)
        self._steps: deque[Step] = deque()
        self._find = parse_finder(how.find) if isinstance(how, Subscribe) and how.find else None

    def publish(self, message: Mapping[str, str]) -> Request:
        """Return what publishes a message over HTTP. message: what templates may say of it; `message` is its text."""
        how = self._publish
        written = request_line(how.request).body.text
        body = how.body or ("" if written else "{{message}}")
        kind = how.content_type or content_type_of(body or written)
        return self.request(how.request, {"Content-Type": kind, **how.headers}, body, message)

    def line(self, message: Mapping[str, str]) -> str:
        """Return the line of a pipe, or the text of a WebSocket frame, that publishes a message."""
        how = self._publish
        return self.fill(how.line if how.pipe else how.send, message)

    def subscribe(self) -> Request:
        """Return what asks for what comes after all that was heard: a poll, a stream or the opening of a WebSocket."""
        self._recall()
        how = self._subscribe
        gzip = {"Accept-Encoding": "gzip"} if how.gzip else NOTHING
        return self.request(how.request or how.websocket, {**gzip, **how.headers}, how.body)

    def hear(self, heard: Heard) -> None:
        """Remember what the next `subscribe` needs of what came."""
        if self._subscribe.remember:
            self._heard.append(heard)

    def opened(self) -> Sequence[str]:
        """Return what is to be said on a WebSocket that was opened: all up to where something is expected."""
        self._steps = deque(step for step in self.how.connect if not step.request)
        return self._spoken()

    def answer(self, data: bytes) -> Sequence[str]:
        """Return what is to be said to what came on a WebSocket. Raises Misunderstood when it is not what was due."""
        if self._steps:
            step = self._steps.popleft()
            if parse_rule(step.expect)(NOTHING, data) is None:
                raise Misunderstood(f"connect: {step.expect!r} is not in what came: {data[:60]!r}")
            self.learn(step.remember, NOTHING, data)
            return self._spoken()
        said = []
        for reply in self.how.reply:
            found = parse_rule(reply.when)(NOTHING, data)
            if found is not None:
                said.append(self.fill(reply.send, {"found": found}))
        return said

    def replies(self, data: bytes) -> Sequence[Request]:
        """Return what is to be asked when this was the answer to a poll."""
        found = ((reply.send, parse_rule(reply.when)(NOTHING, data)) for reply in self.how.reply)
        return [self.request(send, NOTHING, "", {"found": text}) for send, text in found if text is not None]

    def texts(self, data: bytes) -> Iterable[bytes]:
        """Return the texts in what came among which tracers are to be looked for."""
        return (data,) if self._find is None else map(self._revealed, self._find(data))

    @property
    def is_greeted(self) -> bool:
        """Whether all that was to be heard before the first message was."""
        return not self._steps

    def step(self, step: Step) -> Request:
        return self.request(step.request, step.headers, step.body)

    def check(self, step: Step, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Take the answer to a step that is a request. Raises Misunderstood when it is not what was expected."""
        if not parse_expect(step.expect)(status, headers, body):
            method = request_line(step.request).method
            raise Misunderstood(f"connect: {method}: {shown(status, headers, body)}")
        self.learn(step.remember, headers, body)

    def request(
        self, text: str, headers: Mapping[str, str], body: str = "", more: Mapping[str, str] = NOTHING
    ) -> Request:
        """Return a request as the tables write it, METHOD PATH BODY, with what is known filled in.

        A header whose variable has no value yet is left out. Raises Misunderstood for any other that has none.
        """
        line = request_line(text)
        variables = self._variables.with_values(more) if more else self._variables
        sent = {}
        for name, value in {**self.adapter.headers, **headers}.items():
            template = read(value)
            if not all(hole in variables or _is_always_known(hole) for hole in template.names):
                continue
            sent[name] = template.fill(variables)
            if not sent[name].isprintable():
                raise Misunderstood(f"{name}: {sent[name][:60]!r}, which was remembered, is more than a line of text")
        return Request(
            line.method, self.fill(line.path.text, more), sent, self.fill(body or line.body.text, more).encode()
        )

    def fill(self, text: str, more: Mapping[str, str] = NOTHING) -> str:
        """Raises Misunderstood for a variable that has no value yet."""
        try:
            return read(text).fill(self._variables.with_values(more) if more else self._variables)
        except KeyError as unknown:
            why = f"no response has set {unknown.args[0]} yet, and {text[:60]!r} needs it"
            raise Misunderstood(why) from None

    def learn(self, rules: Mapping[str, str], headers: Mapping[str, str], data: bytes) -> None:
        """Remember what the rules find in what came."""
        self.remember({name: parse_rule(rule)(headers, data) for name, rule in rules.items()})

    def remember(self, values: Mapping[str, str | None]) -> None:
        """Give variables values; None leaves one as it is."""
        self._variables = self._variables.with_values(
            {name: value for name, value in values.items() if value is not None}
        )

    @property
    def _publish(self) -> Publish:
        assert isinstance(self.how, Publish)
        return self.how

    @property
    def _subscribe(self) -> Subscribe:
        assert isinstance(self.how, Subscribe)
        return self.how

    def _recall(self) -> None:
        for name, rule in self._subscribe.remember.items():
            for heard in reversed(self._heard):
                data = heard.data if rule.startswith("json") else _as_text(heard)
                value = parse_rule(rule)(heard.headers, data)
                if value is not None:
                    self.remember({name: value})
                    break
        self._heard.clear()

    def _revealed(self, text: bytes) -> bytes:
        if not self._subscribe.base64:
            return text
        try:
            return base64.b64decode(text + b"=" * (-len(text) % 4))
        except binascii.Error as wrong:
            raise Misunderstood(f"{text[:60]!r} is not base64: {wrong}") from None

    def _spoken(self) -> list[str]:
        """Say what is to be said up to where something is expected; that step is left for `answer`."""
        said = []
        while self._steps:
            step = self._steps[0]
            if step.send:
                said.append(self.fill(step.send))
            if step.expect:
                break
            self._steps.popleft()
        return said


def shown(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Say what came: the status, the headers that tell most, and the first bytes."""
    telling = ("content-type", "location", "www-authenticate", "retry-after", "server")
    known = ", ".join(f"{name}: {headers[name]}" for name in telling if name in headers)
    return f"the server answered {status} ({known or 'no telling headers'}), {body[:SHOWN_BYTES]!r}"


def content_type_of(body: str) -> str:
    """Return what a body is that nobody says more of."""
    if body.startswith(("{", "[")) and not body.startswith("{{"):
        return "application/json"
    is_form = re.match(r"[\w.-]+=", body)
    return "application/x-www-form-urlencoded" if is_form else "text/plain; charset=utf-8"


def _is_always_known(name: str) -> bool:
    return name == "uuid" or name.startswith(ENVIRONMENT)


def _as_text(heard: Heard) -> bytes:
    """Return a server-sent event as it may have been written; of anything else, what it says."""
    if not heard.id and not heard.name:
        return heard.data
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (heard.id.encode(), heard.name.encode() or b"message", heard.data)
