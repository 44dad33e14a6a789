"""The short way of a read that is one whole message says what `receive` says, and is taken whenever it may be."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.protocols.events import Event, Message, ProtocolError, StreamDecoder
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
    "chunked": (
        lines_decoder,
        STREAM_HEAD,
        lambda text: chunk(text + b"\n"),
        lambda text: chunk(b" " * len(text) + b"\n"),
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
