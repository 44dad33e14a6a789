"""What no HTTP/2 server may send, by RFC 9113's section: each ends the connection with the code it has, however cut."""

import struct
from collections.abc import Sequence

import pytest
from h2.errors import ErrorCodes
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from loadtests.protocols.events import Closed, Event, Head, Message, ProtocolError, Refused
from loadtests.protocols.http2_responses import INTERIM_RESPONSES, OPEN_PUSHES, REFUSED_PUSHES
from loadtests.protocols.push_decoder import PushDecoder
from tests.http2.raw_peer import (
    CONTINUATION,
    DATA,
    GOAWAY,
    HEADERS,
    PING,
    PRIORITY,
    PUSH,
    RST,
    SETTINGS,
    frame,
    rst,
    settings,
    window,
)
from tests.loadtests.cuts import SINGLE, WHOLE, cuts, reads

AUTHORITY = "127.0.0.1:8081"
ASKED = [(":method", "GET"), (":scheme", "http"), (":authority", AUTHORITY), (":path", "/a")]
OK = (":status", "200")
LIMIT_BYTES = 40_000
MOST = 2**31 - 1
END, WHOLE_BLOCK, PADDED, WITH_PRIORITY = 0x1, 0x4, 0x8, 0x20


def block(*fields: tuple[str, str]) -> bytes:
    return Encoder().encode([(name, value, True) for name, value in fields])  # never indexed: blocks stand alone


def head(stream: int, *fields: tuple[str, str], end: bool = False) -> bytes:
    return frame(HEADERS, WHOLE_BLOCK | end, stream, block(*fields))


def data(stream: int, content: bytes = b"x", *, end: bool = False) -> bytes:
    return frame(DATA, int(end), stream, content)


def promise(stream: int, *fields: tuple[str, str], on: int = 1) -> bytes:
    return frame(PUSH, WHOLE_BLOCK, on, struct.pack(">L", stream) + block(*(fields or ASKED)))


BEGUN = settings()
OPEN = BEGUN + head(1, OK, ("x-updates-mode", "pushed"))
PROMISED = OPEN + promise(2)
PUSHED = PROMISED + head(2, OK)

P, F, S, Z, C, E = (
    ErrorCodes.PROTOCOL_ERROR,
    ErrorCodes.FLOW_CONTROL_ERROR,
    ErrorCodes.STREAM_CLOSED,
    ErrorCodes.FRAME_SIZE_ERROR,
    ErrorCodes.COMPRESSION_ERROR,
    ErrorCodes.ENHANCE_YOUR_CALM,
)

