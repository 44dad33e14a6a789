"""WebSocket: one text frame a message; the cursor comes in the query. What clients send is read and ignored.

That they send it is not: a client that leaves pings unanswered is cut (RFC 6455 section 5.5.2 obliges it to answer).
"""

import asyncio
from functools import partial
from typing import Final

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from servers.feed.feed import Feed
from servers.settings.options import ServerOptions
from servers.web.errors import error_response
from servers.web.query import parse_last_id
from servers.web.streams import Framing, Streams, heartbeat_fields

LABEL = "WebSocket"
PATH = "/api/socket"
HTTP2 = False

PING: Final = b"\x89\x00"
CLIENT_FRAME_BYTES_MAX: Final = 4096


def text_frame(payload: bytes) -> bytes:
    """Frame one final, unmasked text message (RFC 6455 section 5.2)."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big") + payload
    return b"\x81\x7f" + length.to_bytes(8, "big") + payload


def control_frame(fields: dict[str, object]) -> bytes:
    return text_frame(msgspec.json.encode(fields))


FRAMING: Final = Framing(
    message=text_frame,
    control=control_frame,
    hello=lambda number: control_frame({"type": "connected", "client_id": number}),
    heartbeat=lambda: PING + control_frame(heartbeat_fields()),
    wire=bytes,
)


def hang_up(response: web.WebSocketResponse) -> None:
    """Begin the closing handshake; the handler goes on when it is over."""
    task = asyncio.create_task(response.close(code=WSCloseCode.GOING_AWAY))
    _hanging_up.add(task)
    task.add_done_callback(_hanging_up.discard)


_hanging_up: Final[set[asyncio.Task[bool]]] = set()
"""Keeps the tasks alive until they are done; the loop itself refers to tasks weakly."""


def routes(feed: Feed, options: ServerOptions) -> list[web.RouteDef]:
    streams = Streams(feed, options, FRAMING)

    async def socket(request: web.Request) -> web.StreamResponse:
        last_id = parse_last_id(request.raw_path)
        response = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=CLIENT_FRAME_BYTES_MAX)
        if not response.can_prepare(request).ok:
            return error_response(426, f"{PATH} speaks WebSocket over HTTP/1.1", "Upgrade", {"Upgrade": "websocket"})
        await response.prepare(request)
        if request.transport is None:
            return response
        number = streams.join(request.transport, last_id, partial(hang_up, response), answers=True)
        try:
            async for message in response:
                streams.heard(number)
                if message.type is WSMsgType.PING:
                    await response.pong(message.data)
        finally:
            streams.leave(number)
        return response

    return [web.get(PATH, socket, allow_head=False)]
