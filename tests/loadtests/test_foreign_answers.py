"""What users meet at servers that are right, if unusual: every message arrives, once, and nothing is an error."""

import gzip
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.loadtests.foreign_server import (
    Case,
    Serve,
    answer,
    chunk,
    cursor_of,
    message,
    met,
    poll_body,
    request_of,
    reset,
)

STREAM = b"Content-Type: text/event-stream\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\n" + STREAM + b"Transfer-Encoding: chunked\r\n\r\n"


def polls(first: bytes = b"", *, packed: bool = False, closes: bool = False) -> Serve:
    """Answer the first request of all with `first`, and all others as it should be."""
    asked: list[bytes] = []

    def serve(connection: socket.socket, _: int) -> None:
        while request := request_of(connection):
            asked.append(request)
            if first and len(asked) == 1:
                connection.sendall(first)
                if closes:
                    return
            else:
                connection.sendall(answer(poll_body(request)))

    return serve


def coded(coding: bytes, *cuts: int) -> Serve:
    """Answer in gzip, a member for each part of the body."""

    def serve(connection: socket.socket, _: int) -> None:
        while request := request_of(connection):
            body = poll_body(request)
            edges = [0, *cuts, len(body)]
            members = [gzip.compress(body[edges[at] : edges[at + 1]]) for at in range(len(edges) - 1)]
            connection.sendall(answer(b"".join(members), b"Content-Encoding: " + coding))

    return serve


def poll_until_close(version: bytes) -> Serve:
    def serve(connection: socket.socket, _: int) -> None:
        request = request_of(connection)
        connection.sendall(b"HTTP/%b 200 OK\r\nConnection: close\r\n\r\n%b" % (version, poll_body(request)))

    return serve


def stream(head: bytes, framed: bytes, *, ended: bytes = b"", whole: bool = False) -> Serve:
    """Send what the client has not seen, each message in that frame; then wait, or end with `ended`."""

    def serve(connection: socket.socket, _: int) -> None:
        seen = cursor_of(request_of(connection))
        events = [framed % message(number) for number in range(seen + 1, 4)]
        connection.sendall(head)
        for event in [b"".join(events)] if whole else events:
            connection.sendall(chunk(event) if b"chunked" in head else event)
        if ended:
            connection.sendall(ended)
        else:
            connection.recv(1)

    return serve


def then(last: bytes) -> Serve:
    """Say something more behind each answer, and close."""

    def serve(connection: socket.socket, _: int) -> None:
        connection.sendall(answer(poll_body(request_of(connection))))
        # Another write, so that the two may or may not be one read.
        connection.sendall(last)

    return serve


def closes_as_the_next_crosses(how: str, first: bytes = b"") -> Serve:
    """Answer one poll of each connection, take the next, and end without an answer."""

    def serve(connection: socket.socket, _: int) -> None:
        connection.sendall(answer(poll_body(request_of(connection))))
        if request_of(connection) and first:
            connection.sendall(first)
        if how == "reset":
            reset(connection)

    return serve


