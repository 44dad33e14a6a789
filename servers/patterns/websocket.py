"""WebSocket: one text frame a message; the cursor comes in the query. What clients send is read and ignored.

That they send it is not: a client that leaves pings unanswered is cut (RFC 6455 section 5.5.2 obliges it to answer).
"""

from functools import partial
from typing import Final

import msgspec
from aiohttp import web

from servers.feed.feed import Feed
from servers.settings.options import ServerOptions
from servers.web.query import parse_last_id
from servers.web.streams import Framing, Streams, heartbeat_fields
from servers.web.websocket import GOING_AWAY, accept, refusal
from servers.web.websocket_frames import FINAL, TEXT, frame

LABEL = "WebSocket"
PATH = "/api/socket"

PING: Final = b"\x89\x00"
CLIENT_FRAME_BYTES_MAX: Final = 4096


def text_frame(payload: bytes) -> bytes:
    """Frame one final, unmasked text message (RFC 6455 section 5.2)."""
    return frame(FINAL | TEXT, payload)


def control_frame(fields: dict[str, object]) -> bytes:
    return text_frame(msgspec.json.encode(fields))


FRAMING: Final = Framing(
    message=text_frame,
    control=control_frame,
    hello=lambda number: control_frame({"type": "connected", "client_id": number}),
    heartbeat=lambda: PING + control_frame(heartbeat_fields()),
    wire=bytes,
)


def routes(feed: Feed, options: ServerOptions) -> list[web.RouteDef]:
    streams = Streams(feed, options, FRAMING)

    async def socket(request: web.Request) -> web.StreamResponse:
        last_id = parse_last_id(request.raw_path)
        refused = refusal(request)
        if refused is not None:
            return refused
        response, client = await accept(request, CLIENT_FRAME_BYTES_MAX)
        number = streams.join(client.transport, last_id, partial(client.close, GOING_AWAY), answers=True)
        client.heard = lambda _opcode, _payload: streams.heard(number)
        client.left = partial(streams.leave, number)
        try:
            await client.listen()
        finally:
            streams.leave(number)
        return response

    return [web.get(PATH, socket, allow_head=False)]
