"""What decoders give to whom our message format is foreign: heads, bodies, and events with name, id and retry."""

import gzip
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.protocols.events import Closed, Head, Message
from loadtests.protocols.http1 import HeadReader, ResponseReader, get, read_head
from loadtests.protocols.http1_bodies import Gunzip
from loadtests.protocols.stream_decoders import LinesDecoder, SseDecoder
from loadtests.protocols.text_parsers import EventStreamParser, LineParser, TextEvent
from tests.loadtests.cuts import SINGLE, WHOLE, cuts, reads

OK = b"HTTP/1.1 200 OK\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n"


def test_a_head_is_its_status_and_its_fields_as_they_came_and_joined_by_name() -> None:
    head = read_head(b"HTTP/1.1 404 Not Found\r\nSet-Cookie: a=1\r\nset-cookie:b=2 \r\nX-Long: one\r\n\ttwo\r\nEmpty:")
    assert head.status == 404
    assert head.fields == (("Set-Cookie", "a=1"), ("set-cookie", "b=2"), ("X-Long", "one two"), ("Empty", ""))
    assert head.headers == {"set-cookie": "a=1, b=2", "x-long": "one two", "empty": ""}


@pytest.mark.parametrize(
    ("head", "keep_alive", "length", "chunked"),
    [
        (OK + b"Content-Length: 5", True, 5, False),
        (OK + b"Content-Length: 5, 5", True, 5, False),
        (OK + b"Content-Length: 5\r\nConnection: X, Close", False, 5, False),
        (OK + b"Transfer-Encoding: , Chunked ", True, None, True),
        (OK + b"X: y", False, None, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5", False, 5, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive", True, 5, False),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive", False, None, True),
        (b"HTTP/1.1 204 No Content", True, 0, False),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100", True, 0, False),
        (b"HTTP/1.1 503", False, None, False),
        (b"HTTP/1.1 599 Whatever\r\nContent-Length: 0", True, 0, False),
    ],
)
def test_a_head_tells_how_its_body_ends(head: bytes, keep_alive: bool, length: int | None, chunked: bool) -> None:
    read = read_head(head)
    assert (read.keep_alive, read.length, read.chunked) == (keep_alive, length, chunked)


@pytest.mark.parametrize("lengths", [WHOLE, SINGLE])
def test_interim_responses_are_skipped_and_the_last_one_counts(lengths: Sequence[int]) -> None:
    reader = ResponseReader()
    wire = INTERIM + INTERIM + b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\nno"
    assert [reader.receive(piece) for piece in reads(wire, lengths)][-1]
    assert (reader.status, reader.headers["retry-after"], reader.body) == (503, "1", b"no")
    stream = HeadReader()
    rests = [
        rest for piece in reads(INTERIM + OK + b"A: b\r\n\r\n", lengths) if (rest := stream.receive(piece)) is not None
    ]
    assert (stream.status, stream.headers, rests) == (200, {"a": "b"}, [b""])


@given(st.binary(max_size=300), cuts, st.sampled_from(["length", "chunks", "close"]))
def test_a_body_is_the_same_however_it_is_framed_and_cut(body: bytes, lengths: list[int], framing: str) -> None:
    head = {"length": b"Content-Length: %d\r\n" % len(body), "chunks": b"Transfer-Encoding: chunked\r\n", "close": b""}
    sent = body
    if framing == "chunks":
        sent = (
            b"".join(b"%X ;x\r\n%b\r\n" % (len(part), part) for part in reads(body, (7, 1, 30))) + b"0\r\nT: x\r\n\r\n"
        )
    reader = ResponseReader()
    complete = [reader.receive(piece) for piece in reads(OK + head[framing] + b"\r\n" + sent, lengths)]
    if framing == "close":
        assert not any(complete)
        complete.append(reader.receive(b""))
    assert complete == [False] * (len(complete) - 1) + [True]
    assert (reader.body, reader.sent_bytes, reader.keep_alive) == (body, len(body), framing != "close")


@pytest.mark.parametrize(
    "cut", [OK + b"Content-Length: 5\r\n\r\nfour", OK[:9], OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n", b""]
)
def test_a_response_that_is_cut_off_is_not_complete(cut: bytes) -> None:
    reader = ResponseReader()
    assert [reader.receive(cut), reader.receive(b"")] == [False, False]
    assert reader.begun == bool(cut)


def test_what_is_said_to_nobody_behind_a_response_makes_the_connection_useless() -> None:
    reader = ResponseReader()
    assert reader.receive(OK + b"Content-Length: 2\r\n\r\n{}HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert (reader.status, reader.body, reader.keep_alive) == (200, b"{}", False)


def test_a_stream_gives_its_head_and_its_events_with_their_names_and_ids() -> None:
    decoder = SseDecoder(get("h", "/feed"))
    assert decoder.take_output() == get("h", "/feed")
    text = b"retry: 50\nevent: price\nid: a\ndata: 1\n\n\nid: b\ndata: 2\n\n"
    events = decoder.receive(OK + b"Content-Type: text/event-stream\r\nX-Any: 7\r\n\r\n" + text)
    assert events == [Head(200), Message(b"1", 38), Message(b"2", 15)]
    assert decoder.head.headers["x-any"] == "7"
    assert decoder.found == [TextEvent(b"1", 38, b"price", b"a"), TextEvent(b"2", 15, b"", b"b")]
    assert isinstance(decoder.parser, EventStreamParser)
    assert (decoder.parser.retry_ms, decoder.parser.last_id) == (50, b"b")
    assert decoder.receive(b"") == [Closed("", "")]


def test_a_stream_of_a_length_ends_there_and_one_without_any_body_at_once() -> None:
    head = OK + b"Content-Length: %d\r\n\r\n"
    assert LinesDecoder(b"").receive(head % 4 + b"1\n2\n")[1:] == [Message(b"1", 2), Message(b"2", 2), Closed("", "")]
    assert LinesDecoder(b"").receive(head % 0)[1:] == [Closed("", "")]


lines = st.lists(st.sampled_from([b"a", b"{}", b" ", b"\r", b"\n", b"\r\n", b"\xe2\x82\xac"]), max_size=30).map(
    b"".join
)


@given(lines, cuts)
def test_lines_are_the_same_however_they_were_cut(text: bytes, lengths: list[int]) -> None:
    parser = LineParser()
    found = [event.data for piece in reads(text, lengths) for event in parser.feed(piece)]
    found += [event.data for event in parser.end()]
    assert found == [line.removesuffix(b"\r") for line in text.split(b"\n") if line.strip()]


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4), cuts)
def test_members_of_gzip_come_out_as_one_text_however_they_were_cut(members: list[bytes], lengths: list[int]) -> None:

    unpacking = Gunzip()
    packed = b"".join(map(gzip.compress, members))
    assert b"".join(piece for part in reads(packed, lengths) for piece in unpacking.receive(part)) == b"".join(members)
    assert unpacking.ended
