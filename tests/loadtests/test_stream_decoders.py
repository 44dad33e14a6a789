"""The decoders of streams, fed with what our servers write: whole, byte by byte, in random pieces, and with a tail."""

import base64
import hashlib
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.events import Closed, Event, Head, Message, ProtocolError, StreamDecoder
from loadtests.stream_decoders import LinesDecoder, SseDecoder, WebSocketDecoder, client_frame
from servers.patterns import chunked, sse, websocket
from servers.patterns.websocket import text_frame
from servers.streams import Framing, chunk

CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
UPGRADE_HEAD = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"
)
BODIES = st.lists(
    st.text(min_size=1, max_size=300).map(lambda content: msgspec.json.encode({"id": 1, "content": content})),
    max_size=12,
)


class Kind:
    """One decoder, and how the server that it reads frames a message."""

    def __init__(self, head: bytes, decoder: Callable[[], StreamDecoder], framing: Framing) -> None:
        self.head = head
        self.decoder = decoder
        self.framing = framing

    def frame(self, body: bytes) -> bytes:
        return self.framing.wire(self.framing.message(body))

    def control(self, fields: dict[str, object]) -> bytes:
        return self.framing.wire(self.framing.control(fields))


KINDS = {
    "chunked": Kind(CHUNKED_HEAD, lambda: LinesDecoder(b"ask"), chunked.FRAMING),
    "sse": Kind(CHUNKED_HEAD, lambda: SseDecoder(b"ask"), sse.FRAMING),
    "websocket": Kind(UPGRADE_HEAD, lambda: WebSocketDecoder(b"ask", KEY), websocket.FRAMING),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


def events_of(decoder: StreamDecoder, pieces: list[bytes]) -> list[Event]:
    return [event for piece in pieces for event in decoder.receive(piece)]


def bodies_of(events: list[Event]) -> list[bytes]:
    return [event.body for event in events if isinstance(event, Message)]


def wire_bytes_of(events: list[Event]) -> int:
    return sum(event.wire_bytes for event in events if isinstance(event, Message))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in zip(edges, edges[1:], strict=False)]


@every_kind
@given(bodies=BODIES, places=st.lists(st.integers(0, 10_000), max_size=20))
def test_however_the_bytes_are_cut_the_same_messages_come_out(
    kind: Kind, bodies: list[bytes], places: list[int]
) -> None:
    wire = kind.head + b"".join(map(kind.frame, bodies))
    for pieces in ([wire], [wire[at : at + 1] for at in range(len(wire))], cut(wire, places)):
        assert bodies_of(events_of(kind.decoder(), pieces)) == bodies


@every_kind
@given(bodies=BODIES)
def test_a_tail_waits_for_its_rest(kind: Kind, bodies: list[bytes]) -> None:
    decoder, last = kind.decoder(), kind.frame(b'{"id":2,"content":""}')
    before = events_of(decoder, [kind.head + b"".join(map(kind.frame, bodies)) + last[:-3]])
    assert bodies_of(before) == bodies
    assert bodies_of(decoder.receive(last[-3:])) == [b'{"id":2,"content":""}']


@every_kind
@given(bodies=BODIES)
def test_messages_read_one_by_one_carry_the_bytes_of_their_own_framing(kind: Kind, bodies: list[bytes]) -> None:
    decoder = kind.decoder()
    decoder.receive(kind.head)
    sizes = [wire_bytes_of(decoder.receive(kind.frame(body))) for body in bodies]
    assert sizes == [len(kind.frame(body)) for body in bodies]


@every_kind
@given(bodies=BODIES)
def test_bytes_are_neither_invented_nor_lost_when_many_messages_come_in_one_read(
    kind: Kind, bodies: list[bytes]
) -> None:
    wire = b"".join(map(kind.frame, bodies))
    assert wire_bytes_of(events_of(kind.decoder(), [kind.head + wire])) == len(wire)


@every_kind
def test_the_first_output_is_the_request_and_the_first_event_the_head(kind: Kind) -> None:
    decoder = kind.decoder()
    assert decoder.take_output() == b"ask"
    assert decoder.take_output() == b""
    assert decoder.receive(kind.head) == [Head(101 if kind is KINDS["websocket"] else 200)]


@every_kind
def test_another_status_closes_the_stream_with_the_error_status(kind: Kind) -> None:
    refusal = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}"
    head, closed = kind.decoder().receive(refusal)
    assert head == Head(429)
    assert isinstance(closed, Closed) and closed.error == "status"


