"""A server that is wrong, or means harm: an error that is named in a line, a pause that grows, memory that does not."""

import gzip
import socket
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.protocols.events import Event, ProtocolError
from loadtests.protocols.http1 import ResponseReader, get
from loadtests.protocols.http1_bodies import LIMIT_BYTES as LIMIT_BYTES_BY_DEFAULT
from loadtests.protocols.stream_decoders import LinesDecoder, SseDecoder
from tests.loadtests.foreign_server import (
    Case,
    Serve,
    answer,
    chunk,
    cursor_of,
    flood,
    message,
    met,
    poll_body,
    request_of,
)

LIMIT_BYTES = 1_048_576
GROWN_MAX_BYTES = 150_000_000
"""All users together hold a limit each at most; without it each server alone would fill 32 MB or, unpacked, a GB."""
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PACKED = OK + b"Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = OK + b"Content-Type: text/event-stream\r\n\r\n"
HTML = b"<html><head><title>Log in</title></head><body></body></html>"


def bomb(size: int = 268_435_456) -> bytes:
    """Pack that many spaces, a block at a time."""
    packing = zlib.compressobj(9, wbits=31)
    packed = b"".join(packing.compress(b" " * LIMIT_BYTES) for _ in range(size // LIMIT_BYTES))
    return packed + packing.flush()


BOMB = bomb()


def in_body(*messages: bytes) -> bytes:
    return answer(b'{"messages":[%b]}' % b",".join(messages))


NO_ANSWERS: dict[str, tuple[bytes, bytes]] = {
    "endless headers": (OK, b"X-Header: value\r\n"),
    "an endless header": (OK + b"X-Header: ", b"v"),
    "endless interim responses": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "an endless body": (OK + b"\r\n", b"x"),
    "an endless body in chunks": (CHUNKED, chunk(b"x" * 1000)),
    "an endless chunk line": (CHUNKED, b"1"),
    "an endless chunk extension": (CHUNKED + b"1;", b"a=b;"),
    "endless trailers": (CHUNKED + b"0\r\n", b"X-Trailer: value\r\n"),
    "a body as long as can be said": (OK + b"Content-Length: 9223372036854775807\r\n\r\n", b"x"),
    "a body longer than can be said": (OK + b"Content-Length: %b\r\n\r\n" % (b"9" * 5000), b"x"),
    "a chunk of 2^63": (CHUNKED + b"8000000000000000\r\n", b"x"),
    "a chunk of 2^4000": (CHUNKED + b"f" * 1000 + b"\r\n", b"x"),
    "a bomb": (OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB, b""),
    "gzip cut off": (answer(gzip.compress(b'{"messages":[]}')[:-9], b"Content-Encoding: gzip"), b""),
    "a coding that nobody asked for": (answer(b'{"messages":[]}', b"Content-Encoding: br"), b""),
    "two codings": (answer(b'{"messages":[]}', b"Content-Encoding: gzip, gzip"), b""),
    "an HTML page": (answer(HTML, b"Content-Type: text/html"), b""),
    "nothing": (answer(b""), b""),
    "status 0": (b"HTTP/1.1 0 OK\r\nContent-Length: 0\r\n\r\n", b""),
    "status 000": (b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n", b""),
    "status 1000": (b"HTTP/1.1 1000 OK\r\nContent-Length: 0\r\n\r\n", b""),
    "status 70000": (b"HTTP/1.1 70000 OK\r\nContent-Length: 0\r\n\r\n", b""),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", b""),
    "HTTP/2": (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", b""),
    "lines that end with LF": (b"HTTP/1.1 200 OK\nContent-Length: 15\n\n" + b'{"messages":[]}', b""),
    "two lengths": (OK + b"Content-Length: 15\r\nContent-Length: 16\r\n\r\n" + b'{"messages":[]}', b""),
    "a negative length": (OK + b"Content-Length: -1\r\n\r\n", b""),
    "a length and chunks": (OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
    "gzip as Transfer-Encoding": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b""),
    "chunked twice": (OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
    "a chunk without its end": (CHUNKED + b"f\r\n" + b'{"messages":[]}XX0\r\n\r\n', b""),
    "a field without colon": (OK + b"Nothing\r\nContent-Length: 15\r\n\r\n" + b'{"messages":[]}', b""),
    "a space before the colon": (OK + b"X : y\r\nContent-Length: 15\r\n\r\n" + b'{"messages":[]}', b""),
    "a length that is short": (OK + b"Content-Length: 2\r\n\r\n" + b'{"messages":[]}', b""),
    "an id beyond 64 bits": (in_body(message(1), message(2**64)), b""),
    "an id of 2^63": (in_body(message(2**63)), b""),
    "a negative id": (in_body(message(-1)), b""),
    "no id": (in_body(b"{}"), b""),
    "an instant beyond 64 bits": (in_body(message(1, due_ns=2**63)), b""),
    "a number of 5000 digits": (in_body(b'{"id":%b}' % (b"9" * 5000)), b""),
    "deep JSON": (answer(b'{"messages":' + b"[" * 500_000), b""),
    "a deep message": (in_body(b'{"id":1,"content":%b%b}' % (b"[" * 200_000, b"]" * 200_000)), b""),
    "no UTF-8": (in_body(b'{"id":1,"type":"\xff"}'), b""),
}
"""What comes first of all, and what comes then without end."""
EVENTS = {
    "an id beyond 64 bits": message(2**64),
    "an instant beyond 64 bits": message(1, published_ns=2**64),
    "a negative instant": message(1, due_ns=-5),
    "deep JSON": b'{"id":1,"content":' + b"[" * 500_000,
    "no id": b"{}",
    "no JSON": b"hello",
    "no UTF-8": b'{"id":1,"type":"\xff"}',
}
OF_POLLS_ONLY = {
    "an endless body",
    "an endless body in chunks",
    "a body as long as can be said",
    "gzip cut off",
    "nothing",
    "a chunk without its end",
    "a length that is short",
    "an HTML page",
}
STREAM_FLOODS = {
    "an endless line": (UNTIL_CLOSE, b"data"),
    "an endless line in chunks": (CHUNKED, chunk(b"data" * 200)),
    "a bomb": (PACKED + chunk(BOMB[: LIMIT_BYTES // 2]), b""),
}


def at_first(first: bytes, then: bytes, serve: Callable[[socket.socket, bytes], None]) -> Serve:
    """Answer the first connection so, without end if there is a `then`, and all others as it should be."""

    def one(connection: socket.socket, number: int) -> None:
        request = request_of(connection)
        if number > 1:
            serve(connection, request)
            return
        connection.sendall(first)
        if then:
            flood(connection, then)
        connection.recv(1)

    return one


def polled(connection: socket.socket, request: bytes) -> None:
    while request:
        connection.sendall(answer(poll_body(request)))
        request = request_of(connection)


def streamed(framed: bytes) -> Callable[[socket.socket, bytes], None]:
    def serve(connection: socket.socket, request: bytes) -> None:
        connection.sendall(CHUNKED)
        for number in range(cursor_of(request) + 1, 4):
            connection.sendall(chunk(framed % message(number)))
        connection.recv(1)

    return serve


FRAMED = {"sse": b"data: %b\n\n", "chunked": b"%b\n"}


def cases() -> dict[str, Case]:
    found = {f"poll: {name}": Case("short_polling", at_first(*said, polled)) for name, said in NO_ANSWERS.items()}
    for pattern, framed in FRAMED.items():
        good = streamed(framed)
        said = {
            name: said for name, said in NO_ANSWERS.items() if name not in OF_POLLS_ONLY and b"messages" not in said[0]
        }
        said |= STREAM_FLOODS
        said |= {name: (CHUNKED + chunk(framed % event), b"") for name, event in EVENTS.items()}
        said |= {"endless comments and blank lines, then none": (CHUNKED + chunk(b"\n: x\n\n" * 9) + b"x\r\n", b"")}
        found |= {f"{pattern}: {name}": Case(pattern, at_first(*each, good)) for name, each in said.items()}
    return found


CASES = cases()


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, Any]]:
    with met(CASES, poll_interval_s=0.02, compress=True, message_limit_bytes=LIMIT_BYTES) as found:
        yield found


@pytest.mark.parametrize("name", CASES)
def test_it_is_a_protocol_error_and_the_next_connection_brings_all(found: dict[str, Any], name: str) -> None:
    seen = found[name]
    assert (seen["delivered"], seen["died"]) == ([1, 2, 3], "")
    assert seen["requests"][0]["error"] == "protocol"
    assert {row["error"] for row in seen["requests"][1:]} <= {"", "cut"}
    assert seen["connections"] == 2


def test_there_is_no_traceback_and_what_is_wrong_is_named_once_in_a_line(found: dict[str, Any]) -> None:
    assert "Traceback" not in found["stderr"]


def test_all_of_them_together_take_a_bounded_memory(found: dict[str, Any]) -> None:
    assert found["grown_bytes"] < GROWN_MAX_BYTES


def test_who_is_answered_with_nonsense_waits_longer_each_time() -> None:
    def nonsense(first: bytes) -> Serve:
        def serve(connection: socket.socket, _: int) -> None:
            while request_of(connection):
                connection.sendall(first)

        return serve

    always = {
        "short_polling": nonsense(answer(HTML)),
        "sse": nonsense(CHUNKED + chunk(b"data: {}\n\n")),
        "chunked": nonsense(CHUNKED + chunk(message(1) + b"\n" + b"{}\n")),
    }
    with met({name: Case(name, serve, requests=4) for name, serve in always.items()}, poll_interval_s=0.01) as found:
        for name in always:
            assert [row["error"] for row in found[name]["requests"][:4]] == ["protocol"] * 4
            assert found[name]["failures"] >= 4
    assert found["chunked"]["delivered"][:1] == [1]


# Without a socket

Readers = dict[str, Callable[[bytes], object]]


KEPT_BYTES = 131_072
PEAK_BYTES = 8 * KEPT_BYTES + 65_536 * (38 + 8)
"""What is kept, a few copies of it, and a read taken apart into bytes, an object each."""


def readers(limit_bytes: int = KEPT_BYTES) -> Readers:
    return {
        "poll": ResponseReader(gzip=True, limit_bytes=limit_bytes).receive,
        "sse": SseDecoder(get("h", "/"), gzip=True, limit_bytes=limit_bytes).receive,
        "lines": LinesDecoder(get("h", "/"), gzip=True, limit_bytes=limit_bytes).receive,
    }


FLOODS = {
    **{name: said for name, said in NO_ANSWERS.items() if said[1]},
    **STREAM_FLOODS,
    "a line, two bytes in each chunk": (CHUNKED, chunk(b"xx")),
    "endless data lines": (CHUNKED, chunk(b"data:\n" * 100)),
}


@pytest.mark.parametrize("reader", readers())
@pytest.mark.parametrize("name", FLOODS)
def test_what_never_ends_is_refused_or_passed_on_and_never_kept(name: str, reader: str) -> None:
    first, then = FLOODS[name]
    receive = readers()[reader]
    block = then * (65_536 // len(then) + 1) if then else b""
    tracemalloc.start()
    try:
        for at in range(0, len(first), 65_536):
            receive(first[at : at + 65_536])
        for _ in range(10 * KEPT_BYTES // 65_536 if then else 0):
            receive(block)
    except ProtocolError:
        pass
    finally:
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak_bytes < PEAK_BYTES


def test_a_read_that_unpacks_to_very_many_messages_is_refused() -> None:
    receive = readers()["lines"]
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="unpack to more than"):
            receive(PACKED + chunk(gzip.compress(b"1\n" * 300_000)))
    finally:
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak_bytes < LIMIT_BYTES_BY_DEFAULT


@given(
    st.lists(
        st.one_of(st.binary(max_size=40), st.sampled_from([OK, CHUNKED, PACKED, b"\r\n", b"5\r\n", b"data: "])),
        max_size=12,
    )
)
def test_whatever_bytes_come_a_protocol_error_is_the_worst(pieces: list[bytes]) -> None:
    for receive in readers().values():
        try:
            for piece in [*pieces, b""]:
                receive(piece)
        except ProtocolError as wrong:
            assert "\n" not in str(wrong)


broken = st.sampled_from([b"zz\r\n", b"3\r\nab\nXX", b"8000000000000000\r\n", b"-1\r\n"])


@given(
    st.lists(st.binary(min_size=1, max_size=20), max_size=5),
    broken,
    st.lists(st.integers(1, 40), min_size=1, max_size=9),
)
def test_what_came_before_an_error_counts_however_it_was_cut(
    bodies: list[bytes], end: bytes, lengths: list[int]
) -> None:
    wire = CHUNKED + b"".join(chunk(b"x" + body.replace(b"\n", b"") + b"\n") for body in bodies) + end
    assert until_wrong(wire, lengths) == until_wrong(wire, [len(wire)])


def until_wrong(wire: bytes, lengths: list[int]) -> tuple[list[bytes], str]:
    decoder, at, bodies = LinesDecoder(get("h", "/")), 0, list[bytes]()

    def take(events: "list[Event] | tuple[Event, ...]") -> None:
        bodies.extend(body for event in events if (body := getattr(event, "body", None)) is not None)

    while at < len(wire):
        length = lengths[at % len(lengths)]
        try:
            take(decoder.receive(wire[at : at + length]))
        except ProtocolError as wrong:
            take(tuple(wrong.events))
            return bodies, str(wrong)
        at += length
    return bodies, ""
