"""Starts a server and clients that wait, watches both at rest, and sends one message to all. Everything is stopped on
return and on error.
"""

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
import psutil

from loadtests.host import environment
from loadtests.host.managed_process import Child, ChildFailed
from loadtests.host.sampler import Family
from loadtests.idle.asked import IdleSettings
from loadtests.metrics.histogram import Histogram
from loadtests.probes.reference import Server
from loadtests.runs.announcements import reader
from loadtests.runs.commands import HOST
from servers.home import python
from servers.timing import NS_PER_MS, NS_PER_S
from servers.timing.clock import now_ns

CLIENTS_PER_S: Final = 100
"""Fewer than any machine connects in a second, or tells of a message."""
LEAST_S: Final = 60.0
SETTLE_S: Final = 1.0
LOOK_S: Final = 0.1
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class _Connected(msgspec.Struct, frozen=True):
    at_ns: int
    grown_bytes: int


class _Heard(msgspec.Struct, frozen=True):
    id: int


class _Ended(msgspec.Struct, frozen=True):
    """heard: clients that the last message reached. latency: of every delivery."""

    heard: int
    lost: int
    latency: Histogram


CONNECTED: Final = reader("connected", _Connected)
HEARD: Final = reader("heard", _Heard)
ENDED: Final = reader("ended", _Ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """What so many waiting clients came to. Bytes are of memory, for each client.

    kernel_bytes: of both ends of a connection, None where the system does not tell. *_cpu_us_per_s: CPU time of all its
    processes in a second at rest, for each client, in microseconds. heard: clients that the message reached; lost:
    connections that ended. p50_ms, last_ms: from the instant it was published; None where nobody heard it. load_before:
    the system's load average (1 minute) as it began, for whoever doubts the figures.
    """

    pattern: str
    clients: int
    server_processes: int
    load_processes: int
    heartbeat_s: float
    rest_s: float
    connect_s: float
    server_bytes: float
    client_bytes: float
    kernel_bytes: float | None
    server_cpu_us_per_s: float
    client_cpu_us_per_s: float
    heard: int
    lost: int
    p50_ms: float | None
    last_ms: float | None
    load_before: float


class Cost:
    """CPU and memory of the processes of one side at one instant."""

    def __init__(self, families: Sequence[Family]) -> None:
        rows = [row for each in families for row in each.sample()]
        self.at_ns = rows[0].at_ns
        self.cpu_ns, self.rss_bytes = sum(row.cpu_ns for row in rows), sum(row.rss_bytes for row in rows)


def measure(pattern: str, clients: int, settings: IdleSettings) -> Idle:
    """Measure so many clients. Raises TooMany, ChildFailed, WrongServer."""
    machine = environment.machine()
    settings.check_room(clients, machine, psutil.virtual_memory().available)
    servers, loads = settings.processes(clients, machine)
    within_s, load_before, kernel_before = LEAST_S + clients / CLIENTS_PER_S, os.getloadavg()[0], kernel_bytes()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="pollbench-idle-")))
        options = "--processes", servers, "--heartbeat", f"{settings.heartbeat_s:g}"
        server = Server(folder, "server", pattern, *options)
        stack.enter_context(server.child)
        server.meet()
        serving = [Family(server.pid, "server")]
        empty, begun_ns = Cost(serving), now_ns()
        children = [
            stack.enter_context(Child(f"clients-{at}", command, folder / f"clients-{at}.log"))
            for at, command in enumerate(commands(pattern, clients, loads, settings.source, server.port), 1)
        ]
        made = [each.answered(CONNECTED, within_s) for each in children]
        await_subscribed(server, clients, within_s)
        time.sleep(SETTLE_S)
        kernel_now, holding = kernel_bytes(), [Family(each.pid, "generator") for each in children]
        before = Cost(serving), Cost(holding)
        _rest(settings.rest_s, [server.child, *children])
        after = Cost(serving), Cost(holding)
        ends = _tell_all(server, children, within_s)
    server_us, client_us = (_cpu_us_per_s(*looks) / clients for looks in zip(before, after, strict=True))
    p50_ms, last_ms = _latencies_ms(ends)
    return Idle(
        pattern=pattern,
        clients=clients,
        server_processes=servers,
        load_processes=loads,
        heartbeat_s=settings.heartbeat_s,
        rest_s=settings.rest_s,
        connect_s=(max(each.at_ns for each in made) - begun_ns) / NS_PER_S,
        server_bytes=(before[0].rss_bytes - empty.rss_bytes) / clients,
        client_bytes=sum(each.grown_bytes for each in made) / clients,
        kernel_bytes=None if kernel_before is None or kernel_now is None else (kernel_now - kernel_before) / clients,
        server_cpu_us_per_s=server_us,
        client_cpu_us_per_s=client_us,
        heard=sum(each.heard for each in ends),
        lost=sum(each.lost for each in ends),
        p50_ms=p50_ms,
        last_ms=last_ms,
        load_before=load_before,
    )