BAD: dict[str, tuple[bytes, ErrorCodes]] = {
    "3.4 HEADERS first": (head(1, OK), P),
    "3.4 PING first": (frame(PING, 0, 0, bytes(8)), P),
    "3.4 an acknowledgement first": (frame(SETTINGS, 1), P),
    "3.4 HTTP/1.1": (b"HTTP/1.1 400 Bad Request\r\n\r\n", P),
    "4.2 DATA of 16,385 bytes": (OPEN + data(1, bytes(16_385)), Z),
    "4.2 its head alone": (OPEN + data(1, bytes(16_385))[:9], Z),
    "4.2 a frame of unknown type that is too long": (OPEN + frame(0xBB, 0, 0, bytes(16_385)), Z),
    "4.3 a block that cannot be decoded": (BEGUN + frame(HEADERS, WHOLE_BLOCK, 1, b"\xff" * 5), C),
    "7541 6.1 index 0": (BEGUN + frame(HEADERS, WHOLE_BLOCK, 1, b"\x80"), C),
    "7541 6.3 a table larger than the setting": (BEGUN + frame(HEADERS, WHOLE_BLOCK, 1, b"\x3f\xe1\xff\x03\x88"), C),
    "4.3 PING within a block": (BEGUN + frame(HEADERS, 0, 1, block(OK)) + frame(PING, 0, 0, bytes(8)), P),
    "4.3 HEADERS within a block": (BEGUN + frame(HEADERS, 0, 1, block(OK)) + head(1, OK), P),
    "5.1 HEADERS on a stream never promised": (OPEN + head(4, OK), P),
    "5.1 HEADERS on a stream of ours never opened": (OPEN + head(3, OK), P),
    "5.1 DATA on a stream never promised": (OPEN + data(4), P),
    "5.1 RST_STREAM on a stream never promised": (OPEN + rst(4, 8), P),
    "5.1 WINDOW_UPDATE on a stream never promised": (OPEN + window(4, 1), P),
    "5.1 DATA on a stream that is only promised": (PROMISED + data(2), P),
    "5.1 DATA on a push that has ended": (PUSHED + data(2, end=True) + data(2), S),
    "5.1 HEADERS on a push that has ended": (PUSHED + data(2, end=True) + head(2, ("x", "y"), end=True), S),
    "5.1 DATA on a push that was reset": (PUSHED + rst(2, 8) + data(2), S),
    "5.1.1 an odd stream promised": (OPEN + promise(3), P),
    "5.1.1 stream 0 promised": (OPEN + promise(0), P),
    "5.1.1 a stream promised twice": (PROMISED + promise(2), P),
    "5.1.1 a lower stream than before": (OPEN + promise(6) + promise(4), P),
    "6.1 DATA on stream 0": (OPEN + data(0), P),
    "6.1 padding longer than its frame": (OPEN + frame(DATA, PADDED, 1, b"\x06xxxx"), P),
    "6.1 padding of an empty frame": (OPEN + frame(DATA, PADDED, 1), P),
    "6.2 HEADERS on stream 0": (BEGUN + head(0, OK), P),
    "6.2 HEADERS with priority, and too short for it": (BEGUN + frame(HEADERS, 0x24, 1, b"\x88"), Z),
    "6.3 PRIORITY of 4 bytes": (OPEN + frame(PRIORITY, 0, 1, bytes(4)), Z),
    "6.3 PRIORITY on stream 0": (OPEN + frame(PRIORITY, 0, 0, bytes(5)), P),
    "6.4 RST_STREAM on stream 0": (OPEN + rst(0, 8), P),
    "6.4 RST_STREAM of 3 bytes": (OPEN + frame(RST, 0, 1, bytes(3)), Z),
    "6.5 an acknowledgement with a payload": (OPEN + frame(SETTINGS, 1, 0, bytes(6)), Z),
    "6.5 SETTINGS on stream 1": (OPEN + frame(SETTINGS, 0, 1), P),
    "6.5 SETTINGS of 5 bytes": (frame(SETTINGS, 0, 0, bytes(5)), Z),
    "6.5.2 ENABLE_PUSH = 1 from a server": (settings((2, 1)), P),
    "6.5.2 INITIAL_WINDOW_SIZE = 2^31": (settings((4, 2**31)), F),
    "6.5.2 MAX_FRAME_SIZE = 16,383": (settings((5, 16_383)), P),
    "6.5.2 MAX_FRAME_SIZE = 2^24": (settings((5, 2**24)), P),
    "6.6 PUSH_PROMISE on stream 0": (OPEN + promise(2, on=0), P),
    "6.6 PUSH_PROMISE on a pushed stream": (PUSHED + promise(4, on=2), P),
    "6.6 PUSH_PROMISE of 3 bytes": (OPEN + frame(PUSH, WHOLE_BLOCK, 1, bytes(3)), Z),
    "6.6 PUSH_PROMISE of padding alone": (OPEN + frame(PUSH, WHOLE_BLOCK | PADDED, 1, b"\x05" + bytes(6)), Z),
    "6.7 PING on stream 1": (OPEN + frame(PING, 0, 1, bytes(8)), P),
    "6.7 PING of 7 bytes": (OPEN + frame(PING, 0, 0, bytes(7)), Z),
    "6.8 GOAWAY on stream 1": (OPEN + frame(GOAWAY, 0, 1, bytes(8)), P),
    "6.8 GOAWAY of 7 bytes": (OPEN + frame(GOAWAY, 0, 0, bytes(7)), Z),
    "6.8 GOAWAY that takes back what it said": (
        OPEN + frame(GOAWAY, 0, 0, struct.pack(">LL", 1, 0)) + frame(GOAWAY, 0, 0, struct.pack(">LL", 3, 0)),
        P,
    ),
    "6.9 WINDOW_UPDATE by 0": (OPEN + window(0, 0), P),
    "6.9 WINDOW_UPDATE by 0 on a stream": (OPEN + window(1, 0), P),
    "6.9 WINDOW_UPDATE of 3 bytes": (OPEN + frame(8, 0, 0, bytes(3)), Z),
    "6.9.1 the connection's window above 2^31 - 1": (OPEN + window(0, MOST), F),
    "6.9.1 our stream's window above 2^31 - 1": (OPEN + window(1, MOST), F),
    "6.9.2 SETTINGS that make it so": (OPEN + window(1, 65_535) + settings((4, MOST - 1)), F),
    "6.10 CONTINUATION out of nowhere": (OPEN + frame(CONTINUATION, WHOLE_BLOCK, 1, block(OK)), P),
    "6.10 CONTINUATION on stream 0": (BEGUN + frame(HEADERS, 0, 1, b"") + frame(CONTINUATION, 4, 0, block(OK)), P),
    "6.10 CONTINUATION on another stream": (BEGUN + frame(HEADERS, 0, 1) + frame(CONTINUATION, 4, 3, block(OK)), P),
    "8.1 DATA before the response": (BEGUN + data(1), P),
    "8.1 trailers that do not end": (OPEN + head(1, ("x", "y")), P),
    "8.1 a second response": (OPEN + head(1, OK, end=True), P),
    "8.1 an interim response behind the final one": (OPEN + head(1, (":status", "103")), P),
    "8.1 an interim response that ends its stream": (BEGUN + head(1, (":status", "103"), end=True), P),
    "8.1 trailers of a push that do not end": (PUSHED + head(2, ("x", "y")), P),
    "8.1.1 content-length above the content": (
        BEGUN + head(1, OK, ("content-length", "3")) + data(1, b"{}", end=True),
        P,
    ),
    "8.1.1 content-length below the content": (BEGUN + head(1, OK, ("content-length", "1")) + data(1, b"{}"), P),
    "8.1.1 content-length of a push above its content": (
        PROMISED + head(2, OK, ("content-length", "3")) + data(2, b"{}", end=True),
        P,
    ),
    "8.1.1 content-length without content": (PROMISED + head(2, OK, ("content-length", "3"), end=True), P),
    "8.1.1 content-length that is no number": (BEGUN + head(1, OK, ("content-length", "+1")), P),
    "8.1.1 two lengths": (BEGUN + head(1, OK, ("content-length", "1"), ("content-length", "2")), P),
    "8.2.1 a name in capitals": (BEGUN + head(1, OK, ("X", "y")), P),
    "8.2.1 a name with a space": (BEGUN + head(1, OK, ("x y", "y")), P),
    "8.2.1 a name with a colon": (BEGUN + head(1, OK, ("x:y", "y")), P),
    "8.2.1 a name of nothing": (BEGUN + head(1, OK, ("", "y")), P),
    "8.2.1 a value with a line break": (BEGUN + head(1, OK, ("x", "y\r\nz: w")), P),
    "8.2.1 a value with a NUL": (BEGUN + head(1, OK, ("x", "y\0")), P),
    "8.2.1 a value that begins with a space": (BEGUN + head(1, OK, ("x", " y")), P),
    "8.2.2 connection": (BEGUN + head(1, OK, ("connection", "close")), P),
    "8.2.2 transfer-encoding": (BEGUN + head(1, OK, ("transfer-encoding", "chunked")), P),
    "8.2.2 upgrade": (BEGUN + head(1, OK, ("upgrade", "h2c")), P),
    "8.3 an unknown pseudo-header": (BEGUN + head(1, OK, (":test", "1")), P),
    "8.3 a pseudo-header of requests": (BEGUN + head(1, OK, (":path", "/")), P),
    "8.3 a pseudo-header behind a field": (BEGUN + head(1, ("x", "y"), OK), P),
    "8.3 a pseudo-header in trailers": (OPEN + head(1, OK, ("x", "y"), end=True), P),
    "8.3.2 no status": (BEGUN + head(1, ("x", "y")), P),
    "8.3.2 no fields at all": (BEGUN + frame(HEADERS, WHOLE_BLOCK, 1), P),
    "8.3.2 two statuses": (BEGUN + head(1, OK, OK), P),
    "8.3.2 status 20": (BEGUN + head(1, (":status", "20")), P),
    "8.3.2 status 2000": (BEGUN + head(1, (":status", "2000")), P),
    "8.3.2 status 099": (BEGUN + head(1, (":status", "099")), P),
    "8.3.2 a status that is no number": (BEGUN + head(1, (":status", "2x0")), P),
    "8.4.1 a promise of POST": (OPEN + promise(2, (":method", "POST"), *ASKED[1:]), P),
    "8.4.1 a promise for another server": (OPEN + promise(2, *ASKED[:2], (":authority", "evil"), ASKED[3]), P),
    "8.4.1 a promise without path": (OPEN + promise(2, *ASKED[:3]), P),
    "8.4.1 a promise with a field that connections have": (OPEN + promise(2, *ASKED, ("upgrade", "x")), P),
    "8.6 status 101": (BEGUN + head(1, (":status", "101")), P),
    "10.5 a block without end": (BEGUN + frame(HEADERS, 0, 1) + frame(CONTINUATION, 0, 1, bytes(16_000)) * 5, E),
    "10.5 empty CONTINUATIONs": (BEGUN + frame(HEADERS, 0, 1) + frame(CONTINUATION, 0, 1) * 100, E),
    "10.5 interim responses without end": (BEGUN + head(1, (":status", "103")) * (INTERIM_RESPONSES + 1), E),
    "10.5 a line without end": (OPEN + data(1, b"x" * 16_000) * 3, E),
    "10.5 a push without end": (PUSHED + data(2, b"x" * 16_000) * 3, E),
    "x-first-id that is no number": (BEGUN + head(1, OK, ("x-first-id", "-1")), P),
}

