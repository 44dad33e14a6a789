"""A relay process of one's own, and connections through it that give up instead of hanging."""

import json
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil

from servers.timing.clock import now_ns

PATIENCE_S = 60.0


@dataclass
class Relay:
    """A running relay process and its first line."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]

    def __post_init__(self) -> None:
        self.files_when_idle = self.open_files()

    def open_files(self) -> int:
        return psutil.Process(self.process.pid).num_fds()

    def connect(self) -> socket.socket:
        return patient(socket.create_connection(("127.0.0.1", self.ready["port"]), PATIENCE_S))

    def stop(self) -> tuple[dict[str, Any], str]:
        """End it with SIGTERM; return its last line and what it wrote on stderr."""
        self.process.terminate()
        out, err = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, err
        return json.loads(out), err


@dataclass
class Connection:
    """One connection through a relay, held at both ends."""

    relay: Relay
    client: socket.socket
    server: socket.socket


def command(to_port: int, *options: str) -> list[str]:
    return [sys.executable, "-m", "servers.relay", "--to", f"127.0.0.1:{to_port}", "--announce-json", *options]


def allow_files(count: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


@contextmanager
def relay_to(server: socket.socket, *options: str, files: int | None = None) -> Iterator[Relay]:
    """Run a relay in front of `server`; with `files`, it may not open more than so many."""
    limit: Callable[[], None] | None = None if files is None else partial(allow_files, files)
    process = subprocess.Popen(
        command(server.getsockname()[1], *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit,
    )
    try:
        assert process.stdout is not None
        yield Relay(process, json.loads(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=500) as server:
        server.settimeout(PATIENCE_S)
        yield server


@contextmanager
def relayed(*options: str) -> Iterator[Connection]:
    """Open one connection through a new relay."""
    with ExitStack() as stack:
        server = stack.enter_context(listening())
        relay = stack.enter_context(relay_to(server, *options))
        client = stack.enter_context(relay.connect())
        yield Connection(relay, client, stack.enter_context(patient(server.accept()[0])))


def patient(sock: socket.socket) -> socket.socket:
    sock.settimeout(PATIENCE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def abort(sock: socket.socket) -> None:
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def read_exactly(sock: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size and (part := sock.recv(size - len(parts))):
        parts += part
    return bytes(parts)


def read_to_end(sock: socket.socket) -> bytes:
    """Return all bytes up to the FIN. Raises ConnectionResetError at a RST."""
    parts = bytearray()
    while part := sock.recv(1 << 16):
        parts += part
    return bytes(parts)


class Stopwatch:
    """Time since it was made."""

    def __init__(self) -> None:
        self._started_ns = now_ns()

    @property
    def ms(self) -> float:
        return (now_ns() - self._started_ns) / 1e6
