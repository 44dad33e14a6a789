"""The HTTP/1.1 decoders: bytes may be cut anywhere, every byte is accounted for, and bad bytes are refused."""

import zlib
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.protocols.events import Closed, Event, Head, Message, ProtocolError
from loadtests.protocols.http1 import HEAD_MAX_BYTES, HeadReader, ResponseReader, get
from loadtests.protocols.http1_bodies import CHUNK_LINE_MAX_BYTES, ChunkReader
from loadtests.protocols.stream_decoders import LinesDecoder, SseDecoder
from tests.loadtests.cuts import SINGLE, WHOLE, cuts, events_of, reads

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

lines = st.binary(min_size=1, max_size=300).map(lambda body: body.replace(b"\n", b" "))
bodies = lines.map(lambda body: body.replace(b"\r", b" "))
sizes = st.lists(st.integers(min_value=1, max_value=200), min_size=1, max_size=12)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def in_chunks(text: bytes, lengths: Sequence[int]) -> bytes:
    """Frame text in chunks that begin and end anywhere, as a proxy may."""
    return b"".join(map(chunk, reads(text, lengths)))


def plain_response(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\nX-Any: thing\r\n\r\n%b" % (status, len(body), body)


def chunked_response(body: bytes) -> bytes:
    return STREAM_HEAD + in_chunks(body, (7, 1, 30)) + LAST_CHUNK


def messages(events: list[Event]) -> list[Message]:
    return [event for event in events if isinstance(event, Message)]


def sse_decoder() -> SseDecoder:
    return SseDecoder(get("h", "/"))


def lines_decoder() -> LinesDecoder:
    return LinesDecoder(get("h", "/"))


def unpacking_decoder() -> LinesDecoder:
    return LinesDecoder(get("h", "/", "Accept-Encoding: gzip\r\n"), gzip=True)


# Whole responses


@given(st.lists(st.tuples(st.binary(max_size=400), st.booleans()), min_size=1, max_size=4), cuts)
def test_responses_on_one_connection_come_out_one_by_one(wanted: list[tuple[bytes, bool]], lengths: list[int]) -> None:
    reader = ResponseReader()
    for body, as_chunks in wanted:
        pieces = reads(chunked_response(body) if as_chunks else plain_response(body), lengths)
        assert [reader.receive(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
        assert (reader.status, reader.body, reader.keep_alive) == (200, body, True)
        assert ("transfer-encoding" in reader.headers, reader.headers.get("x-any")) == (
            (True, None) if as_chunks else (False, "thing")
        )


@pytest.mark.parametrize("lengths", [WHOLE, SINGLE])
def test_an_error_is_a_response_like_any_other(lengths: Sequence[int]) -> None:
    reader = ResponseReader()
    data = b"HTTP/1.1 429 Slow Down\r\nRetry-After: 3\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    assert [reader.receive(piece) for piece in reads(data, lengths)][-1]
    assert (reader.status, reader.headers["retry-after"], reader.keep_alive) == (429, "3", False)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ],
)
@pytest.mark.parametrize("lengths", [WHOLE, SINGLE])
def test_what_is_no_response_is_refused(data: bytes, lengths: Sequence[int]) -> None:
    reader = ResponseReader()
    with pytest.raises(ProtocolError, match=r"not an HTTP/1\.1 response|not a chunk size|Content-Length"):
        for piece in reads(data, lengths):
            reader.receive(piece)


def test_bytes_that_nobody_asked_for_after_a_response_are_refused() -> None:
    with pytest.raises(ProtocolError):
        ResponseReader().receive(plain_response(b"{}") + b"and more")


# Heads


@given(st.binary(max_size=200), cuts)
def test_a_head_leaves_what_follows_it_alone(tail: bytes, lengths: list[int]) -> None:
    reader, rest = HeadReader(), b""
    head_read = False
    for piece in reads(STREAM_HEAD + tail, lengths):
        if head_read:
            rest += piece
        else:
            after = reader.receive(piece)
            head_read = after is not None
            rest += after or b""
    assert (reader.status, reader.headers["transfer-encoding"], rest) == (200, "chunked", tail)


@pytest.mark.parametrize(
    "first", [b"SSH-2.0-x", b"HTTP/2 200 OK", b"HTTP/1.1", b"HTTP/1.1 2x0 OK", b"HTTP/1.1 2\xb20 OK", b"", b"\xff\xfe"]
)
def test_a_head_that_is_not_http_1_is_refused(first: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"not an HTTP/1\.1 response"):
        HeadReader().receive(first + b"\r\nA: b\r\n\r\n")


def test_a_head_without_end_is_refused_before_it_fills_the_memory() -> None:
    reader, fed_bytes = HeadReader(), 0
    reader.receive(b"HTTP/1.1 200 OK\r\nA: ")
    with pytest.raises(ProtocolError, match="without end"):
        for _ in range(HEAD_MAX_BYTES):
            fed_bytes += 1000
            reader.receive(b"X" * 1000)
    assert fed_bytes <= HEAD_MAX_BYTES + 1000


# Chunks


@given(st.binary(max_size=1000), sizes, cuts, st.sampled_from([b"", b";name=value", b"  "]))
def test_chunks_give_back_what_was_put_in_and_count_every_other_byte(
    text: bytes, lengths: list[int], cut: list[int], extension: bytes
) -> None:
    framed = b"".join(b"%X%b\r\n%b\r\n" % (len(part), extension, part) for part in reads(text, lengths))
    reader = ChunkReader()
    assert b"".join(map(reader.receive, reads(framed, cut))) == text
    assert reader.framing_bytes == len(framed) - len(text)
    assert not reader.ended
    assert reader.receive(LAST_CHUNK + b"tail") == b""
    assert reader.ended


@pytest.mark.parametrize("size", [b"x", b"", b"-1", b"0x10", b"+5", b"1_0", b"\xb2", b";a"])
@pytest.mark.parametrize("lengths", [WHOLE, SINGLE])
def test_a_chunk_size_that_is_no_hexadecimal_number_is_refused(size: bytes, lengths: Sequence[int]) -> None:
    reader = ChunkReader()
    with pytest.raises(ProtocolError, match="not a chunk size"):
        for piece in reads(chunk(b"good") + size + b"\r\n", lengths):
            reader.receive(piece)


def test_a_chunk_size_without_end_is_refused() -> None:
    reader = ChunkReader()
    with pytest.raises(ProtocolError, match="without end"):
        for _ in range(CHUNK_LINE_MAX_BYTES + 2):
            reader.receive(b"1")


# Streams of text


@pytest.mark.parametrize(
    ("decoder", "framed"),
    [(lines_decoder, b"%b\n"), (sse_decoder, b"data: %b\n\n"), (sse_decoder, b"id: 7\nevent: gone\ndata:%b\n\n")],
    ids=["lines", "events", "control events"],
)
@given(wanted=st.lists(bodies, max_size=8), last=bodies, lengths=sizes, cut=cuts)
def test_text_comes_out_message_by_message_and_no_byte_is_lost(
    decoder: Callable[[], LinesDecoder | SseDecoder],
    framed: bytes,
    wanted: list[bytes],
    last: bytes,
    lengths: list[int],
    cut: list[int],
) -> None:
    stream = decoder()
    last = b"x" + last
    wanted = [b"x" + body for body in wanted]
    body = in_chunks(b"".join(framed % one for one in wanted), lengths)
    final = chunk(framed % last)
    events = events_of(stream, STREAM_HEAD + body, cut) + stream.receive(final)
    assert events[0] == Head(200)
    assert [message.body for message in messages(events)] == [*wanted, last]
    assert sum(message.wire_bytes for message in messages(events)) == len(body) + len(final)
    assert stream.receive(LAST_CHUNK) == [Closed("", "")]
    assert stream.receive(b"more") == []


@given(st.lists(st.one_of(bodies, st.none()), max_size=12), cuts)
def test_comments_and_retry_are_no_messages(wanted: list[bytes | None], cut: list[int]) -> None:
    events = [b": heartbeat\n\n" if body is None else b"id: 1\ndata: %b\n\n" % body for body in wanted]
    data = STREAM_HEAD + chunk(b"retry: 2000\n\n") + b"".join(map(chunk, events))
    seen = messages(events_of(sse_decoder(), data, cut))
    assert [message.body for message in seen] == [body for body in wanted if body is not None]


def test_an_event_that_comes_alone_costs_its_chunk_head_fields_and_nothing_else() -> None:
    stream = sse_decoder()
    stream.receive(STREAM_HEAD)
    event = chunk(b'id: 1\ndata: {"id":1}\n\n')
    assert stream.receive(event) == [Message(b'{"id":1}', len(event))]


def test_a_last_line_may_lack_its_end_and_an_event_may_not() -> None:
    assert lines_decoder().receive(STREAM_HEAD + chunk(b"half") + LAST_CHUNK)[1:] == [
        Message(b"half", 14),
        Closed("", ""),
    ]
    assert messages(sse_decoder().receive(STREAM_HEAD + chunk(b"data: half\n") + LAST_CHUNK)) == []


@pytest.mark.parametrize("decoder", [lines_decoder, sse_decoder])
@pytest.mark.parametrize("lengths", [WHOLE, SINGLE])
def test_another_status_closes_the_stream_and_its_body_is_no_message(
    decoder: Callable[[], LinesDecoder | SseDecoder], lengths: Sequence[int]
) -> None:
    events = events_of(decoder(), plain_response(b'{"error":"no"}\n\n', b"503 Busy"), lengths)
    assert events == [Head(503), Closed("status", "the server answered 503")]


@pytest.mark.parametrize("decoder", [lines_decoder, sse_decoder])
def test_a_bad_chunk_in_a_stream_is_refused(decoder: Callable[[], LinesDecoder | SseDecoder]) -> None:
    with pytest.raises(ProtocolError, match="not a chunk size"):
        decoder().receive(STREAM_HEAD + b"zz\r\nx\r\n")


# Compressed streams


GZIP_HEAD = STREAM_HEAD.replace(b"event-stream", b"event-stream\r\nContent-Encoding: gzip")


def flushed(wanted: Sequence[bytes]) -> list[bytes]:
    """Compress lines one after the other, each flushed, as one stream."""
    deflate = zlib.compressobj(wbits=31)
    return [deflate.compress(body + b"\n") + deflate.flush(zlib.Z_SYNC_FLUSH) for body in wanted]


@given(st.lists(bodies.map(lambda body: b"x" + body), max_size=8), cuts, sizes)
def test_a_compressed_stream_brings_the_same_messages_however_it_is_cut(
    wanted: list[bytes], lengths: list[int], chunk_lengths: list[int]
) -> None:
    sent = in_chunks(b"".join(flushed(wanted)), chunk_lengths)
    found = messages(events_of(unpacking_decoder(), GZIP_HEAD + sent, lengths))
    assert [message.body for message in found] == wanted
    assert sum(message.wire_bytes for message in found) <= len(sent)


@given(st.lists(bodies.map(lambda body: b"x" + body), min_size=1, max_size=8), st.integers(1, 4))
def test_compressed_messages_share_the_bytes_that_brought_them(wanted: list[bytes], together: int) -> None:
    decoder, sent = unpacking_decoder(), [chunk(each) for each in flushed(wanted)]
    decoder.receive(GZIP_HEAD)
    for first in range(0, len(sent), together):
        read = b"".join(sent[first : first + together])
        shares = [message.wire_bytes for message in messages(decoder.receive(read))]
        assert sum(shares) == len(read)
        assert max(shares) - min(shares) <= 1


def test_a_stream_that_says_gzip_and_is_none_is_refused() -> None:
    with pytest.raises(ProtocolError, match="not gzip"):
        events_of(unpacking_decoder(), GZIP_HEAD + chunk(b"plainly not"), WHOLE)
