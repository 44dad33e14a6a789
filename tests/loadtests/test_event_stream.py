"""Server-sent events by WHATWG HTML 9.2.5 and 9.2.6, on the vectors of web-platform-tests, and cut anywhere."""

from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadtests.protocols.events import Message, ProtocolError
from loadtests.protocols.http1 import get
from loadtests.protocols.stream_decoders import SseDecoder
from loadtests.protocols.text_parsers import EventStreamParser
from tests.loadtests.cuts import SINGLE, WHOLE, cuts, reads

BOM = b"\xef\xbb\xbf"
LONG = b"x" * 2048


class Seen(NamedTuple):
    """What an EventSource would have been given."""

    data: str
    name: str = "message"
    last_id: str = ""


def seen(text: bytes, lengths: "list[int] | tuple[int, ...]" = (1 << 30,)) -> list[Seen]:
    parser = EventStreamParser()
    events = [event for piece in reads(text, lengths) for event in parser.feed(piece)]
    return [
        Seen(each.data.decode("utf-8", "replace"), each.name.decode() or "message", each.id.decode()) for each in events
    ]


def data(*lines: str) -> list[Seen]:
    return [Seen(line) for line in lines]


# message.py of that suite sends the message, two LF unless newline=none, and one LF more.
END = b"\n\n\n"
VECTORS = {
    "event-data": (
        b"data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n",
        data("msg\nmsg", "", "end"),
    ),
    "format-bom": (BOM + b"data:1\n\n" + BOM + b"data:2\n\ndata:3" + END, data("1", "3")),
    "format-bom-2": (BOM + BOM + b"data:1\n\ndata:2\n\ndata:3" + END, data("2", "3")),
    "format-comments": (
        b"data:1\r:\0\n:\r\ndata:2\n:" + LONG + b"\rdata:3\n:data:fail\r:" + LONG + b"\ndata:4\n\n",
        data("1\n2\n3\n4"),
    ),
    "format-data-before-final-empty-line": (b"retry:1000\ndata:test1\n\nid:test\ndata:test2\n", data("test1")),
    "format-field-data": (b"data:\n\ndata\ndata\n\ndata:test" + END, data("", "\n", "test")),
    "format-field-event": (b"event:test\ndata:x\n\ndata:x" + END, [Seen("x", "test"), Seen("x")]),
    "format-field-event-empty": (b"event: \ndata:data" + END, data("data")),
    "format-field-id": ("id: \u2026\ndata: hello".encode() + END, [Seen("hello", last_id="\u2026")]),
    "format-field-id-3, persists": (b"id: 1\ndata: 1\n\ndata: 2\n\n", [Seen("1", last_id="1"), Seen("2", last_id="1")]),
    "format-field-id-3, changes": (
        b"id: 1\ndata: 1\n\nid: 2\ndata:2\n\ndata:3\n\n",
        [Seen("1", last_id="1"), Seen("2", last_id="2"), Seen("3", last_id="2")],
    ),
    "format-field-id-3, resets": (
        b"id: 1\ndata: 1\n\nid:\ndata:2\n\ndata:3\n\n",
        [Seen("1", last_id="1"), Seen("2"), Seen("3")],
    ),
    "format-field-id-null": (b"id: \0\0\ndata: hello" + END, data("hello")),
    "format-field-parsing": (
        (
            b"data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\r"
            b"data:\r\n data:32\ndata:4\n\n"
        ),
        data("\0\n 2\n1\n3\n\n4"),
    ),
    "format-field-retry-empty": (b"retry\ndata:test" + END, data("test")),
    "format-field-unknown": (
        b"data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test" + END,
        data("test\n\ntest"),
    ),
    "format-leading-space": (b"data:\ttest\rdata: \ndata:test" + END, data("\ttest\n\ntest")),
    "format-newlines": (b"data:test\r\ndata\ndata:test\r\n\r\n", data("test\n\ntest")),
    "format-null-character": (b"data:\0\n\n" + END, data("\0")),
    "format-utf-8": ("data:ok\u2026".encode() + END, data("ok\u2026")),
}
"""web-platform-tests, eventsource/NAME: what its server sends, and what its script asserts."""


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize("lengths", [WHOLE, SINGLE, (2,), (3, 1)])
def test_the_public_vectors_come_out_as_a_browser_would_give_them(vector: str, lengths: tuple[int, ...]) -> None:
    text, wanted = VECTORS[vector]
    assert seen(text, lengths) == wanted


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("vector", ["event-data", "format-field-id-3, resets", "format-field-event"])
def test_each_kind_of_line_end_gives_the_same_events(vector: str, end: bytes) -> None:
    text, wanted = VECTORS[vector]
    for lengths in (WHOLE, SINGLE):
        assert seen(text.replace(b"\n", end), list(lengths)) == wanted


