"""`python -m tests.bench.servers`: how fast the reference servers are, beside plain aiohttp in the same run.

Every figure is the median of rounds that take turns (plain, ours, plain, ours ...), each with a fresh server process
on one core and this process, the client, on another. Absolute values are this machine's; the ratios travel.
"""

import argparse
import json
import os
import re
import resource
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import lru_cache
from statistics import median
from typing import Final

import psutil

CONNECTIONS: Final = 20
LONG_POLLS: Final = 100
RATE_PER_S: Final = 20
"""Low enough that nothing is left pending on a busy machine: pending messages share an answer, and so its cost."""
WARMUP_S: Final = 0.7
MARK: Final = b'"content":"fan-out"'
STAMPS: Final = re.compile(rb'"id": ?(\d+)')
LENGTH: Final = re.compile(rb"\r\nContent-Length: (\d+)\r\n")
UPGRADE: Final = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "c2l4dGVlbiBieXRlcyA6KQ==",
}
WAITING: Final = {
    "long_polling": ("/api/longpoll?timeout=300", {}),
    "chunked": ("/api/stream", {}),
    "sse": ("/api/events", {}),
    "websocket": ("/api/socket", UPGRADE),
}
"""Pattern -> what to ask so as to wait for messages."""


class Server:
    """A server process on its own core."""

    def __init__(self, arguments: list[str], core: int | None) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True)
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})
        assert self._process.stdout is not None
        self.port: int = json.loads(self._process.stdout.readline())["http_port"]
        self._usage = psutil.Process(self._process.pid)

    def cpu_s(self) -> float:
        times = self._usage.cpu_times()
        return times.user + times.system

    def rss_bytes(self) -> int:
        return int(self._usage.memory_info().rss)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


class Sockets:
    """Many connections of this process, watched together."""

    def __init__(self, port: int, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self.all: list[socket.socket] = []
        for number in range(1, count + 1):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ, sock)
            self.all.append(sock)
            if number % 200 == 0:
                time.sleep(0.02)

    def ready(self) -> Iterator[socket.socket]:
        return (key.data for key, _ in self._selector.select(0.5))

    def close(self) -> None:
        for sock in self.all:
            sock.close()
        self._selector.close()


def request(target: str, headers: dict[str, str] | None = None) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return f"GET {target} HTTP/1.1\r\nHost: bench\r\n{lines}\r\n".encode()


def missing_bytes(response: bytes) -> int:
    """Return how many bytes of a response are still to come; 1 while its head is incomplete."""
    head = response.find(b"\r\n\r\n")
    length = LENGTH.search(response, 0, head + 4)
    return 1 if head < 0 or length is None else head + 4 + int(length[1]) - len(response)


def poll_cost(server: Server, target: str, seconds: float) -> dict[str, float]:
    """Ask on every connection as soon as it has been answered."""
    asking, count, partial = request(target), 0, dict[socket.socket, bytes]()
    with closing(Sockets(server.port, CONNECTIONS)) as sockets:
        for sock in sockets.all:
            sock.send(asking)
        began_s, cpu_s = time.monotonic(), server.cpu_s()
        while time.monotonic() < began_s + seconds:
            for sock in sockets.ready():
                response = partial.pop(sock, b"") + sock.recv(65_536)
                if missing_bytes(response):
                    partial[sock] = response
                    continue
                count += 1
                sock.send(asking)
        took_s = time.monotonic() - began_s
        return {"polls_per_s": count / took_s, "cpu_us_per_poll": (server.cpu_s() - cpu_s) / count * 1e6}


def long_poll_cost(server: Server, path: str, seconds: float) -> dict[str, float]:
    """Hold polls at the server while it publishes at RATE_PER_S; ask again with the newest id of each answer."""

    @lru_cache(maxsize=64)
    def next_request(response: bytes) -> tuple[int, bytes]:
        ids = STAMPS.findall(response)
        return len(ids), request(f"{path}?last_id={int(ids[-1])}")

    deliveries, answers, cpu_s, partial = 0, 0, 0.0, dict[socket.socket, bytes]()
    with closing(Sockets(server.port, LONG_POLLS)) as sockets:
        for sock in sockets.all:
            sock.send(request(f"{path}?last_id=0"))
        warm_s = time.monotonic() + WARMUP_S
        while (now_s := time.monotonic()) < warm_s + seconds:
            if not cpu_s and now_s >= warm_s:
                deliveries, answers, cpu_s = 0, 0, server.cpu_s()
            for sock in sockets.ready():
                response = partial.pop(sock, b"") + sock.recv(262_144)
                if missing_bytes(response):
                    partial[sock] = response
                    continue
                brought, asking = next_request(response)
                deliveries += brought
                answers += 1
                sock.send(asking)
        cpu_us = (server.cpu_s() - cpu_s) * 1e6
    return {"cpu_us_per_delivery": cpu_us / deliveries, "messages_per_answer": deliveries / answers}