GOOD: dict[str, tuple[bytes, list[Event]]] = {
    "4.1 a frame of unknown type": (OPEN + frame(0xBB, 0xFF, 9, b"x"), [Head(200, "pushed")]),
    "4.1 unknown flags on PING": (OPEN + frame(PING, 0xFE, 0, bytes(8)), [Head(200, "pushed")]),
    "5.1 RST_STREAM on a push that has ended": (
        PUSHED + data(2, b"{}", end=True) + rst(2, 8) + window(2, 5),
        [Head(200, "pushed"), Message(b"{}", 0, pushed=True)],
    ),
    "6.2 HEADERS with priority and padding": (
        BEGUN + frame(HEADERS, 0x2C, 1, b"\x02" + bytes(5) + block(OK) + bytes(2)),
        [Head(200)],
    ),
    "6.3 PRIORITY on a stream never opened": (OPEN + frame(PRIORITY, 0, 9, bytes(5)), [Head(200, "pushed")]),
    "6.5.2 a setting that is unknown": (settings((0xFF, 1), (2, 0)) + head(1, OK), [Head(200)]),
    "6.9.1 a window of 2^31 - 1": (OPEN + window(0, MOST - 65_535), [Head(200, "pushed")]),
    "6.10 a block in three frames": (
        BEGUN
        + frame(HEADERS, 0, 1, block(OK)[:1])
        + frame(CONTINUATION, 0, 1)
        + frame(CONTINUATION, 4, 1, block(OK)[1:]),
        [Head(200)],
    ),
    "8.1 interim responses": (
        BEGUN + head(1, (":status", "100")) + head(1, (":status", "103"), ("link", "</a>")) + head(1, OK),
        [Head(200)],
    ),
    "8.1 an interim response of a push": (
        PROMISED + head(2, (":status", "103")) + head(2, OK) + data(2, b"{}", end=True),
        [Head(200, "pushed"), Message(b"{}", 0, pushed=True)],
    ),
    "8.1 trailers of a push": (
        PUSHED + data(2, b"{}") + head(2, ("x", "y"), end=True),
        [Head(200, "pushed"), Message(b"{}", 0, pushed=True)],
    ),
    "8.1.1 a length that is true": (
        PROMISED + head(2, OK, ("content-length", "2")) + data(2, b"{") + data(2, b"}", end=True),
        [Head(200, "pushed"), Message(b"{}", 0, pushed=True)],
    ),
    "8.1.1 a 304 with the length that a 200 would have": (
        PROMISED + head(2, (":status", "304"), ("content-length", "2"), end=True),
        [Head(200, "pushed"), Refused(2)],
    ),
    "8.2.2 te: trailers": (BEGUN + head(1, OK, ("te", "trailers")), [Head(200)]),
    "a line as long as is taken": (
        OPEN + data(1, b"x" * 10_000) * 4 + data(1, b"\n"),
        [Head(200, "pushed"), Message(b"x" * LIMIT_BYTES, 0)],
    ),
    "nothing behind the end": (
        OPEN + head(1, ("x-closed-reason", "bye"), end=True) + data(1) + promise(2) + window(0, 0),
        [Head(200, "pushed"), Closed("", "bye")],
    ),
}


