"""PURE. TOML to an adapter, strictly: whatever is wrong is one line with file, line, key, value and remedy."""

import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import msgspec

from servers.targets.adapter import SUBSCRIPTIONS, Adapter, AdapterError, Publish, Reply, Step, Subscribe
from servers.targets.rules import parse_rule
from servers.targets.template import Template, check_names
from servers.web.urls import read_url

ALWAYS: Final = frozenset({"run", "client", "uuid", "host", "port"})
"""Variables that every text may use."""
OF_A_MESSAGE: Final = ALWAYS | {"message", "tracer", "id", "due_ns"}
POLLED: Final = ("short_polling", "long_polling")
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
Expect = Callable[[int, Mapping[str, str], bytes], bool]
"""Takes status, headers with names in lower case, and body; says whether that is what was expected."""


class RequestLine(msgspec.Struct, frozen=True):
    """METHOD PATH and the body behind it, the last two templates."""

    method: str
    path: Template
    body: Template


@lru_cache(maxsize=1024)
def request_line(text: str) -> RequestLine:
    """Read `POST /messages {"text": "{{message}}"}`; GET where no method is given. Raises ValueError."""
    word, blank, rest = text.strip().partition(" ")
    method, rest = (word, rest.strip()) if blank and word.isalpha() and word.isupper() else ("GET", text.strip())
    if method not in METHODS:
        raise ValueError(f"{text!r}: the method {method} is none of: {', '.join(METHODS)}")
    path = re.match(r"(?:\{\{.*?\}\}|\S)*", rest)
    assert path is not None
    if not path[0].startswith(("/", "{{", "http://", "https://")):
        raise ValueError(f"{text!r} has no path such as /events: write METHOD /PATH, and a body behind it")
    return RequestLine(method, Template(path[0]), Template(rest[path.end() :].strip()))


def parse_expect(text: str) -> Expect:
    """Read what an answer must show: statuses such as "200, 202", or a rule; "" is any 2xx. Raises ValueError."""
    if not text:
        return lambda status, _headers, _body: 200 <= status < 300
    if re.fullmatch(r"[1-5]\d\d(\s*,\s*[1-5]\d\d)*", text.strip()):
        statuses = {int(word) for word in text.split(",")}
        return lambda status, _headers, _body: status in statuses
    rule = parse_rule(text)
    return lambda status, headers, body: status < 400 and rule(headers, body) is not None


def read_adapter(text: str, source: str, changes: Mapping[str, str] | None = None) -> Adapter:
    """Read an adapter. source: the file, for errors. changes: dotted key -> TOML value or bare text, laid over it.

    Raises AdapterError.
    """
    try:
        tables = tomllib.loads(text)
        for key, value in (changes or {}).items():
            _change(tables, key, value)
        adapter = msgspec.convert(tables, Adapter)
    except tomllib.TOMLDecodeError as wrong:
        raise AdapterError(f"{source}: not TOML: {wrong}") from None
    except msgspec.ValidationError as wrong:
        key, says = _in_our_words(str(wrong), tables)
        raise AdapterError(f"{source}{line_of(text, key)}: {says}") from None
    except RecursionError:
        raise AdapterError(f"{source}: nested too deeply; an adapter has tables in tables, no more") from None
    _Check(text, source).adapter(adapter)
    return adapter


def _change(tables: dict[str, Any], key: str, value: str) -> None:
    *path, last = key.split(".")
    table: Any = tables
    for step in path:
        table = table.setdefault(step, {}) if isinstance(table, dict) else None
    if not isinstance(table, dict) or not last:
        raise AdapterError(f"--set {key}={value}: there is no such key; one looks like sse.request")
    try:
        table[last] = tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        table[last] = value


