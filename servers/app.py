"""The aiohttp application of a server process: the chosen patterns, and what all of them share.

POST /api/message adds a message, PUT /api/schedule changes what is published, GET /stats says who this is and
who is waiting, GET /api/published which messages there were and when, GET /clock what time it is here. A pattern that
hears its clients adds what they say as if they had posted it.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from servers import patterns
from servers.feed.feed import Feed
from servers.feed.message import Message, decode_stamp, encode
from servers.feed.publisher import Publisher
from servers.feed.schedule import Schedule, parse_schedule
from servers.settings.options import ServerOptions
from servers.settings.served import MESSAGE_BYTES_MAX, Served
from servers.settings.setting import settings
from servers.timing.clock import clock_answer, clock_id, now_ns
from servers.web.body import fields_of, read_body, text_of, whole
from servers.web.doors import DOORS, ORIGINS, Door, at, refuse_strangers, refused
from servers.web.errors import JSON, error_response, json_errors
from servers.web.origins import Origins
from servers.web.query import BadFieldError, parse_cursor, parse_fields, parse_last_id
from servers.web.rate_limit import RateLimit
from servers.web.unread import UNREAD, Unread, with_room

RequestHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Upstream(Protocol):
    """Where a feed's messages go first, and come from: servers that share it, or a server that is not ours."""

    async def publish(self, content: str) -> Message:
        """Publish one message; return it when it is there. Raises UnavailableError."""

    async def settled(self) -> None: ...

    async def catch_up(self, last_id: int) -> None: ...

    def state(self) -> dict[str, object]: ...


