"""What users meet behind real proxies: statuses with pages of HTML, answers cut short, connections closed at once.

Each is recorded once, by its status or as a reset, and the next poll brings what was due.
"""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.loadtests.foreign_server import Case, Serve, answer, met, poll_body, request_of

HTML = b"<html><head><title>504 Gateway Time-out</title></head><body>nginx</body></html>"


def page(status: bytes, *fields: bytes) -> bytes:
    lines = b"".join(field + b"\r\n" for field in (*fields, b"Content-Type: text/html"))
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, lines, len(HTML), HTML)


def first(said: bytes, *, closes: bool = False) -> Serve:
    """Answer the first request of all so, and all others as it should be."""
    asked: list[bytes] = []

    def serve(connection: socket.socket, _: int) -> None:
        while request := request_of(connection):
            asked.append(request)
            connection.sendall(said if len(asked) == 1 else answer(poll_body(request)))
            if closes and len(asked) == 1:
                return

    return serve


def cut(connection: socket.socket, number: int) -> None:
    """End the first answer five bytes before its end."""
    while request := request_of(connection):
        whole = answer(poll_body(request))
        connection.sendall(whole[:-5] if number == 1 else whole)
        if number == 1:
            return


STATUSES = {
    "502 with a page": (page(b"502 Bad Gateway"), 502, 1),
    "504 with a page": (page(b"504 Gateway Time-out"), 504, 1),
    "503 that closes": (page(b"503 Service Unavailable", b"Connection: close"), 503, 2),
    "503 after 103": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + page(b"503 X"), 503, 1),
    "301": (page(b"301 Moved Permanently", b"Location: /api/elsewhere"), 301, 1),
    "404 in chunks": (b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 404, 1),
    "304 without a request": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", 304, 1),
    "a status that nobody knows": (page(b"599 Whatever"), 599, 1),
    "no reason": (b"HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n", 503, 1),
    "two equal lengths": (b"HTTP/1.1 503 X\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab", 503, 1),
}
RESETS: dict[str, Serve] = {
    "an answer cut before its end": cut,
    "a connection closed at its first poll": first(b"", closes=True),
}


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, Any]]:
    serving = {name: first(said, closes=b"close" in said) for name, (said, _, _) in STATUSES.items()} | RESETS
    cases = {name: Case("short_polling", serve) for name, serve in serving.items()}
    with met(cases, poll_interval_s=0.02) as found:
        yield found


@pytest.mark.parametrize("name", STATUSES)
def test_a_status_that_is_no_success_is_recorded_and_the_connection_kept_where_it_may_be(
    found: dict[str, Any], name: str
) -> None:
    seen, (_, status, connections) = found[name], STATUSES[name]
    assert (seen["delivered"], seen["died"], seen["connections"]) == ([1, 2, 3], "", connections)
    assert seen["requests"][0] == {"status": status, "error": "status", "messages": 0, "repeated": 0}
    assert {row["error"] for row in seen["requests"][1:]} <= {"", "cut"}


@pytest.mark.parametrize("name", RESETS)
def test_an_answer_that_does_not_come_whole_counts_for_nothing(found: dict[str, Any], name: str) -> None:
    seen = found[name]
    assert (seen["delivered"], seen["died"], seen["connections"]) == ([1, 2, 3], "", 2)
    assert [row["error"] for row in seen["requests"]][:2] == ["reset", ""]
    assert seen["requests"][0]["messages"] == 0
