"""Asks a server the same thing again and again on a few connections, and counts what came back."""

import selectors
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from loadtests.protocols.http1 import ResponseReader

ANSWER_S: Final = 20.0
READ_BYTES: Final = 262_144


@dataclass(slots=True)
class Polled:
    """statuses: how often each was answered; bytes_in, bytes_out: HTTP, heads included; etag: the first there was."""

    statuses: Counter[int] = field(default_factory=Counter)
    bytes_in: int = 0
    bytes_out: int = 0
    etag: str = ""


def poll(port: int, request: bytes, times: int, connections: int = 4) -> Polled:
    """Send the request `times` times, on each connection the next one when the last was answered.

    Raises OSError when the server does not answer, ProtocolError when what it answers is not HTTP.
    """
    polled, left = Polled(), iter(range(times))
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for _ in range(min(connections, times)):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(sock, selectors.EVENT_READ, (sock, ResponseReader()))
            _send(sock, request, polled, left)
        while selector.get_map():
            ready = selector.select(ANSWER_S)
            if not ready:
                raise TimeoutError("the server does not answer")
            for key, _ in ready:
                asker, reader = key.data
                if _received(asker, reader, polled) and not _send(asker, request, polled, left):
                    selector.unregister(asker)
    return polled


def _send(sock: socket.socket, request: bytes, polled: Polled, left: Iterator[int]) -> bool:
    """Send the next request, if there is one left; return whether there was."""
    if next(left, None) is None:
        return False
    sock.sendall(request)
    polled.bytes_out += len(request)
    return True


def _received(sock: socket.socket, reader: ResponseReader, polled: Polled) -> bool:
    """Read what has come; return whether that completes an answer."""
    data = sock.recv(READ_BYTES)
    if not data:
        raise ConnectionResetError("the server closed the connection")
    polled.bytes_in += len(data)
    if not reader.receive(data):
        return False
    polled.statuses[reader.status] += 1
    if not polled.etag:
        polled.etag = reader.headers.get("etag", "")
    return True
