"""Server-Sent Events: messages as events with ids, so that a browser resumes by itself where it was cut off."""

from typing import Final

import msgspec
from aiohttp import web

from servers.feed.feed import Feed
from servers.feed.message import id_of
from servers.settings.options import ServerOptions
from servers.web.query import parse_cursor, parse_last_id
from servers.web.streams import Framing, Streams, chunk, serve_stream

LABEL = "Server-Sent Events"
PATH = "/api/events"

RETRY_MS: Final = 2000
"""How long a browser waits before it reconnects."""


def control_event(fields: dict[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(fields["type"]).encode("ascii"), msgspec.json.encode(fields))


FRAMING: Final = Framing(
    message=lambda body: b"id: %b\ndata: %b\n\n" % (id_of(body), body),
    control=control_event,
    hello=lambda _: b"retry: %d\n\n" % RETRY_MS,
    heartbeat=lambda: b": heartbeat\n\n",
    wire=chunk,
)


def routes(feed: Feed, options: ServerOptions) -> list[web.RouteDef]:
    streams = Streams(feed, options, FRAMING)

    async def events(request: web.Request) -> web.StreamResponse:
        resumed_at = request.headers.get("Last-Event-ID")
        last_id = parse_last_id(request.raw_path) if resumed_at is None else parse_cursor(resumed_at, "Last-Event-ID")
        return await serve_stream(streams, request, {"Content-Type": "text/event-stream"}, last_id)

    return [web.get(PATH, events, allow_head=False)]
