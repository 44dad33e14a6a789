"""HTTP/2 server push: every message its own pushed response, promised on a request that stays open (RFC 9113 8.4).

A client that refuses pushes, or speaks HTTP/1.1, gets JSON lines instead, as chunked streaming sends them. Which of
the two it gets stands in `x-updates-mode`, so that a run that was not pushed can never be counted as push.
"""

import asyncio
import sys
from functools import lru_cache
from itertools import count, takewhile
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from servers.feed.feed import Feed
from servers.feed.history import Replay
from servers.feed.message import id_of
from servers.http2 import PushedResponse, Pusher, client_settings, early_hints, pusher
from servers.patterns import chunked
from servers.settings.options import ServerOptions
from servers.web.errors import error_response
from servers.web.query import parse_cursor, parse_fields
from servers.web.streams import Streams, serve_stream

LABEL = "HTTP/2 push"
PATH = "/api/updates"
HTTP2 = True

PAGES: Final = Path(__file__).parent.parent / "pages" / "push"
BATCH: Final = 64
"""Messages pushed to one client before the others get their turn."""
MAX_WAITING: Final = 1_000
"""Messages that may wait for a client, unless `--send-buffer` allows fewer."""
CACHED: Final = (b"cache-control", b"max-age=60")
"""Of assets. What Chromium may not keep it does not load early either: hints came to nothing without (Chromium 156)."""
JSON_FIELDS: Final = ((b":status", b"200"), (b"content-type", b"application/json"))


def routes(feed: Feed, options: ServerOptions) -> list[web.RouteDef]:
    pushed, inline = PushedUpdates(feed, options), Streams(feed, options, chunked.FRAMING)

    async def updates(request: web.Request) -> web.StreamResponse:
        last_id = parse_cursor(parse_fields(request.query_string).get("last_id", "0"))
        push, headers = pusher(request), cursor_headers(feed.after(last_id))
        if push is None:
            return await serve_stream(
                inline, request, chunked.HEADERS | headers | {"x-updates-mode": "inline"}, last_id
            )
        response = web.StreamResponse(headers=headers | {"x-updates-mode": "pushed", "Cache-Control": "no-cache"})
        response.content_type = "application/json"
        await response.prepare(request)
        await pushed.follow(push, last_id)
        return response

    async def message(request: web.Request) -> web.StreamResponse:
        message_id = parse_cursor(request.match_info["id"], "id")
        bodies = feed.after(message_id - 1).bodies if 0 < message_id <= feed.newest_id else ()
        if not bodies or int(id_of(bodies[0])) != message_id:
            return error_response(404, f"message {message_id} is not kept; first_id is {feed.first_id}", "id")
        return web.Response(body=bodies[0], content_type="application/json")

    return [
        web.get(PATH, updates, allow_head=False),
        web.get("/api/messages/{id}", message, allow_head=False),
        *page_routes(options),
    ]


