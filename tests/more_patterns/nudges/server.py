"""Nudges: server-sent events at an address of their own. A pattern that speaks a protocol there was."""

from aiohttp import web

from servers.feed.feed import Feed
from servers.patterns import sse
from servers.settings.options import ServerOptions
from servers.web.query import parse_last_id
from servers.web.streams import Streams, serve_stream

LABEL = "Nudges"
PATH = "/api/nudges"
PROTOCOL = "sse"


def routes(feed: Feed, options: ServerOptions) -> list[web.RouteDef]:
    streams = Streams(feed, options, sse.FRAMING)

    async def events(request: web.Request) -> web.StreamResponse:
        return await serve_stream(
            streams, request, {"Content-Type": "text/event-stream"}, parse_last_id(request.raw_path)
        )

    return [web.get(PATH, events, allow_head=False)]