class _Check:
    """What types alone do not say of an adapter."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source

    def adapter(self, adapter: Adapter) -> None:
        self._texts("headers", adapter.headers, ALWAYS)
        for key in ("command", "url"):
            with self._at(key):
                check_names(Template(getattr(adapter, key)), {"port"})
        if adapter.proxy:
            with self._at("proxy"):
                read_url(adapter.proxy, "proxy", instead="a proxy with a login is not supported")
        publish = adapter.publish
        self._request("publish", publish, OF_A_MESSAGE)
        own = {"line": publish.line, "send": publish.send, "websocket": publish.websocket}
        self._texts("publish", own, OF_A_MESSAGE)
        with self._at("publish"):
            _check_way_in(publish, coded=bool(adapter.python))
        with self._at("publish.expect"):
            parse_expect(publish.expect)
        self._steps("publish", publish.connect, publish.reply, ALWAYS)
        for name, each in adapter.subscriptions().items():
            self._subscription(name, each, coded=bool(adapter.python))

    def _subscription(self, name: str, each: Subscribe, *, coded: bool) -> None:
        remembered = {key for rules in (each.remember, *(step.remember for step in each.connect)) for key in rules}
        known = ALWAYS | remembered | set(each.first)
        with self._at(name):
            if bool(each.request) == bool(each.websocket) and not (coded and not each.request):
                raise ValueError("it has both request and websocket, or neither; give one")
            if each.request if name == "websocket" else each.websocket:
                raise ValueError("a table [websocket] has the key websocket, every other one has request")
        with self._at(f"{name}.request"):
            if each.request and request_line(each.request).path.text.startswith(("http://", "https://")):
                raise ValueError("a subscription has a path only; where the server is, url or --url says")
        self._request(name, each, known)
        if each.websocket:
            with self._at(f"{name}.websocket"):
                request_line(each.websocket)
        self._texts(name, {"websocket": each.websocket}, known)
        self._rules(f"{name}.remember", each.remember)
        self._rules(name, {"find": each.find} if each.find else {})
        self._steps(name, each.connect, each.reply, known)
        for reply in each.reply if each.request else ():
            with self._at(f"{name}.reply"):
                if name not in POLLED:
                    raise ValueError("nothing can be said on a stream: a WebSocket replies, and a poll")
                request_line(reply.send)

    def _steps(self, table: str, steps: Sequence[Step], replies: Sequence[Reply], known: Collection[str]) -> None:
        known = {*known, *(key for step in steps for key in step.remember)}
        for step in steps:
            self._request(f"{table}.connect", step, known)
            self._texts(f"{table}.connect", {"send": step.send}, known)
            self._rules(f"{table}.connect.remember", step.remember)
            with self._at(f"{table}.connect.expect"):
                parse_expect(step.expect)
        for reply in replies:
            self._rules(f"{table}.reply", {"when": reply.when})
            self._texts(f"{table}.reply", {"send": reply.send}, {*known, "found"})

    def _request(self, table: str, asked: Publish | Subscribe | Step, known: Collection[str]) -> None:
        if asked.request:
            with self._at(f"{table}.request"):
                line = request_line(asked.request)
                check_names(line.path, known)
                check_names(line.body, known)
        self._texts(f"{table}.headers", asked.headers, known)
        self._texts(table, {"body": asked.body}, known)

    def _texts(self, table: str, texts: Mapping[str, str], known: Collection[str]) -> None:
        for key, text in texts.items():
            with self._at(f"{table}.{key}"):
                check_names(Template(text), known)
                if table.endswith("headers") and not (re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", key) and text.isprintable()):
                    raise ValueError(f"{key}: {text!r} is no header: a name, and one line of text")

    def _rules(self, table: str, rules: Mapping[str, str]) -> None:
        for key, rule in rules.items():
            with self._at(f"{table}.{key}"):
                parse_rule(rule)

    @contextmanager
    def _at(self, key: str) -> Iterator[None]:
        try:
            yield
        except ValueError as wrong:
            raise AdapterError(f"{self._source}{line_of(self._text, key)}: {key}: {wrong}") from None


def _check_way_in(publish: Publish, *, coded: bool) -> None:
    """coded: a class may say in Python what goes in, and over HTTP also how."""
    ways = [way for way in ("request", "pipe", "websocket") if getattr(publish, way)]
    if coded and len(ways) <= 1:
        return
    if len(ways) != 1:
        raise ValueError(f"it has {' and '.join(ways) or 'no way in'}; give exactly one of request, pipe and websocket")
    texts = {
        "request": (publish.request, publish.body, *publish.headers.values()),
        "pipe": (publish.line,),
        "websocket": (publish.send,),
    }[ways[0]]
    line = request_line(publish.request) if publish.request else None
    if line is not None and not line.body.text and not publish.body:
        return  # the body is the message
    if not any({"message", "tracer"} & set(Template(text).names) for text in texts):
        raise ValueError("no message goes in: write {{message}} or {{tracer}} where it belongs")


def line_of(text: str, key: str) -> str:
    """Return ", line N" of a dotted key, of the table it stands in where it has no line of its own, or ""."""
    table, _, last = key.rpartition(".")
    inside, of_table = not table, 0
    for number, line in enumerate(text.splitlines(), 1):
        heading = re.match(r"\s*\[+\s*([^\[\]]+?)\s*\]+", line)
        if heading:
            inside = heading[1] == table
            of_table = of_table or (number if heading[1] in {table, key} else 0)
        elif inside and re.match(rf"\s*\"?{re.escape(last)}\"?\s*=", line):
            return f", line {number}"
    if of_table or not table:
        return f", line {of_table}" if of_table else ""
    return line_of(text, table)


def _in_our_words(problem: str, tables: Mapping[str, Any]) -> tuple[str, str]:
    """Return the dotted key that a validation error is about, and what is wrong with it."""
    what, _, where = problem.partition(" - at `$")
    key = re.sub(r"\[[^\]]*\]", "", where.strip("`").removeprefix("."))
    unknown = re.search(r"unknown field `([^`]+)`", what)
    if unknown:
        known = ", ".join(_type_of(key).__struct_fields__)
        return f"{key}.{unknown[1]}".strip("."), f"{unknown[1]} is no key of {key or 'an adapter'}; known: {known}"
    value: Any = tables
    for step in key.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return key, f"{key} = {value!r}: {what[:1].lower()}{what[1:]}"


def _type_of(key: str) -> type[Any]:
    first, _, rest = key.partition(".")
    if rest:
        return Step if "connect" in rest else Reply
    if first in SUBSCRIPTIONS:
        return Subscribe
    kinds = {field.name: type(field.default) for field in msgspec.structs.fields(Adapter)}
    return kinds[first] if first else Adapter