def _cpu_us_per_s(before: Cost, after: Cost) -> float:
    return float((after.cpu_ns - before.cpu_ns) / (after.at_ns - before.at_ns) * 1e6)


def _latencies_ms(ends: Sequence[_Ended]) -> tuple[float | None, float | None]:
    """Return median and longest, None where nobody heard anything."""
    latency = Histogram()
    for each in ends:
        latency.merge(each.latency)
    if not latency.count:
        return None, None
    p50_ns, last_ns = latency.quantiles_ns([0.5, 1.0]).tolist()
    return p50_ns / NS_PER_MS, last_ns / NS_PER_MS


def commands(pattern: str, clients: int, processes: int, source: str, port: int) -> Iterator[list[str]]:
    """Yield what holds a share of the clients, for each process."""
    first = 1
    for at in range(processes):
        share = clients // processes + (at < clients % processes)
        yield [*python("loadtests.idle.clients", pattern, HOST, str(port), str(share), str(first), source)]
        first += share


def await_subscribed(server: Server, clients: int, within_s: float) -> None:
    """Return when the server counts all of them. Raises ChildFailed."""
    deadline = time.monotonic() + within_s
    while (there := server.target.stats.subscribers) < clients:
        server.child.check()
        if time.monotonic() > deadline:
            raise ChildFailed(f"the server counts {there:,} of {clients:,} clients, all of which are connected")
        time.sleep(LOOK_S)


def _rest(rest_s: float, children: Sequence[Child]) -> None:
    until_s = time.monotonic() + rest_s
    while (left_s := until_s - time.monotonic()) > 0:
        for each in children:
            each.check()
        time.sleep(min(left_s, LOOK_S))


def _tell_all(server: Server, children: Sequence[Child], within_s: float) -> list[_Ended]:
    """Publish one message, wait until all have it or long enough, and end the clients. Raises ChildFailed."""
    server.target.post("to all", within_s)
    for each in children:
        with suppress(ChildFailed):  # who heard nothing is counted
            each.answered(HEARD, within_s)
    for each in children:
        each.stop()
    found = [each.told(ENDED) for each in children]
    for child, end in zip(children, found, strict=True):
        if end is None:
            raise ChildFailed(f"the {child.name} ended without its figures: {child.last_words()}")
    return [end for end in found if end is not None]


def kernel_bytes() -> int | None:
    """Return the kernel's memory for its objects (sockets, files, epoll) and for TCP's buffers; None elsewhere than
    on Linux. It is the whole system's: only its growth says something.
    """
    try:
        slab = re.search(r"^Slab: +(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
        pages = re.search(r"^TCP: .* mem (\d+)", Path("/proc/net/sockstat").read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(slab[1]) * 1024 + int(pages[1]) * PAGE_BYTES if slab and pages else None
