"""Servers written by hand, byte by byte: each connection is a thread that does what it is told with a socket."""

import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from servers.targets.reading import read_adapter
from tests.server_process import HANG_S

Serve = Callable[[socket.socket, int], None]
"""What to do with a connection, and which one it is, counted from 1."""
FLOOD_BYTES = 33_554_432
"""What an endless answer comes to, if nobody ends it."""


def message(number: int, **fields: object) -> bytes:
    return json.dumps({"id": number, "due_ns": 1, "published_ns": 2, "content": "x"} | fields).encode()


def request_of(connection: socket.socket) -> bytes:
    """Read a request; b"" at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65_536)
        if not piece:
            return b""
        data += piece
    return data


class StrangerError(OSError):
    """Somebody else's client, still looking for a server that had this port before: its connection is dropped."""


def cursor_of(request: bytes) -> int:
    """Return what the client has seen last, as polls, JSON lines and SSE say it. Raises StrangerError."""
    for name in (b"last_id=", b"Last-Event-ID: "):
        if name in request:
            return int(request.partition(name)[2].split()[0])
    raise StrangerError(request)


def poll_body(request: bytes, last: int = 3) -> bytes:
    """Return the answer to a poll: the next message, if there is one."""
    number = cursor_of(request) + 1
    return b'{"messages":[%b]}' % (message(number) if number <= last else b"")


def answer(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    lines = b"".join(field + b"\r\n" for field in (*fields, b"Content-Length: %d" % len(body)))
    return b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, lines, body)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def flood(connection: socket.socket, piece: bytes) -> None:
    """Send it over and over, until whoever reads has had enough."""
    block = piece * (65_536 // len(piece) + 1)
    for _ in range(FLOOD_BYTES // len(block)):
        connection.sendall(block)


def reset(connection: socket.socket) -> None:
    """Have the connection end with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class ForeignServer:
    """One server on a free port. connections: how many it has had."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                self.connections += 1
                threading.Thread(target=self._one, args=(connection, self.connections), daemon=True).start()

    def _one(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(HANG_S)
        with contextlib.suppress(OSError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(connection, number)


class Case:
    """A server, and the pattern whose user meets it. requests: see foreign_users.py. adapter: TOML, "" for ours."""

    def __init__(self, pattern: str, serve: Serve, requests: int = 0, adapter: str = "") -> None:
        self.pattern = pattern
        self.serve = serve
        self.requests = requests
        self.adapter = msgspec.to_builtins(read_adapter(adapter, "adapter.toml")) if adapter else None


@contextlib.contextmanager
def met(cases: Mapping[str, Case], **settings: object) -> Iterator[dict[str, Any]]:
    """Let one process have a user for each case; give what became of them, and what the process wrote as `stderr`."""
    script = Path(__file__).with_name("foreign_users.py")
    with ExitStack() as stack:
        servers = {name: ForeignServer(case.serve) for name, case in cases.items()}
        for server in servers.values():
            stack.callback(server.close)
        users = {
            name: {
                "pattern": case.pattern,
                "port": servers[name].port,
                "requests": case.requests,
                "adapter": case.adapter,
            }
            for name, case in cases.items()
        }
        command = [sys.executable, str(script), json.dumps({"session": settings, "users": users})]
        done = subprocess.run(command, capture_output=True, text=True, timeout=2 * HANG_S, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        for name, server in servers.items():
            assert name in found, f"{name}: its user never ended\n{done.stderr}"
            found[name]["connections"] = server.connections
        yield found | {"stderr": done.stderr}
