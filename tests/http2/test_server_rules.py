"""h2spec's list, by hand: what RFC 9113 and RFC 7541 call wrong is refused with the code they name, and no more is."""

import struct
from collections.abc import Iterator
from typing import Final

import pytest
from hpack import Encoder

from tests.http2.raw_peer import (
    CONTINUATION,
    DATA,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    PUSH,
    RST,
    SETTINGS,
    RawPeer,
    block,
    frame,
    get,
    post,
    rst,
    settings,
    window,
)
from tests.server_process import ServerProcess, serving

HELD: Final = "/api/longpoll?last_id=0&timeout=60"
MOST: Final = 2**31 - 1
FINE: Final = frozenset({"answered"})
WHOLE: Final = block()
HALF, OTHER_HALF = WHOLE[: len(WHOLE) // 2], WHOLE[len(WHOLE) // 2 :]
LONG: Final = [(f"x-{number}", "y" * 4_000) for number in range(5)]


def ends(*codes: str) -> frozenset[str]:
    """The connection ends with one of these codes."""
    return frozenset(f"GOAWAY {code}" for code in codes)


def resets(*codes: str) -> frozenset[str]:
    """The stream ends so; an endpoint may end the connection instead (RFC 9113 5.4.2)."""
    return ends(*codes) | {f"RST {code}" for code in codes}


P, F, S, Z, C = "PROTOCOL_ERROR", "FLOW_CONTROL_ERROR", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "COMPRESSION_ERROR"

CASES: dict[str, tuple[bytes, frozenset[str]]] = {
    "4.1 a frame of unknown type": (frame(0x16, 0, 0, b"x" * 8) + get(1), FINE),
    "4.1 unknown flags on PING": (frame(PING, 0x16, 0, bytes(8)) + get(1), FINE),
    "4.1 the reserved bit of a stream's number": (get(1 | 1 << 31), FINE),
    "4.2 DATA of 16,385 bytes": (post() + frame(DATA, 1, 1, b"x" * 16_385), resets(Z)),
    "4.2 HEADERS of 16,385 bytes": (frame(HEADERS, 5, 1, block("/api/poll", *LONG)), ends(Z)),
    "4.3 a block that cannot be decoded": (frame(HEADERS, 5, 1, b"\xff" * 7), ends(C)),
    "4.3 HEADERS within a block": (frame(HEADERS, 1, 1, HALF) + get(3), ends(P)),
    "4.3 PRIORITY within a block": (frame(HEADERS, 1, 1, HALF) + frame(PRIORITY, 0, 1, bytes(4) + b"\x10"), ends(P)),
    "5.1 DATA on an idle stream": (frame(DATA, 1, 1, b"x"), ends(P)),
    "5.1 RST_STREAM on an idle stream": (rst(1, 8), ends(P)),
    "5.1 WINDOW_UPDATE on an idle stream": (window(1, 100), ends(P)),
    "5.1 CONTINUATION on an idle stream": (frame(CONTINUATION, 4, 1, WHOLE), ends(P)),
    "5.1 DATA after END_STREAM": (get(1, HELD) + frame(DATA, 1, 1, b"x"), resets(S)),
    "5.1 HEADERS after END_STREAM": (get(1, HELD) + get(1), resets(S, P)),
    "5.1.1 a stream with an even number": (get(2), ends(P)),
    "5.1.1 a smaller number than before": (get(5, HELD) + get(3), ends(P, S)),
    "6.1 DATA on stream 0": (frame(DATA, 1, 0, b"x"), ends(P)),
    "6.1 padding longer than its frame": (post() + frame(DATA, 9, 1, b"\x06xxxx"), ends(P)),
    "6.2 HEADERS on stream 0": (get(0), ends(P)),
    "6.2 HEADERS with too much padding": (frame(HEADERS, 0xD, 1, b"\xff" + WHOLE), ends(P)),
    "6.3 PRIORITY of 4 bytes": (get(1, HELD) + frame(PRIORITY, 0, 1, bytes(4)), resets(Z)),
    "6.3 PRIORITY on stream 0": (frame(PRIORITY, 0, 0, bytes(4) + b"\x10"), ends(P)),
    "6.3 PRIORITY on an idle stream": (frame(PRIORITY, 0, 7, bytes(4) + b"\x10") + get(1), FINE),
    "6.4 RST_STREAM on stream 0": (rst(0, 8), ends(P)),
    "6.4 RST_STREAM of 3 bytes": (get(1, HELD) + frame(RST, 0, 1, bytes(3)), ends(Z)),
    "6.5 an acknowledgement with a payload": (frame(SETTINGS, 1, 0, bytes(6)), ends(Z)),
    "6.5 SETTINGS on stream 1": (frame(SETTINGS, 0, 1, struct.pack(">HL", 3, 100)), ends(P)),
    "6.5 SETTINGS of 5 bytes": (frame(SETTINGS, 0, 0, bytes(5)), ends(Z)),
    "6.5.2 ENABLE_PUSH = 2": (settings((2, 2)), ends(P)),
    "6.5.2 INITIAL_WINDOW_SIZE = 2^31": (settings((4, 2**31)), ends(F)),
    "6.5.2 MAX_FRAME_SIZE = 16,383": (settings((5, 16_383)), ends(P)),
    "6.5.2 MAX_FRAME_SIZE = 2^24": (settings((5, 2**24)), ends(P)),
    "6.5.2 an unknown setting": (settings((0xFF, 1)) + get(1), FINE),
    "6.5.2 no pushes, no limit of fields": (settings((3, 0), (6, 0)) + get(1), FINE),
    "6.5.2 HEADER_TABLE_SIZE = 0, then 4,096": (settings((1, 0)) + settings((1, 4_096)) + get(1), FINE),
    "6.6 a client's PUSH_PROMISE": (get(1, HELD) + frame(PUSH, 4, 1, struct.pack(">L", 2) + WHOLE), ends(P)),
    "6.7 PING on stream 1": (frame(PING, 0, 1, bytes(8)), ends(P)),
    "6.7 PING of 7 bytes": (frame(PING, 0, 0, bytes(7)), ends(Z)),
    "6.8 GOAWAY on stream 1": (frame(GOAWAY, 0, 1, bytes(8)), ends(P)),
    "6.9 WINDOW_UPDATE by 0": (window(0, 0), ends(P)),
    "6.9 WINDOW_UPDATE by 0 on a stream": (get(1, HELD) + window(1, 0), resets(P)),
    "6.9 WINDOW_UPDATE of 3 bytes": (frame(8, 0, 0, bytes(3)), ends(Z)),
    "6.9.1 the connection's window above 2^31 - 1": (window(0, MOST) * 2, ends(F)),
    "6.9.1 a stream's window above 2^31 - 1": (get(1, HELD) + window(1, MOST) * 2, resets(F)),
    "6.9.2 SETTINGS that make it so": (get(1, HELD) + window(1, MOST - 65_535) + settings((4, MOST)), ends(F)),
    "6.10 a block in three frames": (
        frame(HEADERS, 1, 1, HALF)
        + frame(CONTINUATION, 0, 1, OTHER_HALF[:3])
        + frame(CONTINUATION, 4, 1, OTHER_HALF[3:]),
        FINE,
    ),
    "6.10 CONTINUATION on another stream": (
        frame(HEADERS, 1, 1, HALF) + frame(CONTINUATION, 4, 3, OTHER_HALF),
        ends(P),
    ),
    "6.10 CONTINUATION behind END_HEADERS": (get(1, HELD) + frame(CONTINUATION, 4, 1, WHOLE), ends(P)),
    "6.10 CONTINUATION on stream 0": (frame(HEADERS, 1, 1, HALF) + frame(CONTINUATION, 4, 0, OTHER_HALF), ends(P)),
    "8.1 trailers that do not end": (post() + frame(HEADERS, 4, 1, Encoder().encode([("x", "y")])), resets(P)),
    "8.1 trailers with a pseudo-header": (
        post() + frame(HEADERS, 5, 1, Encoder().encode([(":method", "POST")])),
        resets(P),
    ),
    "8.1.1 content-length above the DATA": (
        post(("content-length", "10")) + frame(DATA, 1, 1, b"xy"),
        resets(P),
    ),
    "8.1.1 content-length below the DATA": (
        post(("content-length", "1")) + frame(DATA, 0, 1, b"xy") + frame(DATA, 1, 1, b"z"),
        resets(P),
    ),
    "8.2.1 a name in capitals": (get(1, "/api/poll", ("X-Test", "1")), resets(P)),
    "8.2.1 a value with a line break": (get(1, "/api/poll", ("x-test", "1\r\nx: y")), resets(P)),
    "8.2.1 a name with a colon": (get(1, "/api/poll", ("x:y", "1")), resets(P)),
    "8.2.2 connection": (get(1, "/api/poll", ("connection", "keep-alive")), resets(P)),
    "8.2.2 transfer-encoding": (get(1, "/api/poll", ("transfer-encoding", "chunked")), resets(P)),
    "8.2.2 te: gzip": (get(1, "/api/poll", ("te", "gzip")), resets(P)),
    "8.2.2 te: trailers": (get(1, "/api/poll", ("te", "trailers")), FINE),
    "8.2.2 upgrade": (get(1, "/api/poll", ("upgrade", "websocket")), resets(P)),
    "8.3 an unknown pseudo-header": (get(1, first=[(":test", "1")]), resets(P)),
    "8.3 :status in a request": (get(1, first=[(":status", "200")]), resets(P)),
    "8.3 a pseudo-header behind a field": (
        get(1, "/api/poll", (":scheme", "http"), first=[("x", "1")], drop=":scheme"),
        resets(P),
    ),
    "8.3.1 an empty :path": (get(1, ""), resets(P)),
    "8.3.1 no :path": (get(1, drop=":path"), resets(P)),
    "8.3.1 no :method": (get(1, drop=":method"), resets(P)),
    "8.3.1 no :scheme": (get(1, drop=":scheme"), resets(P)),
    "8.3.1 two :path": (get(1, first=[(":path", "/x")]), resets(P)),
    "8.3.1 host that differs from :authority": (get(1, "/api/poll", ("host", "other")), resets(P)),
    "8.3.1 a user in :authority": (get(1, first=[(":authority", "user:secret@h")], drop=":authority"), resets(P)),
    "8.3.1 an empty :authority": (get(1, first=[(":authority", "")], drop=":authority"), resets(P)),
    "8.3.1 a method with a space": (get(1, first=[(":method", "G T")], drop=":method"), resets(P)),
    "8.3.1 host in place of :authority": (get(1, "/api/poll", ("host", "h"), drop=":authority"), FINE),
    "8.3.1 neither": (get(1, drop=":authority"), resets(P)),
    "8.3.1 a path without slash": (get(1, "api/poll"), FINE | resets(P)),
    "7541 2.3.3 an index beyond the table": (frame(HEADERS, 5, 1, WHOLE + b"\xff\x00"), ends(C)),
    "7541 4.2 a size update behind a field": (frame(HEADERS, 5, 1, WHOLE + b"\x3f\xe1\x1f"), ends(C)),
    "7541 5.2 Huffman padding of 8 bits": (
        frame(HEADERS, 5, 1, WHOLE + b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"),
        ends(C),
    ),
    "7541 5.2 Huffman with EOS": (frame(HEADERS, 5, 1, WHOLE + b"\x00\x84\xff\xff\xff\xff\x81\x1f"), ends(C)),
    "7541 6.1 index 0": (frame(HEADERS, 5, 1, WHOLE + b"\x80"), ends(C)),
    "7541 6.3 a table larger than the setting": (frame(HEADERS, 5, 1, b"\x3f\xe1\xff\xff\x03" + WHOLE), ends(C)),
}
"""By RFC 9113's section: what is sent behind the preface, and what may become of it."""


@pytest.fixture(scope="module")
def plain() -> Iterator[ServerProcess]:
    with serving("http2_push", "short_polling", "long_polling") as process:
        yield process


def port_of(server: ServerProcess) -> int:
    assert server.http2_port is not None
    return server.http2_port


@pytest.mark.parametrize("name", CASES)
def test_what_breaks_a_rule_is_refused_with_its_code(plain: ServerProcess, name: str) -> None:
    wire, right = CASES[name]
    with RawPeer(port_of(plain)) as peer:
        peer.send(wire)
        stream = 2 if "even" in name else 3 if "smaller" in name else 1
        assert peer.outcome(stream) in right


@pytest.mark.parametrize("name", CASES)
def test_it_makes_no_difference_that_the_frames_come_byte_by_byte(plain: ServerProcess, name: str) -> None:
    wire, right = CASES[name]
    with RawPeer(port_of(plain)) as peer:
        for byte in wire[:600]:
            peer.send(bytes((byte,)))
        peer.send(wire[600:])
        stream = 2 if "even" in name else 3 if "smaller" in name else 1
        assert peer.outcome(stream) in right


@pytest.mark.parametrize(
    ("preface", "right"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + settings(), "closed"),
        (PREFACE + get(1), "GOAWAY PROTOCOL_ERROR"),
        (PREFACE + frame(PING, 0, 0, bytes(8)), "GOAWAY PROTOCOL_ERROR"),
        (PREFACE + frame(SETTINGS, 1), "GOAWAY PROTOCOL_ERROR"),
        (PREFACE + frame(SETTINGS, 0, 0, bytes(16_385)), "GOAWAY FRAME_SIZE_ERROR"),
        (PREFACE + settings() + get(1), "answered"),
    ],
    ids=["another preface", "HEADERS first", "PING first", "an acknowledgement first", "too long a first", "SETTINGS"],
)
def test_a_connection_begins_with_the_preface_and_settings(plain: ServerProcess, preface: bytes, right: str) -> None:
    with RawPeer(port_of(plain), preface=preface) as peer:
        assert peer.outcome() == right


def test_goaway_names_the_last_stream_that_was_taken_and_the_connection_ends_behind_it(plain: ServerProcess) -> None:
    with RawPeer(port_of(plain)) as peer:
        peer.send(get(1), get(3, HELD), get(5)).until(lambda: peer.ended(5))
        peer.send(frame(PING, 0, 1, bytes(8))).until(lambda: False)
        assert [int.from_bytes(one.payload[:4], "big") for one in peer.of(GOAWAY)] == [5]
        assert peer.closed


def test_pings_are_answered_and_their_answers_are_not_and_settings_are_acknowledged(plain: ServerProcess) -> None:
    with RawPeer(port_of(plain)) as peer:
        peer.send(frame(PING, 0, 0, b"12345678"), frame(PING, 1, 0, b"87654321"), settings((3, 50)))
        peer.fence()
        assert [(one.flags, one.payload) for one in peer.of(PING)][:-1] == [(1, b"12345678")]
        assert [one.flags for one in peer.of(SETTINGS)] == [0, 1, 1]
