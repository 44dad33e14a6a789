"""WebSocket: one text frame a message, in both directions; the cursor comes in the query.

What a client sends is published as the body of `POST /api/message` is, and comes back as a message to all, to it too.
One that is refused is answered with a control frame that says why, by the words of that POST's answer.

A client that leaves pings unanswered is cut (RFC 6455 section 5.5.2 obliges it to answer).
"""

from functools import partial
from typing import Final

import msgspec
from aiohttp import web

from servers.feed.feed import Feed
from servers.patterns import Hear
from servers.settings.options import ServerOptions
from servers.settings.served import MESSAGE_BYTES_MAX
from servers.web.errors import UnavailableError
from servers.web.query import BadFieldError, parse_last_id
from servers.web.streams import Framing, Streams, heartbeat_fields
from servers.web.websocket import GOING_AWAY, accept, refusal
from servers.web.websocket_frames import FINAL, TEXT, FrameError, frame

LABEL = "WebSocket"
PATH = "/api/socket"
HEARS = True

PING: Final = b"\x89\x00"


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


def text_of(opcode: int, payload: bytes) -> str:
    """Return what a message says. Raises BadFieldError for a binary one."""
    if opcode != TEXT:
        raise BadFieldError("content", "is binary; send it as text")
    return payload.decode("utf-8")


def refused_frame(error: str, field: str) -> bytes:
    return control_frame({"type": "refused", "error": error, "field": field})


def routes(feed: Feed, options: ServerOptions, hear: Hear) -> list[web.RouteDef]:
    streams = Streams(feed, options, FRAMING)

    async def socket(request: web.Request) -> web.StreamResponse:
        last_id = parse_last_id(request.raw_path)
        refused = refusal(request)
        if refused is not None:
            return refused
        response, client = await accept(request, MESSAGE_BYTES_MAX, options.body_timeout_s)
        number = streams.join(client.transport, last_id, partial(client.close, GOING_AWAY), answers=True)
        client.heard = partial(streams.heard, number)
        client.left = partial(streams.leave, number)
        client.listen()
        try:
            while (said := await client.receive()) is not None:
                try:
                    await hear(request.remote or "", text_of(*said))
                except (BadFieldError, UnavailableError) as wrong:
                    client.say(refused_frame(str(wrong), wrong.field))
        except FrameError as broken:
            client.say(refused_frame(str(broken), "frame"))
            client.close(broken.code)
        finally:
            streams.leave(number)
        return response

    return [web.get(PATH, socket, allow_head=False)]