def outcome(wire: bytes, lengths: Sequence[int]) -> tuple[list[Event], str, bytes]:
    """Return the events, the error behind them, and what the client has said by then."""
    client = PushDecoder(AUTHORITY, "/api/updates?last_id=7", limit_bytes=LIMIT_BYTES)
    client.take_output()
    events: list[Event] = []
    said = b""
    try:
        for piece in reads(wire, lengths):
            events += client.receive(piece)
            said += client.take_output()
    except ProtocolError as wrong:
        return [*events, *wrong.events], str(wrong), said + client.take_output()
    return events, "", said


def unbilled(events: list[Event]) -> list[Event]:
    return [Message(one.body, 0, pushed=one.pushed) if isinstance(one, Message) else one for one in events]


@pytest.mark.parametrize("lengths", [WHOLE, SINGLE], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("name", BAD)
def test_what_a_server_must_not_send_ends_the_connection_with_its_code(name: str, lengths: Sequence[int]) -> None:
    wire, code = BAD[name]
    _, wrong, said = outcome(wire, lengths)
    assert wrong
    assert said[-17:-8] == frame(GOAWAY, 0, 0, bytes(8))[:9]
    assert ErrorCodes(int.from_bytes(said[-4:], "big")) == code


@pytest.mark.parametrize("lengths", [WHOLE, SINGLE], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("name", GOOD)
def test_what_a_server_may_send_is_read(name: str, lengths: Sequence[int]) -> None:
    wire, right = GOOD[name]
    events, wrong, _ = outcome(wire, lengths)
    assert (unbilled(events), wrong) == (right, "")


@pytest.mark.parametrize("lengths", [WHOLE, SINGLE], ids=["whole", "byte by byte"])
def test_what_came_before_a_broken_rule_counts(lengths: Sequence[int]) -> None:
    events, wrong, _ = outcome(PUSHED + data(2, b"{}", end=True) + window(0, 0), lengths)
    assert unbilled(events) == [Head(200, "pushed"), Message(b"{}", 0, pushed=True)]
    assert "by 0" in wrong


PIECES = [
    BEGUN,
    head(1, OK),
    head(1, (":status", "103")),
    head(1, ("x-closed-reason", "bye"), end=True),
    data(1, b'{"id":1}\n{"id"'),
    data(1, b":2}\n"),
    data(1, b"", end=True),
    promise(2),
    promise(4),
    head(2, OK),
    head(4, (":status", "404"), end=True),
    head(2, OK, ("content-length", "2")),
    data(2, b"{}", end=True),
    data(2, b"{"),
    frame(DATA, PADDED, 2, b"\x01}\0"),
    frame(DATA, PADDED, 2, b"\x09}\0"),
    rst(2, 8),
    rst(1, 7),
    settings((4, 100)),
    settings((4, 2**31)),
    frame(SETTINGS, 1),
    frame(PING, 0, 0, b"12345678"),
    frame(GOAWAY, 0, 0, struct.pack(">LL", 1, 0)),
    frame(GOAWAY, 0, 0, struct.pack(">LL", 1, 11)),
    window(0, 100),
    window(1, 0),
    frame(0xBB, 0, 5, b"??"),
    frame(HEADERS, 0, 1, block(OK)),
    frame(CONTINUATION, WHOLE_BLOCK, 1, b""),
]


@given(st.lists(st.sampled_from(PIECES) | st.binary(min_size=1, max_size=30), max_size=14), st.booleans(), cuts)
def test_any_split_of_any_frames_is_read_the_same(pieces: list[bytes], begun: bool, lengths: list[int]) -> None:
    wire = (OPEN if begun else b"") + b"".join(pieces)
    assert outcome(wire, lengths) == outcome(wire, WHOLE)


def test_a_server_that_goes_on_pushing_though_it_is_refused_is_given_up() -> None:
    wire = OPEN + b"".join(promise(2 * number + 2) for number in range(OPEN_PUSHES + REFUSED_PUSHES + 1))
    events, wrong, said = outcome(wire, (65_536,))
    assert len([one for one in events if isinstance(one, Refused)]) == REFUSED_PUSHES
    assert "though they were refused" in wrong
    assert said[-4:] == struct.pack(">L", E)
