"""What a client begins and does not finish is given up, over HTTP/1.1 and HTTP/2; who waits for an answer is not."""

import socket
from collections.abc import Iterator

import pytest

from tests.http2.raw_peer import CONTINUATION, GOAWAY, HEADERS, PREFACE, RawPeer, block, frame, get, settings
from tests.server_process import HANG_S, ServerProcess, serving

BLOCK = block()
BEGUN_2 = {
    "nothing": b"",
    "half a preface": PREFACE[:10],
    "a preface without SETTINGS": PREFACE,
    "half of SETTINGS": PREFACE + settings((3, 100))[:12],
    "half of a frame's head": PREFACE + settings() + get(1)[:4],
    "half of HEADERS": PREFACE + settings() + get(1)[:-2],
    "fields without end": PREFACE + settings() + frame(HEADERS, 1, 1, BLOCK[:5]),
    "fields without end in two frames": PREFACE
    + settings()
    + frame(HEADERS, 1, 1, BLOCK[:5])
    + frame(CONTINUATION, 0, 1, BLOCK[5:]),
    "a second request's fields": PREFACE + settings() + get(1) + frame(HEADERS, 1, 3, BLOCK),
}
BEGUN_1 = {
    "nothing": b"",
    "a line": b"GET /api/poll HTTP/1.1\r\n",
    "a head without its end": b"GET /api/poll HTTP/1.1\r\nHost: h\r\n",
    "a second head": b"GET /api/poll HTTP/1.1\r\nHost: h\r\n\r\nGET /api",
}


@pytest.fixture(scope="module")
def impatient() -> Iterator[ServerProcess]:
    with serving("http2_push", "short_polling", "long_polling", "--head-timeout", "0.2") as process:
        yield process


def http2(server: ServerProcess, preface: bytes | None = None) -> RawPeer:
    assert server.http2_port is not None
    return RawPeer(server.http2_port, preface=preface)


@pytest.mark.parametrize("begun", BEGUN_2)
def test_an_http2_connection_that_does_not_finish_what_it_began_is_ended(impatient: ServerProcess, begun: str) -> None:
    with http2(impatient, BEGUN_2[begun]) as peer:
        peer.until(lambda: False)
        assert [int.from_bytes(one.payload[4:8], "big") for one in peer.of(GOAWAY)] == [0xB]  # ENHANCE_YOUR_CALM


@pytest.mark.parametrize("begun", BEGUN_1)
def test_an_http1_connection_that_does_not_finish_its_head_is_ended(impatient: ServerProcess, begun: str) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=HANG_S) as client:
        client.sendall(BEGUN_1[begun])
        answer = b""
        while data := client.recv(65_536):
            answer += data
        assert (b"HTTP/1.1 408 " in answer) == bool(begun != "nothing")


def test_who_waits_for_an_answer_longer_than_that_gets_it(impatient: ServerProcess) -> None:
    target = f"/api/longpoll?last_id={impatient.stats()['newest_id']}&timeout=1"
    with http2(impatient) as peer:
        peer.send(get(1, target), get(3, target))
        assert (peer.outcome(1), peer.outcome(3)) == ("answered", "answered")
        peer.send(get(5))
        assert peer.outcome(5) == "answered"
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=HANG_S) as client:
        client.sendall(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % target.encode())
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_a_connection_whose_last_request_was_whole_may_be_idle_for_longer(impatient: ServerProcess) -> None:
    head = b"POST /api/message HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=HANG_S) as client:
        for pieces in ([head, b"in ", b"pieces"], [head + b"in one pc"], [head + b"in ", b"pieces", b"\r\n"]):
            for piece in pieces:
                client.sendall(piece)
                impatient.stats()  # by now the server has seen it
            assert client.recv(65_536).startswith(b"HTTP/1.1 201 ")
            with http2(impatient) as clock:
                clock.send(get(1, f"/api/longpoll?last_id={impatient.stats()['newest_id']}&timeout=1"))
                assert clock.outcome() == "answered"
        client.sendall(b"GET /api/poll?last_id=99 HTTP/1.1\r\nHost: h\r\n\r\n")
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_does_not_come_in_time_is_refused_over_both() -> None:
    with serving("http2_push", "short_polling", "--body-timeout", "0.2") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=HANG_S) as client:
            client.sendall(b"POST /api/message HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf")
            assert client.recv(65_536).startswith(b"HTTP/1.1 408 ")
        with http2(server) as peer:
            peer.send(frame(HEADERS, 4, 1, block("/api/message", method="POST")), frame(0, 0, 1, b"half"))
            peer.until(lambda: peer.ended(1))
            assert b"did not arrive in time" in peer.content(1)