def fan_out(server: Server, asking: bytes, clients: int) -> dict[str, float]:
    """Let many clients wait, publish one message, and count whom it reaches."""
    idle_bytes = server.rss_bytes()
    with closing(Sockets(server.port, clients)) as sockets:
        for sock in sockets.all:
            sock.send(asking)
        while waiting(server) < clients:
            time.sleep(0.1)
        held_bytes = server.rss_bytes() - idle_bytes
        received = dict.fromkeys(sockets.all, b"")
        began_s, reached_s = time.monotonic(), 0.0
        post(server, b"fan-out")
        reached = 0
        while reached < clients and time.monotonic() < began_s + 10:
            for sock in sockets.ready():
                received[sock] += sock.recv(65_536)
                if MARK in received[sock]:
                    reached += 1
                    reached_s = time.monotonic() - began_s
                    received[sock] = b""
    return {"reached": reached, "last_after_ms": reached_s * 1e3, "kb_per_client": held_bytes / clients / 1e3}


def ask(server: Server, asking: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(asking)
        response = sock.recv(65_536)
        while missing_bytes(response):
            response += sock.recv(65_536)
    return response


def waiting(server: Server) -> int:
    return int(json.loads(ask(server, request("/stats")).partition(b"\r\n\r\n")[2])["subscribers"])


def post(server: Server, content: bytes) -> None:
    ask(server, b"POST /api/message HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))


def measure(seconds: float, clients: int, server: Callable[..., "closing[Server]"]) -> dict[str, float]:
    """Return one round of every figure."""
    figures: dict[str, float] = {}

    def keep(prefix: str, values: dict[str, float]) -> None:
        figures.update({f"{prefix}_{name}": value for name, value in values.items()})

    with server("tests.bench.plain_server", "0.001") as plain:
        keep("bare_aiohttp", poll_cost(plain, "/constant", seconds))
    with server("servers", "short_polling", "--schedule", "manual") as ours:
        keep("short_polling", poll_cost(ours, "/api/poll?last_id=0", seconds))
    with server("tests.bench.plain_server", str(RATE_PER_S)) as plain:
        keep("sketch_of_long_polling", long_poll_cost(plain, "/longpoll", seconds))
    with server("servers", "long_polling", "--schedule", f"steady:{RATE_PER_S}") as ours:
        keep("long_polling", long_poll_cost(ours, "/api/longpoll", seconds))
    for pattern, (target, headers) in WAITING.items():
        with server("servers", pattern, "--schedule", "manual") as ours:
            keep(f"{pattern}_to_{clients}", fan_out(ours, request(target, headers), clients))
    return figures


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return each figure's median, and the ratios. They compare CPU time, which a busy machine distorts least."""
    middle = {name: median(figures[name] for figures in rounds) for name in rounds[0]}
    bare_us, ours_us = middle["bare_aiohttp_cpu_us_per_poll"], middle["short_polling_cpu_us_per_poll"]
    middle["short_polling_polls_of_bare_aiohttp"] = bare_us / ours_us
    sketch_us = middle["sketch_of_long_polling_cpu_us_per_delivery"]
    middle["long_polling_cpu_of_sketch"] = middle["long_polling_cpu_us_per_delivery"] / sketch_us
    return {name: round(value, 3) for name, value in middle.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.servers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default 3)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement (default 2)")
    parser.add_argument("--clients", type=int, default=5000, help="clients of the fan-out (default 5000)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[1]})

    def server(*arguments: str) -> "closing[Server]":
        ports = ["--port", "0", "--announce-json"] if arguments[0] == "servers" else []
        return closing(Server([*arguments, *ports], cores[0] if len(cores) > 1 else None))

    figures = medians([measure(options.seconds, options.clients, server) for _ in range(options.rounds)])
    lines = [json.dumps(figures)] if options.json else [f"{name:44} {value:12,.2f}" for name, value in figures.items()]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