CLOSED_408 = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
GOOD = {
    "a poll that ends with the connection": Case("short_polling", poll_until_close(b"1.1")),
    "a poll of HTTP/1.0": Case("short_polling", poll_until_close(b"1.0")),
    "a poll after 103": Case(
        "short_polling", polls(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(b'{"messages":[]}'))
    ),
    "a poll in chunks": Case(
        "short_polling",
        polls(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf;x=y\r\n{"messages":[]}\r\n0\r\nX: y\r\n\r\n'),
    ),
    "a folded field": Case(
        "short_polling", polls(b'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 15\r\n\r\n{"messages":[]}')
    ),
    "two equal lengths": Case(
        "short_polling", polls(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\nContent-Length: 15\r\n\r\n{"messages":[]}')
    ),
    "204 to a short poll": Case("short_polling", polls(b"HTTP/1.1 204 No Content\r\n\r\n")),
    "204 to a long poll": Case("long_polling", polls(b"HTTP/1.1 204 No Content\r\n\r\n")),
    "gzip": Case("short_polling", coded(b"gzip")),
    "x-gzip": Case("short_polling", coded(b"x-gzip")),
    "gzip in two members": Case("short_polling", coded(b"GZIP", 9)),
    "408 when idle": Case("short_polling", then(CLOSED_408)),
    "an empty line when idle": Case("short_polling", then(b"\r\n")),
    "closed when idle": Case("short_polling", then(b"")),
    "closed as a poll crosses": Case("short_polling", closes_as_the_next_crosses("closed")),
    "reset as a poll crosses": Case("short_polling", closes_as_the_next_crosses("reset")),
    "408 as a poll crosses": Case("short_polling", closes_as_the_next_crosses("closed", CLOSED_408)),
    "an empty line as a poll crosses": Case("short_polling", closes_as_the_next_crosses("closed", b"\r\n")),
    "SSE until the connection ends": Case("sse", stream(b"HTTP/1.1 200 OK\r\n" + STREAM + b"\r\n", b"data: %b\n\n")),
    "SSE of HTTP/1.0": Case("sse", stream(b"HTTP/1.0 200 OK\r\n" + STREAM + b"\r\n", b"data: %b\n\n")),
    "SSE in CRLF": Case("sse", stream(CHUNKED, b": hi\r\nevent: e\r\ndata: %b\r\n\r\n")),
    "SSE in CR": Case("sse", stream(CHUNKED, b"data: %b\r\r")),
    "SSE after 103": Case("sse", stream(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + CHUNKED, b"data: %b\n\n")),
    "SSE at once": Case("sse", stream(CHUNKED, b"id: 7\ndata: %b\n\n", whole=True)),
    "lines until the connection ends": Case("chunked", stream(b"HTTP/1.1 200 OK\r\n\r\n", b"%b\n")),
    "lines of HTTP/1.0": Case("chunked", stream(b"HTTP/1.0 200 OK\r\n\r\n", b"%b\n")),
    "lines in CRLF, blank ones between": Case("chunked", stream(CHUNKED, b"\r\n%b\r\n\r\n")),
    "lines of spaces between": Case("chunked", stream(CHUNKED, b"  \n%b  \n")),
    "the last line without its end": Case("chunked", stream(CHUNKED, b"\n%b", ended=b"0\r\n\r\n")),
}
ONE_CONNECTION = [name for name in GOOD if "204" in name or "gzip" in name or "SSE" in name or "lines" in name]
CROSSING = [name for name in GOOD if "crosses" in name]


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, Any]]:
    with met(GOOD, poll_interval_s=0.02, compress=True) as found:
        yield found


@pytest.mark.parametrize("name", GOOD)
def test_every_message_arrives_once_and_there_is_no_error(found: dict[str, Any], name: str) -> None:
    seen = found[name]
    assert (seen["delivered"], seen["died"]) == ([1, 2, 3], "")
    assert {row["error"] for row in seen["requests"]} <= {"", "cut"}


@pytest.mark.parametrize("name", ONE_CONNECTION)
def test_one_connection_is_enough(found: dict[str, Any], name: str) -> None:
    assert found[name]["connections"] == 1


@pytest.mark.parametrize("name", CROSSING)
def test_a_poll_that_crossed_with_the_end_is_sent_once_more_and_counted(found: dict[str, Any], name: str) -> None:
    assert [row["repeated"] for row in found[name]["requests"][:3]] == [0, 1, 1]


def test_a_poll_that_was_answered_was_sent_once(found: dict[str, Any]) -> None:
    for seen in (found[each] for each in GOOD if "idle" not in each and each not in CROSSING):
        assert {row["repeated"] for row in seen["requests"]} == {0}


def test_204_is_an_empty_answer(found: dict[str, Any]) -> None:
    for name in ("204 to a short poll", "204 to a long poll"):
        assert found[name]["requests"][0] == {"status": 204, "error": "", "messages": 0, "repeated": 0}
