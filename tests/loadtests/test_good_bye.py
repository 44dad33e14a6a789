"""A user that gives a connection up says why, as WebSocket (RFC 6455 7.1.7) and HTTP/2 (RFC 9113 5.4.1) want it."""

import base64
import hashlib
import socket
from contextlib import suppress
from queue import Queue

import pytest

from tests.http2.raw_peer import DATA, GOAWAY, HEADERS, PING, frame, settings
from tests.loadtests.foreign_server import Case, met, request_of
from tests.server_process import HANG_S
from tests.websocket_cases import frame as socket_frame

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
LIMIT_BYTES = 70_000
LONG = b"x" * 80_000


def handshake(connection: socket.socket) -> bytes:
    """Answer the handshake of a user; return what comes first."""
    key = request_of(connection).partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    fields = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + accept
    return b"HTTP/1.1 101 Switching Protocols\r\n" + fields + b"\r\n\r\n"


CASES = {
    "an unknown opcode": ("websocket", b"\x83\x01x", socket_frame(0x88, b"\x03\xea", masked=True)),
    "a message over the limit": (
        "websocket",
        socket_frame(0x81, LONG)[:10],
        socket_frame(0x88, b"\x03\xf1", masked=True),
    ),
    "a ping of 7 bytes": (
        "http2_push",
        settings() + frame(PING, 0, 0, bytes(7)),
        frame(GOAWAY, 0, 0, bytes(7) + b"\6"),
    ),
    "a line over the limit": (
        "http2_push",
        settings() + frame(HEADERS, 4, 1, b"\x88") + b"".join(frame(DATA, 0, 1, LONG[:14_001]) for _ in range(5)),
        frame(GOAWAY, 0, 0, bytes(7) + b"\x0b"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_who_breaks_a_rule_of_websocket_or_http2_is_told_which(name: str) -> None:
    pattern, wrong, good_bye = CASES[name]
    said: Queue[bytes] = Queue()

    def serve(connection: socket.socket, number: int) -> None:
        connection.sendall((handshake(connection) if pattern == "websocket" else b"") + wrong)
        data = b""
        with suppress(ConnectionError):
            while piece := connection.recv(65_536):
                data += piece
        said.put(data)

    with met({name: Case(pattern, serve, requests=1)}, message_limit_bytes=LIMIT_BYTES) as found:
        assert found[name]["requests"][0]["error"] == "protocol"
    assert unmasked(said.get(timeout=HANG_S)).endswith(unmasked(good_bye))


def unmasked(data: bytes) -> bytes:
    """Leave the mask of a close frame out of account, which is the client's to choose."""
    mask, payload = data[-6:-2], data[-2:]
    return data[-8:-6] + bytes(a ^ b for a, b in zip(payload, mask, strict=False)) if data[-8:-7] == b"\x88" else data
