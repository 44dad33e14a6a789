"""`python -m tests.bench.load`: how fast the load generator itself is, on one core.

Empty short polls beside plain Locust FastHttpUser, in turns, against a server that answers every request with the same
bytes; and 1,000 streaming users of one process beside two readers that only read and look at the clock: one on the same
event loop, and one in C where there is a compiler, which may cost more than the other: who is faster than the server
sleeps and wakes for each message. CPU is read from outside. Ratios mean something on another machine, absolute figures
do not.
"""

import argparse
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pandas as pd

from loadtests.host.managed_process import Child
from loadtests.host.sampler import Sampler
from loadtests.records.rows import Sample
from loadtests.records.to_parquet import collect
from tests.server_process import ROOT

READY: Final = re.compile(r"port (\d+)")
SPAWNED: Final = re.compile(r"All users spawned")
LOCUSTFILE: Final = str(ROOT / "loadtests" / "locustfile.py")
EMPTY: Final = b'{"messages":[],"count":0,"polled_at":"2026-01-01T00:00:00.000000Z"}'
MINIMAL_SERVER: Final = """
import asyncio, json, sys, uvloop
from servers.timing.clock import clock_id
empty = sys.argv[1].encode()
stats = json.dumps({"token": "", "clock_id": clock_id(), "newest_id": 0, "start_at_ns": 0}).encode()
def answer(body):
    return b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body
EMPTY, STATS = answer(empty), answer(stats)
class Minimal(asyncio.Protocol):
    def connection_made(self, transport):
        self.write = transport.write
    def data_received(self, data):
        self.write(STATS if data.startswith(b"GET /stats") else EMPTY)
async def main():
    server = await asyncio.get_running_loop().create_server(Minimal, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
uvloop.run(main())
"""
FAST_HTTP_USER: Final = """
from locust import FastHttpUser, task
class Plain(FastHttpUser):
    @task
    def poll(self):
        self.client.get("/api/poll?last_id=0")
"""
STREAMS: Final = 1_000
MESSAGES_PER_S: Final = 10
BARE_READER: Final = """
import os, socket, sys
from gevent import get_hub
from servers.timing.clock import now_ns
port, streams = int(sys.argv[1]), int(sys.argv[2])
request = b"GET /api/stream?last_id=0 HTTP/1.1\\r\\nHost: bench\\r\\n\\r\\n"
hub, kept = get_hub(), []
def reader(descriptor):
    def readable():
        os.read(descriptor, 65536)
        now_ns()
    return readable
for _ in range(streams):
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(request)
    watcher = hub.loop.io(sock.fileno(), 1)
    watcher.start(reader(sock.fileno()))
    kept += sock, watcher
print("All users spawned", flush=True)
hub.join()
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), options.repeats, options.seconds)
    if options.json:
        sys.stdout.write(json.dumps(results) + "\n")
    else:
        for name, value in results.items():
            sys.stdout.write(f"{name:48} {value:12,.1f}\n")
    return 0


def measure(folder: Path, repeats: int, seconds: float) -> dict[str, float]:
    plain = folder / "plain_locustfile.py"
    plain.write_text(FAST_HTTP_USER, encoding="utf-8")
    ours, theirs, stream, bare, in_c = [], [], [], [], []
    reader = compiled(folder)
    for repeat in range(repeats):
        ours.append(polls(folder / f"ours-{repeat}", LOCUSTFILE, "ShortPollingUser", seconds))
        theirs.append(polls(folder / f"theirs-{repeat}", str(plain), "Plain", seconds))
        stream.append(streamed(folder / f"stream-{repeat}", seconds))
        bare.append(bare_read(folder / f"bare-{repeat}", [sys.executable, "-c", BARE_READER], seconds))
        if reader is not None:
            in_c.append(bare_read(folder / f"c-{repeat}", [str(reader)], seconds))
    message_us, read_us = statistics.median(stream), statistics.median(bare)
    in_c_us = statistics.median(in_c) if in_c else math.nan
    rate, plain_rate = (statistics.median(row[0] for row in rows) for rows in (ours, theirs))
    return {
        "empty_polls_per_s": rate,
        "fast_http_user_per_s": plain_rate,
        "ratio_to_fast_http_user": rate / plain_rate,
        "empty_polls_per_cpu_s": statistics.median(row[1] for row in ours),
        "cpu_us_per_empty_poll": 1e6 / statistics.median(row[1] for row in ours),
        "stream_cpu_us_per_message": message_us,
        "bare_read_cpu_us": read_us,
        "ratio_to_bare_read": message_us / read_us,
        "c_read_cpu_us": in_c_us,
        "ratio_to_c_read": message_us / in_c_us,
    }


def pinned(core: int, command: list[str]) -> list[str]:
    """Keep load and server apart, where the platform can."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return ["taskset", "-c", str(cores[core % len(cores)]), *command] if len(cores) > 1 else command


