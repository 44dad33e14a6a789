"""PURE. An adapter: all that differs between one server and another, as types. reading.py makes one of TOML.

Three rules hold it together: pollbench publishes (schedule, ids and
journal are its own), a tracer in the payload tells our messages, and what a server wants to see again in the next
request is remembered by a rule.
"""

from typing import Annotated, Final

import msgspec

SUBSCRIPTIONS: Final = ("short_polling", "long_polling", "chunked", "sse", "websocket")
"""The patterns by which a foreign server can be subscribed to; a table of that name says how."""
Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]


class AdapterError(ValueError):
    """An adapter that cannot be used: the file, the line where one is known, the key, the value and the remedy."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of an adapter file. An unknown key is an error: misspelt, it would be obeyed by nobody."""


class Step(Part, frozen=True):
    """One step before a subscription stands. A request, whose answer may be remembered, or a WebSocket frame.

    send: text of a frame. expect: rule that what comes next must match; of a request, "200" and the like also serve.
    """

    request: str = ""
    headers: dict[str, str] = {}
    body: str = ""
    send: str = ""
    expect: str = ""
    remember: dict[str, str] = {}


class Reply(Part, frozen=True):
    """What a client must answer: when the rule finds something, send the text; of polls a request, METHOD PATH BODY."""

    when: str
    send: str


class Publish(Part, frozen=True):
    """How a message gets in. Exactly one of request, pipe and websocket.

    request: METHOD PATH, and a body behind it. pipe: a command that reads one line a message (`line` says which) for as
    long as the run lasts. websocket: a path; `send` is the frame's text. expect: what the answer must show, as a rule
    or as statuses such as "200, 202"; every 2xx does without one. at_once: how many may be under way together.
    content_type: of the body. connect: steps before the first message.
    """

    request: str = ""
    headers: dict[str, str] = {}
    body: str = ""
    content_type: str = ""
    pipe: str = ""
    line: str = "{{message}}"
    websocket: str = ""
    send: str = "{{message}}"
    expect: str = ""
    at_once: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 16
    timeout_s: Seconds = 10.0
    connect: list[Step] = []
    reply: list[Reply] = []


class Subscribe(Part, frozen=True):
    """How one client asks, by one pattern.

    request: METHOD PATH, and a body behind it; websocket: a path instead. remember: variable -> rule, for the next
    request; a header whose variable has no value yet is not sent. connect: steps before it. reply: what a WebSocket
    client, or one that polls, answers. latest: the channel holds a state, and versions that were overwritten are
    superseded, not missed. gzip: ask for it. hold_s: how long the server may keep a long poll. find: rule that finds
    the text with the tracer when the payload hides it; base64 in it is undone. subprotocol: of a WebSocket. first: the
    values of variables that `remember` sets later.
    """

    request: str = ""
    websocket: str = ""
    headers: dict[str, str] = {}
    body: str = ""
    remember: dict[str, str] = {}
    first: dict[str, str] = {}
    connect: list[Step] = []
    reply: list[Reply] = []
    latest: bool = False
    gzip: bool = False
    hold_s: Seconds = 30.0
    find: str = ""
    base64: bool = False
    subprotocol: str = ""


class Tls(Part, frozen=True):
    """ca: a file of certificates to trust. insecure: trust anybody, which the report says. cert, key: of the client."""

    ca: str = ""
    insecure: bool = False
    cert: str = ""
    key: str = ""


class Cost(Part, frozen=True):
    """Whose CPU and memory is the server's: the process we started and its children; else who listens on the port.

    also: names of more processes. cgroup: the processes in this folder below /sys/fs/cgroup instead, such as a
    container's. measured: false for a server elsewhere.
    """

    also: list[str] = []
    cgroup: str = ""
    measured: bool = True


class Adapter(Part, frozen=True):
    """One server, as pollbench can measure it.

    url: where it is, unless the command line says; command: what starts it. ready_s, roll_call_s: how long it may take
    until it listens, and until every client has heard a message.
    """

    name: str = ""
    about: str = ""
    url: str = ""
    command: str = ""
    ready_s: Seconds = 30.0
    roll_call_s: Seconds = 20.0
    headers: dict[str, str] = {}
    redirects: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    proxy: str = ""
    publish: Publish = Publish()
    tls: Tls = Tls()
    cost: Cost = Cost()
    short_polling: Subscribe | None = None
    long_polling: Subscribe | None = None
    chunked: Subscribe | None = None
    sse: Subscribe | None = None
    websocket: Subscribe | None = None

    def subscriptions(self) -> dict[str, Subscribe]:
        """Return pattern -> how to subscribe by it, of those that the adapter has."""
        found = {name: getattr(self, name) for name in SUBSCRIPTIONS}
        return {name: each for name, each in found.items() if each is not None}

    def subscription(self, pattern: str) -> Subscribe:
        """Raises AdapterError naming the patterns that there are."""
        known = self.subscriptions()
        if pattern not in known:
            raise AdapterError(
                f"{self.name or 'the adapter'} does not say how to subscribe by {pattern}; it has: "
                f"{', '.join(known) or 'nothing'}; add a table [{pattern}]"
            )
        return known[pattern]
