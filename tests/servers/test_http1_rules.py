"""The HTTP/1.1 side, asked raw (RFC 9110, 9112): forms of a request, pipelining, conditions, codings, HTTP/1.0."""

import json
import socket
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.server_process import HANG_S, ServerProcess, serving

POLL = "GET /api/poll?last_id=0 HTTP/1.1\nHost: h\n"
POST = "POST /api/message HTTP/1.1\nHost: h\n"
CHUNKED = "Transfer-Encoding: chunked\n"


class Answer(NamedTuple):
    status: int
    fields: dict[str, str]
    body: bytes


@pytest.fixture(scope="module")
def plain() -> Iterator[ServerProcess]:
    with serving("short_polling", "long_polling", "sse", "chunked") as process:
        for text in ("m0", "m1", "m2"):
            process.post(text)
        yield process


@pytest.fixture(scope="module")
def packing() -> Iterator[ServerProcess]:
    with serving("short_polling", "--compress") as process:
        process.post("x" * 2_000)
        yield process


def wire(head: str, body: bytes = b"") -> bytes:
    return head.replace("\n", "\r\n").encode("latin-1") + b"\r\n" + body


def dialled(server: ServerProcess) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=HANG_S)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def read(client: socket.socket, enough: Callable[[bytes], object] = lambda _: False) -> bytes:
    """Read until there is enough, or the server has closed."""
    data = b""
    while not enough(data) and (piece := client.recv(65_536)):
        data += piece
    return data


def whole(data: bytes) -> bool:
    """Whether a response is there to the end of its body, or has none."""
    head, found, body = data.partition(b"\r\n\r\n")
    fields = parsed(head)[1]
    return bool(found) and len(body) >= int(fields.get("content-length", "0"))


def parsed(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    split = (line.partition(":") for line in lines)
    status = first.partition(" ")[2].partition(" ")[0]
    return int(status or 0), {name.lower(): value.strip() for name, _, value in split}


def asked(server: ServerProcess, head: str, body: bytes = b"") -> Answer:
    with dialled(server) as client:
        client.sendall(wire(head, body))
        data = read(client, whole)
    head_bytes, _, rest = data.partition(b"\r\n\r\n")
    return Answer(*parsed(head_bytes), rest)


FORMS: list[tuple[str, str, bytes, int]] = [
    ("absolute-form", "GET http://h/api/poll?last_id=1 HTTP/1.1\nHost: h\n", b"", 200),
    ("a percent-encoded letter in the path", "GET /api/%70oll HTTP/1.1\nHost: h\n", b"", 200),
    ("an empty query", "GET /api/poll? HTTP/1.1\nHost: h\n", b"", 200),
    ("no Host (9112 3.2)", "GET /api/poll HTTP/1.1\n", b"", 400),
    ("two Hosts (9112 3.2)", "GET /api/poll HTTP/1.1\nHost: a\nHost: b\n", b"", 400),
    ("HTTP/1.0 without Host", "GET /api/poll HTTP/1.0\n", b"", 200),
    ("a space before the colon (9112 5.1)", "GET /api/poll HTTP/1.1\nHost : h\n", b"", 400),
    ("length and chunks at once (9112 6.1)", f"{POST}Content-Length: 3\n{CHUNKED}", b"0\r\n\r\n", 400),
    ("two lengths that differ", f"{POST}Content-Length: 3\nContent-Length: 4\n", b"abcd", 400),
    ("a length with a sign", f"{POST}Content-Length: +3\n", b"abc", 400),
    ("a NUL in a field", "GET /api/poll HTTP/1.1\nHost: h\nX: a\0b\n", b"", 400),
    ("chunks, with extension and trailer", POST + CHUNKED, b"3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n", 201),
    ("a chunk that does not end with CRLF", POST + CHUNKED, b"3\r\nabcXX0\r\n\r\n", 400),
    ("an unknown expectation (9110 10.1.1)", f"{POST}Expect: tea\nContent-Length: 3\n", b"abc", 417),
]  # fmt: skip


@pytest.mark.parametrize(("head", "body", "status"), [one[1:] for one in FORMS], ids=[one[0] for one in FORMS])
def test_a_request_in_any_good_form_is_served_and_in_a_bad_one_refused(
    plain: ServerProcess, head: str, body: bytes, status: int
) -> None:
    answer = asked(plain, head, body)
    assert answer.status == status
    if status == 400:
        assert json.loads(answer.body)["field"] in {"request", "body"}


def test_the_query_of_a_request_in_absolute_form_counts(plain: ServerProcess) -> None:
    newest = plain.stats()["newest_id"]
    answer = asked(plain, f"GET http://h/api/poll?last_id={newest - 1} HTTP/1.1\nHost: h\n")
    assert json.loads(answer.body)["count"] == 1


def test_who_asks_first_whether_it_may_send_is_told_to_go_on(plain: ServerProcess) -> None:
    with dialled(plain) as client:
        client.sendall(wire(f"{POST}Expect: 100-continue\nContent-Length: 3\n"))
        assert read(client, lambda data: b"\r\n\r\n" in data) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert read(client, whole).startswith(b"HTTP/1.1 201 ")


def test_head_has_no_content_and_another_method_is_told_what_is_allowed(plain: ServerProcess) -> None:
    with dialled(plain) as client:
        client.sendall(wire("HEAD /api/poll HTTP/1.1\nHost: h\nConnection: close\n"))
        head, _, body = read(client).partition(b"\r\n\r\n")
    assert (parsed(head)[0] in {200, 405}, body) == (True, b"")
    refused = asked(plain, "DELETE /api/poll HTTP/1.1\nHost: h\n")
    assert (refused.status, "GET" in refused.fields["allow"]) == (405, True)


def test_pipelined_polls_are_answered_in_order_also_behind_a_held_one(plain: ServerProcess) -> None:
    newest = plain.stats()["newest_id"]
    targets = [f"poll?last_id={newest - 2}", f"longpoll?last_id={newest}&timeout=1", f"poll?last_id={newest - 1}"]
    with dialled(plain) as client:
        client.sendall(b"".join(wire(f"GET /api/{target} HTTP/1.1\nHost: h\n") for target in targets))
        answers = read(client, lambda data: data.count(b'"count":') == 3)
    assert [part.count(b'"id":') for part in answers.split(b"HTTP/1.1 200 OK")[1:]] == [2, 0, 1]


def test_a_request_may_come_byte_by_byte(plain: ServerProcess) -> None:
    with dialled(plain) as client:
        for byte in wire(POLL):
            client.sendall(bytes((byte,)))
        assert read(client, whole).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("GET /api/poll HTTP/1.1\nHost: h\nConnection: close\n", {"close"}),
        ("GET /api/poll HTTP/1.0\n", {"", "close"}),
    ],
)
def test_a_connection_that_is_to_end_ends_and_that_is_said(plain: ServerProcess, head: str, said: set[str]) -> None:
    with dialled(plain) as client:
        client.sendall(wire(head))
        answer = read(client)
    assert parsed(answer.partition(b"\r\n\r\n")[0])[1].get("connection", "").lower() in said