FIELDS = [b"data", b"data:", b"data: ", b"id: 7", b"id:", b"id: \0", b"event: e", b"retry: 10", b":", b": c", b"x"]
ENDS = [b"\n", b"\n\n", b"\r", b"\r\n", b"\r\n\r\n"]
ODDITIES = [b"\0", b" ", BOM, BOM[:1], "\u2028".encode(), b"\x85", b"\v"]
words = st.sampled_from([*FIELDS, *ENDS, *ODDITIES])
texts = st.lists(words, max_size=40).map(b"".join)


def by_the_standard(text: bytes) -> list[Seen]:
    """Read a whole stream as WHATWG HTML 9.2.6 tells it, line by line, however slow."""
    lines = text.removeprefix(BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")[:-1]
    events, buffer, name, last_id = [], b"", b"", b""
    for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if buffer:
                text_of = buffer[:-1].decode("utf-8", "replace")
                events.append(Seen(text_of, name.decode() or "message", last_id.decode()))
            buffer = name = b""
        elif field == b"data":
            buffer += value + b"\n"
        elif field == b"event":
            name = value
        elif field == b"id" and b"\0" not in value:
            last_id = value
    return events


@given(texts, cuts)
@example(b"data: 1\r\n\r\ndata: 2\r\n\r\n", [9, 1])
@example(b"\n\n\nid: 1\ndata: a\n\n\ndata: b\n\n", [4])
def test_any_stream_cut_anywhere_gives_the_events_of_the_standard(text: bytes, lengths: list[int]) -> None:
    assert seen(text, lengths) == by_the_standard(text)


@given(st.lists(st.tuples(st.integers(0, 99), st.binary(max_size=20)), max_size=6), cuts)
def test_events_as_our_servers_write_them_take_the_short_way_to_the_same_end(
    wanted: list[tuple[int, bytes]], lengths: list[int]
) -> None:
    text = b"retry: 2000\n\n" + b"".join(b"id: %d\ndata: %b\n\n" % (number, body) for number, body in wanted)
    assert seen(text, lengths) == seen(text, SINGLE) == by_the_standard(text)  # type: ignore[arg-type]


def test_an_event_is_given_at_its_last_cr_and_not_when_more_comes() -> None:
    parser = EventStreamParser()
    assert [event.data for event in parser.feed(b"data: 1\r\r")] == [b"1"]
    assert [event.data for event in parser.feed(b"\ndata: 2\r\n\r")] == [b"2"]


def test_what_a_resumed_stream_needs_is_kept() -> None:
    parser = EventStreamParser()
    parser.feed(b"retry: 3000\nretry: 1000x\nid: 5\n\nid: 6\n")
    assert (parser.retry_ms, parser.last_id) == (3000, b"5")
    parser.feed(b"retry: %b\n\n" % (b"9" * 5000))
    assert (parser.retry_ms, parser.last_id) == (999_999_999, b"6")


# The response around it


def head(*fields: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + b"".join(field + b"\r\n" for field in (*fields, b"Transfer-Encoding: chunked", b""))


CONTENT_TYPES = {
    "format-utf-8": (b"Content-Type: text/event-stream;charset=windows-1252", True),
    "format-mime-trailing-semicolon": (b"Content-Type: text/event-stream;", True),
    "in capitals": (b"content-type:   Text/Event-Stream ; a=b", True),
    "format-mime-bogus": (b"Content-Type: x bogus", False),
    "format-mime-valid-bogus": (b"Content-Type: text/x-bogus", False),
    "longer": (b"Content-Type: text/event-stream-bogus", False),
    "a login page": (b"Content-Type: text/html", False),
    "none": (b"X: y", False),
}


@pytest.mark.parametrize("case", CONTENT_TYPES)
def test_only_a_response_that_says_it_is_an_event_stream_is_one(case: str) -> None:
    field, good = CONTENT_TYPES[case]
    decoder = SseDecoder(get("h", "/"))
    if good:
        assert decoder.receive(head(field) + b"9\r\ndata: 1\n\n\r\n")[1:] == [Message(b"1", 14)]
    else:
        with pytest.raises(ProtocolError, match="not text/event-stream"):
            decoder.receive(head(field))


@given(texts, cuts, st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_chunks_and_reads_may_be_cut_anywhere_and_the_events_stay(
    text: bytes, cut: list[int], lengths: list[int]
) -> None:
    wire = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in reads(text, lengths))
    decoder = SseDecoder(get("h", "/"))
    decoder.receive(head(b"Content-Type: text/event-stream"))
    events = [event for piece in reads(wire, cut) for event in decoder.receive(piece)]
    bodies = [event.body.decode("utf-8", "replace") for event in events if isinstance(event, Message)]
    assert bodies == [each.data for each in by_the_standard(text)]
