"""A user that gives a connection up says why, as WebSocket (RFC 6455 7.1.7) and HTTP/2 (RFC 9113 5.4.1) want it."""

import base64
import hashlib
import socket
from queue import Queue

from tests.http2.raw_peer import frame, settings
from tests.loadtests.foreign_server import HANG_S, Case, met, request_of

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def rest_of(connection: socket.socket) -> bytes:
    said = b""
    while piece := connection.recv(65_536):
        said += piece
    return said


def test_who_breaks_a_rule_of_websocket_or_http2_is_told_which() -> None:
    websocket_said: Queue[bytes] = Queue()
    http2_said: Queue[bytes] = Queue()

    def websocket(connection: socket.socket, number: int) -> None:
        key = request_of(connection).partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        fields = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + accept
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n" + fields + b"\r\n\r\n" + b"\x83\x01x")
        websocket_said.put(rest_of(connection))

    def http2(connection: socket.socket, number: int) -> None:
        connection.sendall(settings() + frame(0x6, 0, 0, bytes(7)))
        http2_said.put(rest_of(connection))

    cases = {name: Case(name, serve, requests=1) for name, serve in (("websocket", websocket), ("http2_push", http2))}
    with met(cases) as found:
        assert [found[name]["requests"][0]["error"] for name in cases] == ["protocol", "protocol"]
    assert websocket_said.get(timeout=HANG_S) == b"\x88\x82\0\0\0\0\x03\xea"
    assert http2_said.get(timeout=HANG_S).endswith(frame(0x7, 0, 0, bytes(4) + b"\0\0\0\x06"))
