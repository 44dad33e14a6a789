"""PURE. An adapter: all that differs between one server and another, as types. reading.py makes one of TOML.

Three rules hold it together: pollbench publishes (schedule, ids and
journal are its own), a tracer in the payload tells our messages, and what a server wants to see again in the next
request is remembered by a rule.
"""

from typing import Annotated, Final

import msgspec

SUBSCRIPTIONS: Final = ("short_polling", "long_polling", "chunked", "sse", "websocket")
"""The patterns by which a foreign server can be subscribed to; a table of that name says how."""
Says = msgspec.Meta
Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]


class AdapterError(ValueError):
    """An adapter that cannot be used: the file, the line where one is known, the key, the value and the remedy."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of an adapter file. An unknown key is an error: misspelt, it would be obeyed by nobody.

    What a key means stands in its annotation; the reference page is made of that.
    """


class Step(Part, frozen=True):
    """One step before a subscription stands: a request over HTTP, or a frame on a WebSocket that has opened."""

    request: Annotated[str, Says(description="`METHOD PATH BODY`, asked over HTTP")] = ""
    headers: Annotated[dict[str, str], Says(description="of that request")] = {}
    body: Annotated[str, Says(description="of that request, if it does not stand behind its path")] = ""
    send: Annotated[str, Says(description="text of a WebSocket frame")] = ""
    expect: Annotated[
        str, Says(description="rule that what comes next must match; of a request also statuses such as `200, 201`")
    ] = ""
    remember: Annotated[dict[str, str], Says(description="variable = rule over what came")] = {}


class Reply(Part, frozen=True):
    """What a client must answer while it is subscribed, such as pings."""

    when: Annotated[str, Says(description="rule over the response; its match is `{{found}}`")]
    send: Annotated[str, Says(description="text of the frame that answers it; to a poll it is `METHOD PATH BODY`")]


class Publish(Part, frozen=True):
    """How a message gets in. Exactly one of request, pipe and websocket."""

    request: Annotated[
        str, Says(description="`METHOD PATH BODY`; without a body the message is it; PATH may be a whole URL")
    ] = ""
    headers: Annotated[dict[str, str], Says(description="of the request")] = {}
    body: Annotated[str, Says(description="of the request, if it does not stand behind its path")] = ""
    content_type: Annotated[
        str, Says(description="of the body; without it JSON, a form or plain text, by how the body begins")
    ] = ""
    pipe: Annotated[str, Says(description="a command that reads one line a message, for as long as the run lasts")] = ""
    line: Annotated[str, Says(description="what it reads")] = "{{message}}"
    websocket: Annotated[str, Says(description="a path, on which each message is a frame")] = ""
    send: Annotated[str, Says(description="text of that frame")] = "{{message}}"
    expect: Annotated[
        str, Says(description="what the answer must show: statuses such as `200, 202`, or a rule; without it, any 2xx")
    ] = ""
    at_once: Annotated[int, Says(ge=1, le=1024, description="how many messages may wait for their answer together")] = (
        16
    )
    timeout_s: Annotated[Seconds, Says(description="how long an answer may take")] = 10.0
    connect: Annotated[list[Step], Says(description="steps before the first message")] = []
    reply: Annotated[list[Reply], Says(description="answers on the WebSocket")] = []


class Subscribe(Part, frozen=True):
    """How one client asks, by one pattern."""

    request: Annotated[
        str, Says(description="`METHOD PATH BODY`; `GET` where no method stands; not of a WebSocket")
    ] = ""
    websocket: Annotated[str, Says(description="path of a WebSocket, in a table `[websocket]`")] = ""
    headers: Annotated[
        dict[str, str],
        Says(description="headers of the request; one with a variable that has no value yet is not sent"),
    ] = {}
    body: Annotated[str, Says(description="of the request, if it does not stand behind its path")] = ""
    remember: Annotated[
        dict[str, str], Says(description="variable = rule over what came, for the next request: the cursor")
    ] = {}
    first: Annotated[dict[str, str], Says(description="values of variables before anything was remembered")] = {}
    connect: Annotated[list[Step], Says(description="steps before the subscription stands")] = []
    reply: Annotated[list[Reply], Says(description="what the client answers")] = []
    latest: Annotated[
        bool, Says(description="the channel holds a state: overwritten messages are superseded, not missed")
    ] = False
    gzip: Annotated[bool, Says(description="ask for gzip; nothing else does")] = False
    hold_s: Annotated[Seconds, Says(description="how long the server may keep a long poll")] = 30.0
    find: Annotated[
        str, Says(description="rule that finds the text with the token, where the payload hides or repeats it")
    ] = ""
    base64: Annotated[bool, Says(description="what `find` finds is base64")] = False
    subprotocol: Annotated[str, Says(description="of a WebSocket")] = ""


class Tls(Part, frozen=True):
    """How https and wss are checked."""

    ca: Annotated[str, Says(description="file of certificates to trust (PEM) instead of the system's")] = ""
    insecure: Annotated[bool, Says(description="trust any certificate; the report says so")] = False
    cert: Annotated[str, Says(description="certificate of the client (PEM), shown to this server only")] = ""
    key: Annotated[str, Says(description="its private key (PEM), if it is not in the same file")] = ""


class Cost(Part, frozen=True):
    """Whose CPU and memory is the server's: the process we started and its children; else who listens on the port."""

    also: Annotated[list[str], Says(description="names of more processes")] = []
    cgroup: Annotated[
        str, Says(description="a folder below /sys/fs/cgroup: the processes in it instead, such as a container's")
    ] = ""
    agent: Annotated[
        str, Says(description="`http://HOST:PORT` of a `pollbench agent` on the server's host, which is asked instead")
    ] = ""
    measured: Annotated[bool, Says(description="false: the server is elsewhere, or its cost must not be measured")] = (
        True
    )


class Adapter(Part, frozen=True):
    """One server, as pollbench can measure it."""

    name: Annotated[str, Says(description="of the server, for errors")] = ""
    about: Annotated[str, Says(description="what it is")] = ""
    url: Annotated[str, Says(description="where it is (http, https, ws, wss; a path is before all paths)")] = ""
    command: Annotated[str, Says(description="what starts it; `{{port}}` is a free port")] = ""
    ready_s: Annotated[Seconds, Says(description="how long it may take until it listens")] = 30.0
    roll_call_s: Annotated[Seconds, Says(description="and until every client has heard a message")] = 20.0
    headers: Annotated[dict[str, str], Says(description="of every request")] = {}
    redirects: Annotated[
        int, Says(ge=0, le=10, description="how many are followed; credentials never go to another origin")
    ] = 0
    proxy: Annotated[str, Says(description="`http://HOST:PORT` through which everything goes; none without it")] = ""
    python: Annotated[str, Says(description="`FILE:CLASS` that says what tables cannot")] = ""
    python_sha256: Annotated[str, Says(description="what that file must still be; pollbench notes it for a run")] = ""
    publish: Annotated[Publish, Says(description="how a message gets in")] = Publish()
    tls: Annotated[Tls, Says(description="how https and wss are checked")] = Tls()
    cost: Annotated[Cost, Says(description="that count as the server")] = Cost()
    short_polling: Annotated[Subscribe | None, Says(description="how a client asks again and again")] = None
    long_polling: Annotated[Subscribe | None, Says(description="how it asks, and waits")] = None
    chunked: Annotated[Subscribe | None, Says(description="how it follows lines, or any stream")] = None
    sse: Annotated[Subscribe | None, Says(description="how it follows server-sent events")] = None
    websocket: Annotated[Subscribe | None, Says(description="how it follows a WebSocket")] = None

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
