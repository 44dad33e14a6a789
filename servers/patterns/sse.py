"""Server-Sent Events: messages as events with ids, so that a browser resumes by itself where it was cut off."""

import msgspec
from aiohttp import web

from servers.feed import Feed
from servers.options import ServerOptions
from servers.query import parse_cursor, parse_fields
from servers.streams import Framing, Streams, chunk, serve_stream

LABEL = "Server-Sent Events"
PATH = "/api/events"
HTTP2 = False
RETRY_MS = 2000


def event(message_id: int, body: bytes) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (message_id, body)


def control(fields: dict[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(fields["type"]).encode("ascii"), msgspec.json.encode(fields))


FRAMING = Framing(
    message=event,
    control=control,
    hello=lambda _: b"retry: %d\n\n" % RETRY_MS,
    heartbeat=lambda: b": heartbeat\n\n",
    wire=chunk,
)


def routes(feed: Feed, options: ServerOptions) -> list[web.RouteDef]:
    streams = Streams(feed, options, FRAMING)

    async def events(request: web.Request) -> web.StreamResponse:
        resumed = request.headers.get("Last-Event-ID")
        if resumed is None:
            last_id = parse_cursor(parse_fields(request.query_string).get("last_id", "0"))
        else:
            last_id = parse_cursor(resumed, "Last-Event-ID")
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        return await serve_stream(streams, request, headers, last_id)

    return [web.get(PATH, events, allow_head=False)]