class PushedUpdates:
    """The clients that take pushes. What waits for a client is its cursor into the feed, never a queue of its own."""

    def __init__(self, feed: Feed, options: ServerOptions) -> None:
        self._feed = feed
        self._options = options
        self._clients: dict[int, Client] = {}
        feed.subscribe(self._wake, clients=lambda: len(self._clients))

    async def follow(self, push: Pusher, last_id: int) -> None:
        """Push what comes after `last_id`, then every new message, until the client leaves or is closed."""
        replay = self._feed.after(last_id)
        known = replay.first_id - 1 <= last_id <= replay.last_id
        first_id = int(id_of(replay.bodies[0])) if replay.bodies else replay.last_id + 1
        client = Client(push, last_id if known else first_id - 1, backlog=len(replay.bodies))
        key = id(client)
        self._clients[key] = client
        push.on_room(lambda: self._advance(client))
        try:
            self._advance(client)
            await client.over
        finally:
            del self._clients[key]

    def _wake(self) -> None:
        for client in list(self._clients.values()):
            self._advance(client)

    def _advance(self, client: "Client") -> None:
        """Push what the client has not got and takes now; close it when it cannot keep up."""
        if client.over.done():
            return
        if self._feed.closed:
            client.close("the server is stopping")
        elif not client.push.enabled:
            client.close("no more pushes on this connection; ask again on another, or inline")
        elif client.last_id != self._feed.newest_id:
            replay = self._feed.after(client.last_id)
            bodies = unbroken(client.last_id, replay)
            if bodies:
                self._push(client, replay, bodies)
            elif replay.bodies:
                client.close("too slow, or lost on its way here: the next message is not kept; ask again to go on")

    def _push(self, client: "Client", replay: Replay, bodies: tuple[bytes, ...]) -> None:
        taken = client.push.push(map(pushed_message, bodies[:BATCH]))
        waiting = len(bodies) - taken
        whole = len(bodies) == len(replay.bodies)
        client.last_id = replay.last_id - waiting if whole else client.last_id + taken
        client.backlog = min(client.backlog, waiting)
        may_wait = min(MAX_WAITING, (self._options.send_buffer_bytes or sys.maxsize) // len(bodies[-1]))
        if waiting > client.backlog + may_wait:
            client.close("too slow: too many messages wait; resume from the last id you have")
        elif taken == BATCH or (not waiting and not whole):
            asyncio.get_running_loop().call_soon(self._advance, client)


class Client:
    """One client that takes pushes. last_id: the newest message pushed to it; over: done when it is closed.

    backlog: the fewest messages that have ever waited for it; only what comes on top counts as falling behind.
    """

    def __init__(self, push: Pusher, last_id: int, backlog: int) -> None:
        self.push = push
        self.last_id = last_id
        self.backlog = backlog
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def close(self, reason: str) -> None:
        self.push.end(reason)
        self.over.set_result(None)


def unbroken(last_id: int, replay: Replay) -> tuple[bytes, ...]:
    """Return the bodies that follow `last_id` without a gap."""
    if replay.first_id <= last_id + 1:
        return replay.bodies
    numbered = zip(count(last_id + 1), replay.bodies, strict=False)
    return tuple(body for _, body in takewhile(lambda one: int(id_of(one[1])) == one[0], numbered))


@lru_cache(maxsize=1024)
def pushed_message(body: bytes) -> PushedResponse:
    """Build the push of a message, once for all clients."""
    return PushedResponse(b"/api/messages/%b" % id_of(body), JSON_FIELDS, body)


def cursor_headers(replay: Replay) -> dict[str, str]:
    return {"x-cursor": replay.cursor, "x-first-id": str(replay.first_id)} if replay.cursor else {}


def page_routes(options: ServerOptions) -> list[web.RouteDef]:
    """Serve the page, its assets told of as `options.page` says, and asked for where they are not pushed.

    `x-page-mode` says what became of it, and /settings what the client's own SETTINGS frame said.
    """
    assets = {"/style.css": ("text/css", "style"), "/script.js": ("text/javascript", "script")}
    bodies = {path: (PAGES / path[1:]).read_bytes() for path in assets}
    links = [f"<{path}>; rel=preload; as={purpose}" for path, (_, purpose) in assets.items()]
    promises = [
        PushedResponse(path.encode(), ((b":status", b"200"), (b"content-type", kind.encode()), CACHED), bodies[path])
        for path, (kind, _) in assets.items()
    ]
    page = (PAGES / "index.html").read_bytes()

    async def index(request: web.Request) -> web.Response:
        mode, push = options.page, pusher(request) if options.page == "push" else None
        if mode == "push":
            mode = "pushed" if push is not None and push.push(promises) else "refused"
        elif mode == "hints":
            mode = "hinted" if early_hints(request, links) else "unhinted"
        await asyncio.sleep(options.page_think_s)
        headers = {"x-page-mode": mode}
        if options.page == "preload":
            headers["Link"] = ", ".join(links)
        return web.Response(body=page, content_type="text/html", charset="utf-8", headers=headers)

    async def asset(request: web.Request) -> web.Response:
        headers = {name.decode(): value.decode() for name, value in [CACHED]}
        return web.Response(body=bodies[request.path], content_type=assets[request.path][0], headers=headers)

    async def settings(request: web.Request) -> web.Response:
        said = client_settings(request)
        if said is None:
            return error_response(404, "HTTP/1.1 has no SETTINGS; ask over HTTP/2", "protocol")
        return web.Response(body=msgspec.json.encode(said), content_type="application/json")

    return [
        web.get("/index.html", index),
        *(web.get(path, asset) for path in assets),
        web.get("/settings", settings, allow_head=False),
    ]
