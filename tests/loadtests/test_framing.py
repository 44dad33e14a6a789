"""What our servers frame, our decoders unframe: the same bodies, and not a byte more or less."""

import base64
import hashlib
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.protocols.events import Message, StreamDecoder
from loadtests.protocols.stream_decoders import LinesDecoder, SseDecoder
from loadtests.protocols.websocket_decoder import WebSocketDecoder
from servers.patterns import chunked, sse, websocket
from servers.web.streams import Framing

CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
UPGRADE_HEAD = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    + ACCEPT
    + b"\r\n\r\n"
)
BODIES = st.lists(
    st.text(min_size=1, max_size=70_000).map(lambda content: msgspec.json.encode({"id": 1, "content": content})),
    max_size=5,
)


class Kind(NamedTuple):
    """How one pattern's server frames, and what reads it."""

    head: bytes
    framing: Framing
    decoder: Callable[[], StreamDecoder]


KINDS = {
    "chunked": Kind(CHUNKED_HEAD, chunked.FRAMING, lambda: LinesDecoder(b"")),
    "sse": Kind(CHUNKED_HEAD, sse.FRAMING, lambda: SseDecoder(b"")),
    "websocket": Kind(UPGRADE_HEAD, websocket.FRAMING, lambda: WebSocketDecoder(b"", KEY)),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


@every_kind
@given(bodies=BODIES)
def test_a_message_costs_exactly_the_bytes_that_the_server_wrote_for_it(kind: Kind, bodies: list[bytes]) -> None:
    decoder = kind.decoder()
    decoder.receive(kind.head)
    for body in bodies:
        wire = kind.framing.wire(kind.framing.message(body))
        assert decoder.receive(wire) == [Message(body, len(wire))]


@every_kind
@given(bodies=BODIES)
def test_a_burst_written_at_once_is_the_same_messages_and_the_same_bytes(kind: Kind, bodies: list[bytes]) -> None:
    decoder = kind.decoder()
    decoder.receive(kind.head)
    wire = kind.framing.wire(b"".join(map(kind.framing.message, bodies))) if bodies else b""
    messages = [event for event in decoder.receive(wire) if isinstance(event, Message)]
    assert [message.body for message in messages] == bodies
    assert sum(message.wire_bytes for message in messages) == len(wire)


@every_kind
def test_what_the_server_says_of_the_cursor_comes_out_with_its_type(kind: Kind) -> None:
    decoder, said = kind.decoder(), {"type": "gone", "first_id": 7}
    decoder.receive(kind.head)
    (event,) = decoder.receive(kind.framing.wire(kind.framing.control(said)))
    assert isinstance(event, Message)
    assert msgspec.json.decode(event.body) == said
