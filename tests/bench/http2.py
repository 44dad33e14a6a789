"""`python -m tests.bench.http2`: what a push and a plain GET cost the server, in microseconds of its CPU.

The server is a process of its own on one core, the client is this process on another; HTTP/1.1 through stock aiohttp
stands beside HTTP/2 in the same run, so the ratio means something on any machine.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from struct import Struct

import psutil
from hpack import Encoder
from hyperframe.frame import HeadersFrame, PingFrame, SettingsFrame, WindowUpdateFrame

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEAD = Struct(">HBBBL")
DATA, SETTINGS, PING = 0, 4, 6
END_STREAM = ACK = 1
ASSET = "/style.css"
CONNECTIONS = 10


class H2Counter(asyncio.Protocol):
    """Asks with prebuilt frames and counts the streams that end: as cheap a peer as Python allows."""

    def __init__(self, path: str, on_end: Callable[["H2Counter"], None]) -> None:
        self._path = path
        self._on_end = on_end
        self._rest = b""
        self._next_id = 1
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        settings = SettingsFrame(settings={SettingsFrame.INITIAL_WINDOW_SIZE: 2**31 - 1})
        window = WindowUpdateFrame(0, window_increment=2**30)
        transport.write(PREFACE + settings.serialize() + window.serialize())
        self.ask()

    def ask(self) -> None:
        fields = [(":method", "GET"), (":scheme", "http"), (":authority", "bench"), (":path", self._path)]
        block = Encoder().encode([(name, value, True) for name, value in fields])  # sensitive, so never indexed
        frame = HeadersFrame(self._next_id, block, flags=["END_HEADERS", "END_STREAM"])
        self._next_id += 2
        self.transport.write(frame.serialize())

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        at = 0
        while len(data) - at >= 9:
            high, low, kind, flags, _ = FRAME_HEAD.unpack_from(data, at)
            end = at + 9 + (high << 8 | low)
            if len(data) < end:
                break
            if kind == DATA and flags & END_STREAM:
                self._on_end(self)
            elif kind == SETTINGS and not flags & ACK:
                self.transport.write(SettingsFrame(flags=["ACK"]).serialize())
            elif kind == PING and not flags & ACK:
                self.transport.write(PingFrame(opaque_data=data[at + 9 : end], flags=["ACK"]).serialize())
            at = end
        self._rest = data[at:]


class H1Counter(asyncio.Protocol):
    """Asks over one HTTP/1.1 connection, again as soon as it is answered."""

    def __init__(self, path: str, on_end: Callable[["H1Counter"], None]) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
        self._on_end = on_end
        self._seen = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head, found, body = self._seen.partition(b"\r\n\r\n")
        if found and len(body) == int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            self._seen = b""
            self._on_end(self)


async def gets(server: "Server", over: type[H1Counter] | type[H2Counter], most: int) -> float:
    """Return the server's CPU in us per GET of a small file, `most` of them one after another on each connection."""
    loop = asyncio.get_running_loop()
    left, done = most, loop.create_future()

    def answered(client: H1Counter | H2Counter) -> None:
        nonlocal left
        left -= 1
        if left > 0:
            client.ask()
        elif not done.done():
            done.set_result(None)

    port = server.port if over is H1Counter else server.http2_port
    before_s = server.cpu_s()
    peers = [await loop.create_connection(lambda: over(ASSET, answered), "127.0.0.1", port) for _ in range(CONNECTIONS)]
    await done
    spent_s = server.cpu_s() - before_s
    for transport, _ in peers:
        transport.abort()
    return spent_s / most * 1e6


async def pushes(server: "Server", clients: int, rate_per_s: int, seconds: float) -> tuple[float, int]:
    """Return the server's CPU in us per push, and how many there were: every client gets every message.

    Pushes are counted where they are made, by message ids: a client that lags would count those of another time.
    """
    loop = asyncio.get_running_loop()
    received, arrived, path = 0, asyncio.Event(), "/api/updates?last_id=0"

    def pushed(_: H2Counter) -> None:
        nonlocal received
        received += 1
        arrived.set()

    peers = [
        await loop.create_connection(lambda: H2Counter(path, pushed), "127.0.0.1", server.http2_port)
        for _ in range(clients)
    ]
    await server.schedule(f"steady:{rate_per_s}")
    await asyncio.sleep(0.5)
    before_id, before_s = await server.newest_id(), server.cpu_s()
    await asyncio.sleep(seconds)
    after_id, after_s = await server.newest_id(), server.cpu_s()
    await server.schedule("manual")
    wanted = await server.newest_id() * clients
    async with asyncio.timeout(60):
        while received < wanted:  # what was counted has to arrive, too
            arrived.clear()
            await arrived.wait()
    for transport, _ in peers:
        transport.abort()
    count = (after_id - before_id) * clients
    return (after_s - before_s) / count * 1e6, count


class Server:
    """The server process under test."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        self.port: int = ready["http_port"]
        self.http2_port: int = ready["http2_port"]
        self._process = psutil.Process(process.pid)

    def cpu_s(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system

    async def schedule(self, schedule: str) -> None:
        await self._ask("PUT", "/api/schedule", json.dumps({"schedule": schedule}).encode())

    async def newest_id(self) -> int:
        return int(json.loads(await self._ask("GET", "/stats"))["newest_id"])

    async def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.read()
        writer.close()
        return answer.partition(b"\r\n\r\n")[2]


@contextmanager
def running_server(core: int | None) -> Iterator[Server]:
    command = [sys.executable, "-m", "servers", "http2_push", "--schedule", "manual", "--announce-json"]
    process = subprocess.Popen([*command, "--port", "0", "--http2-port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        yield Server(process)
    finally:
        process.terminate()
        process.wait()


async def measure(server: Server, clients: int, rate_per_s: int, seconds: float, count: int) -> dict[str, float]:
    push_us, pushed = await pushes(server, clients, rate_per_s, seconds)
    await gets(server, H1Counter, count // 10)
    await gets(server, H2Counter, count // 10)
    http1_us, http2_us = await gets(server, H1Counter, count), await gets(server, H2Counter, count)
    return {
        "clients": clients,
        "pushes": pushed,
        "server_cpu_us_per_push": round(push_us, 1),
        "server_cpu_us_per_get_http1": round(http1_us, 1),
        "server_cpu_us_per_get_http2": round(http2_us, 1),
        "get_http2_cost_of_http1": round(http2_us / http1_us, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.http2", description=__doc__)
    parser.add_argument("--clients", type=int, default=100, help="clients that take pushes (default 100)")
    parser.add_argument("--rate", type=int, default=20, help="messages per second to each of them (default 20)")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of the push measurement (default 4)")
    parser.add_argument("--gets", type=int, default=20_000, help="GETs over each protocol (default 20000)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[1]})
    with running_server(cores[0] if len(cores) > 1 else None) as server:
        figures = asyncio.run(measure(server, options.clients, options.rate, options.seconds, options.gets))
    lines = [json.dumps(figures)] if options.json else [f"{name:28} {value:g}" for name, value in figures.items()]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