def locust(file: str, user: str, users: int, port: int, more: list[str]) -> list[str]:
    base = [sys.executable, "-m", "locust", "-f", file, user, "--headless", "--users", str(users)]
    return [*base, "--spawn-rate", "500", "--host", f"http://127.0.0.1:{port}", "--only-summary", *more]


def polls(folder: Path, file: str, user: str, seconds: float) -> tuple[float, float]:
    """Return polls per second of time, and per second of the load process's CPU."""
    folder.mkdir()
    server_command = pinned(1, [sys.executable, "-c", MINIMAL_SERVER, EMPTY.decode()])
    with Child("server", server_command, folder / "server.log") as server:
        port = int(server.heard(READY, 20)[1])
        ours = ["--poll-interval", "0", "--run-dir", str(folder)] if user != "Plain" else []
        command = pinned(0, locust(file, user, 20, port, [*ours, "--csv", str(folder / "stats")]))
        first, last = sampled(command, folder, seconds)
    served = counted(folder, first.at_ns, last.at_ns) if ours else csv_rate(folder, seconds)
    return served * 1e9 / (last.at_ns - first.at_ns), served * 1e9 / (last.cpu_ns - first.cpu_ns)


def counted(folder: Path, from_ns: int, until_ns: int) -> int:
    collect(folder)
    rows = pd.read_parquet(folder / "requests.parquet", columns=["ended_ns"])
    return int(rows["ended_ns"].between(from_ns, until_ns).sum())


def csv_rate(folder: Path, seconds: float) -> float:
    history = pd.read_csv(folder / "stats_stats_history.csv")
    rates = history.loc[history["Requests/s"] > 0, "Requests/s"]
    return float(rates.iloc[-1]) * seconds


def sampled(command: list[str], folder: Path, seconds: float) -> tuple[Sample, Sample]:
    """Start a load; return how it looked from outside at two instants, once all its users are there."""
    with Child("load", command, folder / "load.log") as load:
        load.heard(SPAWNED, 60)
        time.sleep(1.0)
        sampler = Sampler(load.pid, "generator")
        first = sampler.sample()
        time.sleep(seconds)
        last = sampler.sample()
        load.stop()
    return first, last


@contextmanager
def streaming(folder: Path) -> Iterator[int]:
    """Give the port of a server that streams."""
    folder.mkdir()
    server = [sys.executable, "-m", "servers", "chunked", "--port", "0", "--schedule", f"steady:{MESSAGES_PER_S}"]
    with Child("server", pinned(1, [*server, "--announce-json"]), folder / "server.log") as child:
        yield int(child.heard(re.compile(r'"http_port":(\d+)'), 20)[1])


def streamed(folder: Path, seconds: float) -> float:
    """Return the load's CPU microseconds per delivery."""
    with streaming(folder) as port:
        words = locust(LOCUSTFILE, "ChunkedUser", STREAMS, port, ["--run-dir", str(folder)])
        first, last = sampled(pinned(0, words), folder, seconds)
    collect(folder)
    rows = pd.read_parquet(folder / "deliveries.parquet", columns=["received_ns"])
    delivered = int(rows["received_ns"].between(first.at_ns, last.at_ns).sum())
    return (last.cpu_ns - first.cpu_ns) / 1e3 / delivered


def compiled(folder: Path) -> Path | None:
    """Return the reader in C, None where there is no compiler."""
    compiler, reader = shutil.which("cc"), folder / "reader"
    if compiler is None:
        return None
    subprocess.run([compiler, "-O2", "-o", reader, Path(__file__).with_name("reader.c")], check=True)
    return reader


def bare_read(folder: Path, reader: list[str], seconds: float) -> float:
    """Return what the same deliveries cost a process that only reads them: what no load can be cheaper than."""
    with streaming(folder) as port:
        words = [*reader, str(port), str(STREAMS)]
        first, last = sampled(pinned(0, words), folder, seconds)
    due = STREAMS * MESSAGES_PER_S * (last.at_ns - first.at_ns) / 1e9
    return (last.cpu_ns - first.cpu_ns) / 1e3 / due


if __name__ == "__main__":
    sys.exit(main())