def test_a_connection_of_http_1_0_is_kept_when_that_is_asked_for(plain: ServerProcess) -> None:
    answer = asked(plain, "GET /api/poll HTTP/1.0\nConnection: keep-alive\n")
    assert answer.fields["connection"].lower() in {"keep-alive", "close"}


@pytest.mark.parametrize("path", ["/api/events", "/api/stream"])
def test_a_stream_over_http_1_0_is_not_chunked(plain: ServerProcess, path: str) -> None:
    with dialled(plain) as client:
        client.sendall(wire(f"GET {path}?last_id=0 HTTP/1.0\n"))
        data = read(client, lambda data: b'"m0"' in data)
    assert data.startswith(b"HTTP/1.")
    assert b"transfer-encoding" not in data.lower()


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("If-None-Match: ETAG\n", 304),
        ("If-None-Match: STRONG\n", 304),
        ("If-None-Match: *\n", 304),
        ('If-None-Match: "x", ETAG , W/"y"\n', 304),
        ('If-None-Match: "x"\nIf-None-Match: ETAG\n', 304),
        ('If-None-Match: W/"other"\n', 200),
    ],
    ids=["the weak tag", "compared weakly", "any", "a list", "a list over two lines (9110 5.3)", "another"],
)
def test_a_client_that_names_the_state_it_knows_is_not_sent_it_again(
    plain: ServerProcess, lines: str, status: int
) -> None:
    etag = asked(plain, POLL).fields["etag"]
    answer = asked(plain, POLL + lines.replace("ETAG", etag).replace("STRONG", etag.removeprefix("W/")))
    assert answer.status == status
    assert (answer.body == b"") == (status == 304)


@pytest.mark.parametrize(
    ("lines", "packed"),
    [
        ("Accept-Encoding: gzip\n", True),
        ("Accept-Encoding: GZIP\n", True),
        ("Accept-Encoding: br, gzip;q=0.5\n", True),
        ("Accept-Encoding: gzip;q=0\n", False),
        ("Accept-Encoding: gzip;q=0.000\n", False),
        ("Accept-Encoding: gzip ; q=0\n", False),
        ("Accept-Encoding: identity\n", False),
        ("Accept-Encoding: \n", False),
        ("Accept-Encoding: br\nAccept-Encoding: gzip\n", True),
    ],
)
def test_gzip_is_for_who_accepts_it_however_that_is_written_and_caches_are_told(
    packing: ServerProcess, lines: str, packed: bool
) -> None:
    fields = asked(packing, POLL + lines).fields
    assert (fields.get("content-encoding"), fields["vary"]) == ("gzip" if packed else None, "Accept-Encoding")


def test_a_304_has_the_fields_of_the_200(packing: ServerProcess) -> None:
    """RFC 9110 15.4.5: a cache that has none of them would mix up what is packed and what is not."""
    lines = "Accept-Encoding: gzip\n"
    first = asked(packing, POLL + lines)
    again = asked(packing, f"{POLL}{lines}If-None-Match: {first.fields['etag']}\n")
    assert again.status == 304
    assert {"vary", "date", "etag", "cache-control"} <= again.fields.keys()
    assert all(again.fields[name] == first.fields[name] for name in ("vary", "etag", "cache-control"))