@every_kind
@pytest.mark.parametrize("garbage", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00" * 70_000])
def test_what_is_not_http_is_a_protocol_error(kind: Kind, garbage: bytes) -> None:
    with pytest.raises(ProtocolError):
        kind.decoder().receive(garbage)


@pytest.mark.parametrize("name", ["chunked", "sse"])
def test_the_last_chunk_ends_the_stream_cleanly(name: str) -> None:
    kind = KINDS[name]
    events = kind.decoder().receive(kind.head + kind.frame(b'{"id":1,"content":""}') + b"0\r\n\r\n")
    assert [type(event) for event in events] == [Head, Message, Closed]
    assert events[-1] == Closed("", "")


@pytest.mark.parametrize("name", ["chunked", "sse"])
@pytest.mark.parametrize("size", [b"\r\n", b"xyz\r\n", b"-1\r\n", b"+5\r\n", b"0x5\r\n", b"1_0\r\n", b"5" * 2_000])
def test_a_broken_chunk_size_is_a_protocol_error(name: str, size: bytes) -> None:
    with pytest.raises(ProtocolError):
        KINDS[name].decoder().receive(CHUNKED_HEAD + size)


@given(bodies=BODIES, places=st.lists(st.integers(0, 10_000), max_size=20))
def test_lines_do_not_depend_on_where_chunks_end(bodies: list[bytes], places: list[int]) -> None:
    text = b"".join(body + b"\n" for body in bodies)
    wire = CHUNKED_HEAD + b"".join(chunk(piece) for piece in cut(text, places) if piece)
    assert bodies_of(LinesDecoder(b"").receive(wire)) == bodies


@every_kind
def test_what_the_server_says_of_the_cursor_comes_out_as_a_line_with_a_type(kind: Kind) -> None:
    events = kind.decoder().receive(kind.head + kind.control({"type": "gone", "first_id": 7}))
    assert [msgspec.json.decode(body) for body in bodies_of(events)] == [{"type": "gone", "first_id": 7}]


def test_an_sse_comment_and_a_retry_are_nothing() -> None:
    wire = CHUNKED_HEAD + chunk(sse.FRAMING.hello(1)) + chunk(sse.FRAMING.heartbeat())
    assert bodies_of(SseDecoder(b"").receive(wire)) == []


def test_sse_data_over_several_lines_is_joined() -> None:
    wire = CHUNKED_HEAD + chunk(b"id: 1\ndata: one\ndata:two\n\n")
    assert bodies_of(SseDecoder(b"").receive(wire)) == [b"one\ntwo"]


class TestWebSocket:
    """What RFC 6455 asks of a client."""

    def decoder(self) -> WebSocketDecoder:
        decoder = WebSocketDecoder(b"", KEY)
        decoder.receive(UPGRADE_HEAD)
        return decoder

    @pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
    def test_every_length_form_is_read(self, length: int) -> None:
        payload = b"x" * length
        assert self.decoder().receive(text_frame(payload)) == [Message(payload, len(text_frame(payload)))]

    def test_a_fragmented_message_is_one_message_and_a_ping_may_come_between(self) -> None:
        decoder = self.decoder()
        events = decoder.receive(b"\x01\x02ab" + b"\x89\x01p" + b"\x80\x02cd")
        assert events == [Message(b"abcd", 8)]
        assert decoder.take_output() == client_frame(10, b"p")

    def test_a_ping_is_answered_with_its_payload_masked(self) -> None:
        decoder = self.decoder()
        assert decoder.receive(b"\x89\x04ping") == []
        answer = decoder.take_output()
        assert answer[0] == 0x8A
        assert answer[1] == 0x80 | 4
        mask = answer[2:6]
        assert bytes(byte ^ mask[at % 4] for at, byte in enumerate(answer[6:])) == b"ping"

    def test_a_close_is_answered_once_and_ends_the_stream(self) -> None:
        decoder = self.decoder()
        payload = (1001).to_bytes(2, "big") + b"going away"
        events = decoder.receive(bytes((0x88, len(payload))) + payload + text_frame(b"too late"))
        assert events == [Closed("", "going away")]
        assert decoder.take_output()[:2] == bytes((0x88, 0x82))
        assert decoder.receive(text_frame(b"later still")) == []

    @pytest.mark.parametrize(
        "frame",
        [
            b"\x81\x81" + bytes(4) + b"x",
            b"\xc1\x01x",
            b"\x83\x01x",
            b"\x09\x00",
            b"\x80\x01x",
            b"\x01\x01a\x81\x01b",
            b"\x81\x7f" + (2**40).to_bytes(8, "big"),
        ],
        ids=["masked", "reserved bit", "reserved opcode", "fragmented ping", "lone continuation", "nested", "huge"],
    )
    def test_a_frame_no_server_may_send_is_a_protocol_error(self, frame: bytes) -> None:
        with pytest.raises(ProtocolError):
            self.decoder().receive(frame)

    def test_a_server_that_did_not_read_the_key_is_refused(self) -> None:
        with pytest.raises(ProtocolError):
            WebSocketDecoder(b"", b"another key").receive(UPGRADE_HEAD)
