"""WebSocket: one text frame a message; the cursor comes in the query, ping and pong find dead peers."""

import asyncio

import msgspec
from aiohttp import WSCloseCode, web

from servers.feed import Feed
from servers.options import ServerOptions
from servers.query import parse_cursor, parse_fields
from servers.streams import Framing, Streams, heartbeat_line

LABEL = "WebSocket"
PATH = "/api/socket"
HTTP2 = False


def text_frame(payload: bytes) -> bytes:
    """Frame one unmasked, final text message (RFC 6455 section 5.2)."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big") + payload
    return b"\x81\x7f" + length.to_bytes(8, "big") + payload


def control(fields: dict[str, object]) -> bytes:
    return text_frame(msgspec.json.encode(fields))


FRAMING = Framing(
    message=lambda _, body: text_frame(body),
    control=control,
    hello=lambda key: control({"type": "connected", "client_id": key}),
    heartbeat=lambda: control(heartbeat_line()),
    wire=lambda payload: payload,
)


def routes(feed: Feed, options: ServerOptions) -> list[web.RouteDef]:
    streams = Streams(feed, options, FRAMING)

    async def socket(request: web.Request) -> web.StreamResponse:
        last_id = parse_cursor(parse_fields(request.query_string).get("last_id", "0"))
        response = web.WebSocketResponse(compress=False, heartbeat=options.heartbeat_s, max_msg_size=4096)
        await response.prepare(request)
        transport = request.transport
        if transport is None:
            return response

        def end() -> None:
            asyncio.create_task(response.close(code=WSCloseCode.GOING_AWAY))

        key = streams.join(transport, last_id, end)
        try:
            async for _ in response:
                pass
        finally:
            streams.leave(key)
        return response

    return [web.get(PATH, socket, allow_head=False)]
