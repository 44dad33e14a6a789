"""The users' sockets. The clock is read right after recv, before a byte is looked at."""

import socket as plain_socket
from contextlib import suppress
from typing import Final

import gevent
from gevent import socket

from loadtests import tcp_info
from loadtests.http1 import ResponseReader
from servers.clock import now_ns

READ_BYTES: Final = 65_536
CONNECT_S: Final = 10.0


class NoAnswer(Exception):
    """A whole response was not there in time."""


_open: "set[Connection]" = set()


def expire_overdue(at_ns: int) -> None:
    """Wake whoever waits for an answer that is overdue: it finds its connection ended, and its deadline past."""
    for connection in list(_open):
        if 0 < connection.deadline_ns <= at_ns:
            with suppress(OSError):
                connection.socket.shutdown(plain_socket.SHUT_RDWR)


class Exchange:
    """Instants (ns) and HTTP bytes of one request and its response. 0 for what has not happened."""

    __slots__ = ("bytes_in", "bytes_out", "ended_ns", "first_byte_ns", "started_ns")

    def __init__(self, started_ns: int) -> None:
        self.started_ns = started_ns
        self.first_byte_ns = self.ended_ns = self.bytes_out = self.bytes_in = 0


class Connection:
    """One TCP connection, as the kernel and its user see it. Counts in `tcp_info.meter` from open to close."""

    def __init__(self, host: str, port: int) -> None:
        """Connect. Raises OSError."""
        self.socket = socket.create_connection((host, port), timeout=CONNECT_S)
        self.socket.settimeout(None)
        self.socket.setsockopt(plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1)
        self.reader = ResponseReader()
        self.deadline_ns = 0
        self.last = Exchange(0)
        tcp_info.meter.opened(self.socket)
        _open.add(self)

    def exchange(self, request: bytes, timeout_s: float) -> Exchange:
        """Send a request and read the whole response into `self.reader`. `expire_overdue` ends it after timeout_s.

        Raises OSError, NoAnswer or ProtocolError; `self.last` then says how far things went.
        """
        # gevent's own socket methods and a gevent.Timeout would cost a third of a poll.
        raw = self.socket._sock
        wait, readable = gevent.get_hub().wait, self.socket._read_event
        last = self.last = Exchange(now_ns())
        self.deadline_ns = last.started_ns + round(timeout_s * 1e9)
        last.bytes_out = raw.send(request)
        if last.bytes_out < len(request):
            self.socket.sendall(request[last.bytes_out :])
            last.bytes_out = len(request)
        while True:
            wait(readable)
            try:
                data = raw.recv(READ_BYTES)
            except BlockingIOError:
                continue
            received_ns = now_ns()
            if not data:
                raise NoAnswer if received_ns >= self.deadline_ns else ConnectionResetError("closed without an answer")
            if not last.bytes_in:
                last.first_byte_ns = received_ns
            last.bytes_in += len(data)
            if self.reader.receive(data):
                last.ended_ns = received_ns
                self.deadline_ns = 0
                return last

    def close(self) -> None:
        _open.discard(self)
        tcp_info.meter.closed(self.socket)
        self.socket.close()
