"""The short way of a read that is one whole message says what `receive` says, and is taken whenever it may be.

Decoders of one kind share what the last read said, so each example is also held against what examples before it left.
"""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.foreign.traced_lines import TracedLinesDecoder
from loadtests.protocols.events import Event, Message, ProtocolError, StreamDecoder
from loadtests.protocols.lone import LONE_BYTES
from loadtests.protocols.stream_decoders import LinesDecoder, SseDecoder
from tests.loadtests.test_decoders import STREAM_HEAD, chunk, lines_decoder, sse_decoder
from tests.loadtests.test_websocket_decoder import HEAD as SOCKET_HEAD
from tests.loadtests.test_websocket_decoder import decoder as socket_decoder
from tests.websocket_cases import frame

Protocol = tuple[Callable[[], StreamDecoder], bytes, Callable[[bytes], bytes], Callable[[bytes], bytes]]
"""A new decoder, the head of the response, the framing of a message, the framing of what is none."""


def event(text: bytes) -> bytes:
    return chunk(b"id: 7\ndata: " + text + b"\n\n")


def line(text: bytes) -> bytes:
    return chunk(text + b"\n")


PROTOCOLS: dict[str, Protocol] = {
    "chunked": (lines_decoder, STREAM_HEAD, line, lambda text: chunk(b" " * len(text) + b"\n")),
    "lines of others": (
        lambda: TracedLinesDecoder(b"", gzip=False, limit_bytes=1_000_000),
        STREAM_HEAD,
        line,
        lambda text: chunk(b" " * len(text) + b"\r\n"),
    ),
    "sse": (sse_decoder, STREAM_HEAD, event, lambda text: chunk(b": " + text + b"\n\n")),
    "websocket": (socket_decoder, SOCKET_HEAD, lambda text: frame(0x81, text), lambda text: frame(0x89, text[:125])),
}
protocols = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
texts = st.text("{}\r\n :dé\0", max_size=9).map(lambda text: b'{"a":"' + text.encode() + b'"}')
plain_texts = st.integers(0, 200).map(lambda size: b'{"a":"' + b"m" * size + b'"}')
pieces_of = st.lists(st.tuples(texts | plain_texts, st.sampled_from(["message", "nothing", "broken"])), max_size=8)


def whole(decoder: StreamDecoder, reads: list[bytes]) -> tuple[list[Event], bytes, str]:
    """Return what `receive` alone says: events, output, and what was wrong."""
    said: list[Event] = []
    try:
        for data in reads:
            said += decoder.receive(data)
    except ProtocolError as wrong:
        return [*said, *wrong.events], decoder.take_output(), str(wrong)
    return said, decoder.take_output(), ""


def shortened(decoder: StreamDecoder, reads: list[bytes]) -> tuple[list[Event], bytes, str]:
    """Return the same by the short way, where there is one."""
    said: list[Event] = []
    try:
        for data in reads:
            body = decoder.lone(data)
            said += decoder.receive(data) if body is None else [Message(body, len(data))]
    except ProtocolError as wrong:
        return [*said, *wrong.events], decoder.take_output(), str(wrong)
    return said, decoder.take_output(), ""


@protocols
@given(pieces=pieces_of, data=st.data())
def test_the_short_way_says_what_the_long_one_says(
    protocol: Protocol, pieces: list[tuple[bytes, str]], data: st.DataObject
) -> None:
    new, head, message, nothing = protocol
    wire, edges = head, [len(head)]
    for text, kind in pieces:
        piece = nothing(text) if kind == "nothing" else message(text)
        wire += piece[: len(piece) // 2] + piece[len(piece) // 2 + 1 :] if kind == "broken" else piece
        edges.append(len(wire))
    cuts = data.draw(st.sets(st.sampled_from(edges)) | st.sets(st.integers(0, len(wire))))
    reads = [wire[begin:end] for begin, end in pairwise(sorted({0, len(wire), *cuts}))]
    assert shortened(new(), reads) == whole(new(), reads)


@protocols
@given(pieces=st.lists(st.tuples(plain_texts, st.booleans()), min_size=1, max_size=8))
def test_every_read_that_is_one_whole_message_goes_the_short_way(
    protocol: Protocol, pieces: list[tuple[bytes, bool]]
) -> None:
    new, head, message, nothing = protocol
    decoder = new()
    decoder.receive(head)
    first = message(b"{}")
    decoder.receive(first)
    for text, is_message in pieces:
        if is_message:
            assert decoder.lone(message(text)) == text
        else:
            assert decoder.lone(nothing(text)) is None
            decoder.receive(nothing(text))


@protocols
def test_what_two_clients_hear_alike_is_one_body_for_both(protocol: Protocol) -> None:
    new, head, message, _ = protocol
    bodies = []
    for decoder in (new(), new()):
        decoder.receive(head)
        decoder.receive(message(b"{}"))
        bodies.append(decoder.lone(message(b'{"id":7}')))
    assert bodies[0] == b'{"id":7}'
    assert bodies[0] is bodies[1]


def test_a_client_that_has_heard_nothing_yet_still_looks_for_a_byte_order_mark() -> None:
    known, new = sse_decoder(), sse_decoder()
    for decoder in (known, new):
        decoder.receive(STREAM_HEAD)
    known.receive(event(b"1"))
    assert known.lone(event(b"2")) == b"2"
    assert new.lone(event(b"2")) is None


def test_an_event_without_an_id_has_that_of_the_one_before_it_whichever_way_that_came() -> None:
    decoder = sse_decoder()
    decoder.receive(STREAM_HEAD + event(b"1"))
    assert decoder.lone(chunk(b"id: 8\ndata: 2\n\n")) == b"2"
    assert decoder.receive(chunk(b"data: 3\n\n")) == [Message(b"3", 14)]
    assert (decoder.found[0].id, decoder.last_id) == (b"8", b"8")


@pytest.mark.parametrize("kind", [LinesDecoder, SseDecoder])
def test_who_takes_less_than_the_longest_read_has_no_short_way(kind: type[LinesDecoder | SseDecoder]) -> None:
    for limit_bytes, short in ((LONE_BYTES, True), (LONE_BYTES - 1, False)):
        decoder = kind(b"", limit_bytes=limit_bytes)
        decoder.receive(STREAM_HEAD + (first := (line if kind is LinesDecoder else event)(b"{}")))
        assert (decoder.lone(first) is not None) is short
