"""Netstrings: messages as LENGTH:BODY, in one response that stays open. A pattern with a protocol of its own."""

import msgspec
from aiohttp import web

from servers.feed.feed import Feed
from servers.settings.options import ServerOptions
from servers.web.query import parse_last_id
from servers.web.streams import Framing, Streams, chunk, heartbeat_fields, serve_stream

LABEL = "Netstrings"
PATH = "/api/netstrings"


def netstring(body: bytes) -> bytes:
    return b"%d:%b," % (len(body), body)


def control(fields: dict[str, object]) -> bytes:
    return netstring(msgspec.json.encode(fields))


FRAMING = Framing(
    message=netstring,
    control=control,
    hello=lambda number: control({"type": "connected", "client_id": number}),
    heartbeat=lambda: control(heartbeat_fields()),
    wire=chunk,
)


def routes(feed: Feed, options: ServerOptions) -> list[web.RouteDef]:
    streams = Streams(feed, options, FRAMING)

    async def stream(request: web.Request) -> web.StreamResponse:
        return await serve_stream(streams, request, {"Content-Type": "text/plain"}, parse_last_id(request.raw_path))

    return [web.get(PATH, stream, allow_head=False)]
