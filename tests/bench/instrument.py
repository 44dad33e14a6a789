"""`python -m tests.bench.instrument`: do the figures of a run hold what a bare reader beside it sees?

A bare reader, which does nothing but read and look at the clock, is a client of the server that a run measures, with
streams all over the order in which messages go out. What it sees of each quantile is to lie in the interval that the
run has for it, or the run is not VALID. It has less to do than the load process, and is given a core first.
"""

import argparse
import gc
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from loadtests.protocols.events import Message
from loadtests.protocols.http1 import get
from loadtests.protocols.stream_decoders import SseDecoder
from loadtests.runs.announcements import ready
from loadtests.runs.target import Target
from reports.data.load import load
from reports.measures.measures import QUANTILES, per_cell, summary
from reports.validity.caution import verdict
from reports.validity.checks import cautions
from servers.feed.message import decode_stamp
from servers.timing import NS_PER_MS
from servers.timing.clock import now_ns
from tests.server_process import HANG_S, ROOT

READ_BYTES: Final = 65_536
SPAWN_PER_S: Final = 100
"""Slow enough for the bare reader to keep its places among the users, also on a busy machine."""
PROMPT: Final = -10
"""Niceness of the bare reader, where it may have one."""
Read = tuple[int, int, bytes]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.instrument", description=__doc__)
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--schedule", default="steady:5")
    parser.add_argument("--window", type=float, default=20.0)
    parser.add_argument("--streams", type=int, default=100, help="of the bare reader")
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, PROMPT)
    found = [judged(arguments) for _ in range(arguments.rounds)]
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0 if all(each["held"] or each["verdict"] != "VALID" for each in found) else 1


def judged(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return a run's verdict, and of each quantile the floor, what the bare reader saw, and what is reported."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        asked = {"clients": arguments.clients, "schedule": arguments.schedule, "window": arguments.window}
        options = {**asked, "spawn-rate": SPAWN_PER_S, "warmup": 2, "repeats": 1, "out": out}
        command = [sys.executable, "-m", "pollbench", "run", "sse"]
        command += [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, preexec_fn=as_usual) as process:
            bare = read_beside(port_of(out), arguments.streams, arguments.clients)
            process.wait()
        run = load(out)
        cells = per_cell(run)
        found = cautions(run, cells, summary(run, cells))
        (row,), (cell,) = cells.to_dict("records"), run.finished.to_dict("records")
    seen = [ms for due_ns, ms in bare if cell["window_from_ns"] <= due_ns < cell["window_until_ns"]]
    between = {name: between_ends(row, name, float(np.quantile(seen, at))) for name, at in QUANTILES.items()}
    held = all(low <= value <= high for name in ("p50_ms", "p99_ms") for low, value, high in (between[name],))
    return {"verdict": verdict(found), "held": held, **between, "cautions": [caution.what for caution in found]}


def as_usual() -> None:
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, 0)


def between_ends(row: Mapping[Any, Any], name: str, seen_ms: float) -> list[float]:
    return [round(float(value), 3) for value in (row[f"{name}_floor"], seen_ms, row[name])]


def port_of(out: Path) -> int:
    """Wait until the run's server says where it listens."""
    until = time.monotonic() + HANG_S
    while time.monotonic() < until:
        for log in out.glob("cells/*/server.log"):
            for line in log.read_text(encoding="utf-8").splitlines():
                if (said := ready(line)) is not None:
                    return said.http_port
        time.sleep(0.05)
    raise AssertionError("the run started no server")


def read_beside(port: int, streams: int, clients: int) -> list[tuple[int, float]]:
    """Return (due, latency in ms) of what comes on streams that are opened as the users are, until the server ends."""
    reads: list[Read] = []
    with ExitStack() as stack:
        poll = stack.enter_context(select.epoll())
        decoders = {}
        for nth in range(streams):
            while Target(f"http://127.0.0.1:{port}").stats.streams - nth < nth * clients // streams:
                time.sleep(0.002)
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            decoder = decoders[sock.fileno()] = SseDecoder(
                get(f"127.0.0.1:{port}", "/api/events", "Last-Event-ID: 0\r\n")
            )
            sock.sendall(decoder.take_output())
            poll.register(sock, select.EPOLLIN)
        gc.freeze()
        gc.disable()
        left = streams
        while left:
            for descriptor, _ in poll.poll():
                data = b""
                with suppress(ConnectionResetError):
                    data = os.read(descriptor, READ_BYTES)
                if data:
                    reads.append((descriptor, now_ns(), data))
                else:
                    poll.unregister(descriptor)
                    left -= 1
        gc.enable()
    return [
        (stamp.due_ns, (read_ns - stamp.due_ns) / NS_PER_MS)
        for descriptor, read_ns, data in reads
        for event in decoders[descriptor].receive(data)
        if isinstance(event, Message)
        for stamp in (decode_stamp(event.body),)
        if stamp.id
    ]


if __name__ == "__main__":
    sys.exit(main())