@dataclass(slots=True)
class Service:
    """One server process: what it serves, and on which ports (None until bound, or for none).

    authority: file of whoever signed the certificate that was made for https_port, "" for one of others.
    backplane: what it shares its feed through, None when it does not. unread: what its clients leave unread. limit: on
    what each client sends, None for none. pid: the process that stands for the server.
    """

    feed: Feed
    publisher: Publisher
    options: ServerOptions
    names: list[str]
    http_port: int | None = None
    http2_port: int | None = None
    https_port: int | None = None
    authority: str = ""
    backplane: Upstream | None = None
    pid: int = field(default_factory=os.getpid)
    unread: Unread = field(init=False)
    limit: RateLimit | None = field(init=False)

    def __post_init__(self) -> None:
        self.unread = Unread(self.options.unread_bytes)
        self.limit = RateLimit(self.options.rate_limit_per_s) if self.options.rate_limit_per_s else None

    def identity(self) -> dict[str, object]:
        """Return what tells this server from every other, and that it is faulty where it is so on purpose."""
        faulty = {"fault": self.options.fault} if self.options.fault else {}
        return faulty | {
            "token": self.options.token,
            "pid": self.pid,
            "clock_id": clock_id(),
            "http_port": self.http_port,
            "http2_port": self.http2_port,
            **({"https_port": self.https_port, "authority": self.authority} if self.https_port else {}),
        }

    async def body(self, request: web.Request) -> bytes:
        """Return the body of a request, which must come in time."""
        return await read_body(request, self.options.body_timeout_s)

    async def stats(self, request: web.Request) -> web.Response:
        """Say who this is and who is waiting; asked with `?tasks`, also how many tasks run, which takes it a moment."""
        state = await self.state(tasks="tasks" in request.rel_url.raw_query_string)
        return web.Response(body=msgspec.json.encode(self.identity() | state), content_type=JSON)

    async def state(self, *, tasks: bool) -> dict[str, object]:
        """Return what /stats says beside the identity. Raises UnavailableError."""
        feed = self.feed
        publishing = self._publishing()
        state: dict[str, object] = {
            "patterns": self.names,
            "newest_id": feed.newest_id,
            "first_id": feed.first_id,
            **publishing,
            "start_at_ns": self.publisher.start_ns,
            "settings": {name: getattr(self.options, name) for name in settings(Served)} | publishing,
            "subscribers": feed.subscribers,
            "held": feed.held,
            "streams": feed.streams,
            "unread": self.unread.state(),
            "backplane": self.backplane.state() if self.backplane else None,
        }
        return state | ({"tasks": len(asyncio.all_tasks())} if tasks else {})

    async def published(self, request: web.Request) -> web.Response:
        """Say of every message after `last_id` that is still kept: id,due_ns,published_ns, a line of CSV each.

        The journal over HTTP, for programs that did not start this server and must count missed messages.
        """
        bodies = self.feed.after(parse_last_id(request.path_qs)).bodies
        stamps = (decode_stamp(body) for body in bodies)
        lines = "".join(f"{stamp.id},{stamp.due_ns},{stamp.published_ns}\n" for stamp in stamps)
        return web.Response(text=lines, content_type="text/csv")

    async def clock(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Be one half of an exchange of clocks (loadtests/clocks): say when we were asked, and when we answered."""
        received_ns = now_ns()
        return web.Response(body=clock_answer(received_ns), content_type=JSON, headers={hdrs.CACHE_CONTROL: "no-store"})

    async def add_message(self, request: web.Request) -> web.Response:
        """Publish what the query's `content` or else the body says; answer 201 with the message."""
        content = parse_fields(request.rel_url.raw_query_string).get("content")
        if content is None:
            content = text_of(await self.body(request), "content")
        elif request.can_read_body:
            raise BadFieldError("content", "is given twice, in the query and as the body; give it once")
        if not content:
            raise BadFieldError("content", "is empty; give it as ?content=TEXT or as the body")
        return web.Response(status=201, body=encode(await self.publish(content)), content_type=JSON)

    async def hear(self, client: str, content: str) -> None:
        """Publish what a client says on a connection that it holds, as if it had posted it.

        Raises BadFieldError, UnavailableError.
        """
        if self.limit is not None:
            self.limit.admit(client)
        if not content:
            raise BadFieldError("content", "is empty; send some text")
        await self.publish(content)

    async def publish(self, content: str) -> Message:
        """Publish one message now. Raises UnavailableError."""
        return await self.backplane.publish(content) if self.backplane else self.feed.publish(content)

    async def put_schedule(self, request: web.Request) -> web.Response:
        """Publish by another schedule, message length, or both, from now on; answer with what is in force."""
        if not self.options.publish:
            error = "this server does not publish on schedule (--no-publish); ask the one that does"
            return error_response(409, error, "schedule")
        schedule = message_bytes = None
        wanted = fields_of(await self.body(request))
        for unknown in wanted.keys() - {"schedule", "message_bytes"}:
            raise BadFieldError(unknown, "is not known here; give schedule, message_bytes or both")
        if "schedule" in wanted:
            try:
                schedule = parse_schedule(str(wanted["schedule"]))
            except ValueError as wrong:
                raise BadFieldError("schedule", str(wrong).removeprefix("schedule ")) from None
        if "message_bytes" in wanted:
            message_bytes = whole(wanted["message_bytes"], "message_bytes", 0, MESSAGE_BYTES_MAX)
        answer = await self.reschedule(schedule, message_bytes)
        return web.Response(body=msgspec.json.encode(answer), content_type=JSON)

    async def reschedule(self, schedule: Schedule | None, message_bytes: int | None) -> dict[str, object]:
        """Publish by another schedule, message length, or both, from now on; return what is in force."""
        now = self.publisher
        length = now.message_bytes if message_bytes is None else message_bytes
        now.restart(schedule or now.schedule, length, now_ns())
        if self.backplane:
            await self.backplane.settled()
        return self._publishing() | {"start_at_ns": now.start_ns}

    def _publishing(self) -> dict[str, object]:
        return {"schedule": str(self.publisher.schedule), "message_bytes": self.publisher.message_bytes}


def build(service: Service) -> web.Application:
    """Return the application that serves `service.names`. The caller starts the publisher."""
    options = service.options
    origins = Origins(options.host, options.allow_host)
    doors: tuple[Door, ...] = (refuse_strangers(origins),)
    if service.limit is not None:
        doors += (service.limit.refuse,)
    app = web.Application(
        middlewares=[json_errors, at(doors), with_room(service.unread)], client_max_size=MESSAGE_BYTES_MAX
    )
    app[ORIGINS], app[DOORS], app[UNREAD] = origins, doors, service.unread
    app.add_routes(
        [
            web.get("/stats", service.stats, allow_head=False),
            web.get("/api/published", service.published, allow_head=False),
            web.get("/clock", service.clock, allow_head=False),
            web.post("/api/message", service.add_message),
            web.put("/api/schedule", service.put_schedule),
        ]
    )
    for name in service.names:
        hear = [service.hear] if patterns.facts(name).hears else []
        for route in patterns.load(name).routes(service.feed, options, *hear):
            handler = caught_up(service, route.handler)
            app.add_routes([web.RouteDef(route.method, route.path, handler, route.kwargs)])
    return app


def caught_up(service: Service, handler: Handler) -> Handler:
    """Let a shared feed first come as far as the client has, who may have asked a faster server before.

    Without that its cursor would be "ahead" of this server, and everything would be sent to it once more.
    """
    feed, backplane = service.feed, service.backplane
    if backplane is None:
        return handler

    async def handle(request: web.Request) -> web.StreamResponse:
        last_id = cursor_of(request)
        if last_id > feed.known_id:
            await backplane.catch_up(last_id)
        return await handler(request)

    return handle


def cursor_of(request: web.Request) -> int:
    """Return the newest id that a client says it has; 0 also for what its handler will refuse."""
    try:
        resumed_at = request.headers.get("Last-Event-ID")
        return parse_last_id(request.raw_path) if resumed_at is None else parse_cursor(resumed_at)
    except BadFieldError:
        return 0


def shortcut(app: web.Application, handle: RequestHandler) -> RequestHandler:
    """Return a request handler that finds a plain GET route by one look-up; `handle` takes all other requests.

    Walking aiohttp's router and middleware chain takes 9 of the 37 us of an empty poll (Python 3.11, one core).
    """
    routes = {
        resource.canonical: route.handler
        for resource in app.router.resources()
        for route in resource
        if isinstance(resource, web.PlainResource) and route.method == hdrs.METH_GET
    }

    doors, unread = app[DOORS], app[UNREAD]

    def dispatch(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        handler = routes.get(request.raw_path.partition("?")[0]) if request.method == hdrs.METH_GET else None
        if handler is None or unread.leaving:
            return handle(request)
        refusal = refused(doors, request)
        return json_errors(cast(web.Request, request), handler) if refusal is None else returned(refusal)

    return dispatch


async def returned(answer: web.StreamResponse) -> web.StreamResponse:
    return answer
