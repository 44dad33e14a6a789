"""HTTP/1.1 as far as users need it: whole responses on a kept-alive connection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.events import ProtocolError
from loadtests.http1 import ResponseReader, get
from servers.streams import chunk


def plain(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def chunked(body: bytes) -> bytes:
    parts = b"".join(chunk(body[at : at + 7]) for at in range(0, len(body), 7))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\n\r\n"


@given(bodies=st.lists(st.binary(max_size=100), min_size=1, max_size=5), frame=st.sampled_from([plain, chunked]))
def test_responses_come_out_one_after_another_whole_or_byte_by_byte(bodies: list[bytes], frame: object) -> None:
    assert callable(frame)
    reader = ResponseReader()
    for body in bodies:
        wire = frame(body)
        assert reader.receive(wire)
        assert (reader.status, reader.body) == (200, body)
        complete = [reader.receive(wire[at : at + 1]) for at in range(len(wire))]
        assert complete == [False] * (len(wire) - 1) + [True]
        assert reader.body == body


def test_304_has_no_body_and_leaves_the_connection_usable() -> None:
    reader = ResponseReader()
    assert reader.receive(b'HTTP/1.1 304 Not Modified\r\nETag: W/"a-1"\r\n\r\n')
    assert (reader.status, reader.body, reader.keep_alive) == (304, b"", True)
    assert reader.receive(plain(b"next"))
    assert reader.body == b"next"


def test_a_refusal_says_when_to_come_back_and_whether_the_connection_stays() -> None:
    reader = ResponseReader()
    assert reader.receive(b"HTTP/1.1 429 Slow\r\nRetry-After: 2\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
    assert reader.status == 429
    assert reader.headers["retry-after"] == "2"
    assert not reader.keep_alive


@pytest.mark.parametrize("garbage", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
def test_what_is_not_http_is_a_protocol_error(garbage: bytes) -> None:
    with pytest.raises(ProtocolError):
        ResponseReader().receive(garbage)


def test_a_get_is_what_rfc_9112_asks_for() -> None:
    assert get("host:1", "/a?b=1", "X-A: b\r\n") == b"GET /a?b=1 HTTP/1.1\r\nHost: host:1\r\nX-A: b\r\n\r\n"
