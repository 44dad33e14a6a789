"""The users' sockets. The clock is read right after recv, before a byte is looked at."""

import socket as plain_socket
from typing import Final

from gevent import Timeout, socket

from loadtests import tcp_info
from loadtests.http1 import ResponseReader
from servers.clock import now_ns

READ_BYTES: Final = 65_536
CONNECT_S: Final = 10.0


class Connection:
    """One TCP connection, as the kernel and its user see it. Counts in `tcp_info.meter` from open to close."""

    def __init__(self, host: str, port: int) -> None:
        """Connect. Raises OSError."""
        self.socket = socket.create_connection((host, port), timeout=CONNECT_S)
        self.socket.settimeout(None)
        self.socket.setsockopt(plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1)
        self.reader = ResponseReader()
        tcp_info.meter.opened(self.socket)

    def exchange(self, request: bytes, timeout_s: float) -> "Exchange":
        """Send a request and read the whole response into `self.reader`.

        The returned Exchange is filled as far as things went, also when this raises OSError, Timeout or
        ProtocolError: pass it on through the exception's way out by keeping `self.last`.
        """
        last = self.last = Exchange(now_ns())
        self.socket.sendall(request)
        last.bytes_out = len(request)
        receive, reader = self.socket.recv, self.reader
        with Timeout(timeout_s):
            while True:
                data = receive(READ_BYTES)
                received_ns = now_ns()
                if not data:
                    raise ConnectionResetError("the server closed the connection without an answer")
                if not last.bytes_in:
                    last.first_byte_ns = received_ns
                last.bytes_in += len(data)
                if reader.receive(data):
                    last.ended_ns = received_ns
                    return last

    def close(self) -> None:
        tcp_info.meter.closed(self.socket)
        self.socket.close()


class Exchange:
    """Instants (ns) and HTTP bytes of one request and its response. 0 for what has not happened."""

    __slots__ = ("bytes_in", "bytes_out", "ended_ns", "first_byte_ns", "started_ns")

    def __init__(self, started_ns: int) -> None:
        self.started_ns = started_ns
        self.first_byte_ns = self.ended_ns = self.bytes_out = self.bytes_in = 0
