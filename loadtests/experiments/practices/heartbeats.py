"""Peers that vanish without a word: how soon the other side notices, and what heartbeats cost living clients.

Clients die in two ways. Some *vanish*: their kernel hears nothing any more, as when a machine loses its power. Some
are *frozen* (SIGSTOP): their kernel goes on acknowledging what it is sent until its buffer is full. Then a server is
frozen.
"""

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean
from typing import Final

import psutil

from loadtests.experiments.observations import Observation, Points
from loadtests.host.sampler import cpu_ns
from loadtests.probes import silence
from loadtests.probes.dying import Group, Watch, await_that
from loadtests.probes.reference import Server
from servers.timing import NS_PER_S
from servers.timing.clock import now_ns

ARMS: Final = {"off": 0.0, "slow": 1.5, "fast": 0.3}
"""Seconds between heartbeats; 0: none."""
BEATS_MISSED: Final = 3
"""After so many a client gives up, as the server does."""
VANISHED: Final = ("vanished sse", "vanished websocket", "vanished long_polling")
FROZEN: Final = ("frozen websocket", "frozen sse", "frozen long_polling")
DEAD: Final = (*VANISHED, *FROZEN, "frozen busy", "server")
"""Clients that die, and the server, as the points name them."""
WATCH_S, QUICK_WATCH_S = 8.0, 4.0
IDLE_S, QUICK_IDLE_S = 3.0, 1.5
IDLE_CLIENTS, QUICK_IDLE_CLIENTS = 200, 50
BUSY: Final = ("--schedule", "steady:100", "--message-bytes", 20_000, "--history", 256)
"""2 MB/s: more than all buffers on the way hold, within the watch."""


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    """Let clients die, watch for how long their server holds them, then freeze a server. Linux only.

    Raises ChildFailed, TimeoutError, OSError.
    """
    if not silence.AVAILABLE:
        raise OSError(f"clients can vanish on Linux only, and this is {sys.platform}")
    clients = QUICK_IDLE_CLIENTS if quick else IDLE_CLIENTS
    watch_ns = round((QUICK_WATCH_S if quick else WATCH_S) * NS_PER_S)
    with ExitStack() as stack:
        idle, busy, calm = _servers(stack, where, ARMS[arm])
        groups = _groups(stack, where, idle, busy)
        silence_s = BEATS_MISSED * ARMS[arm]
        alive = Group(stack, where, "alive", [f"{calm.port}:websocket*{clients}"], silence_s)
        ports = dict(zip(_names(groups), [port for group in groups for port in group.ports()], strict=True))
        await_that(lambda: idle.target.stats.subscribers == len(VANISHED + FROZEN), "the clients are not held")
        alive.ports()
        watch = Watch([idle, busy], ports)
        groups[0].tell(signal.SIGUSR1)
        groups[1].tell(signal.SIGSTOP)
        died_ns = now_ns()
        cost = _idle_cost(alive, calm, watch, QUICK_IDLE_S if quick else IDLE_S)
        healthy = calm.target.stats.subscribers
        os.kill(calm.pid, signal.SIGSTOP)
        stopped_ns = now_ns()
        watch.until(died_ns + watch_ns)
        held = idle.target.stats.subscribers + busy.target.stats.subscribers
        left_ns = [line["at_ns"] for line in alive.said("gave up")]
    waited_s = {name: (at_ns - died_ns) / NS_PER_S for name, at_ns in watch.noticed_ns.items()}
    if len(left_ns) == clients:
        waited_s["server"] = (fmean(left_ns) - stopped_ns) / NS_PER_S
    figures = {"dead_held": float(held), "healthy_cut": float(clients - healthy), "server_left_by": float(len(left_ns))}
    return Observation(figures | cost | _noticed_ms(waited_s), _points(waited_s, watch_ns / NS_PER_S))


def _servers(stack: ExitStack, where: Path, heartbeat_s: float) -> list[Server]:
    """Start a server whose clients die in silence, one whose client dies amid messages, one whose clients live."""
    wanted = {"idle": ("long_polling", "sse", "websocket"), "busy": ("sse", *BUSY), "calm": ("websocket",)}
    servers = [
        Server(where, name, *patterns, "--heartbeat", heartbeat_s, "--hold-timeout", 300)
        for name, patterns in wanted.items()
    ]
    for server in servers:
        stack.enter_context(server.child)
    for server in servers:
        server.meet()
    return servers


def _groups(stack: ExitStack, where: Path, idle: Server, busy: Server) -> list[Group]:
    patterns = [name.partition(" ")[2] for name in VANISHED]
    three = [f"{idle.port}:{pattern}" for pattern in patterns]
    return [Group(stack, where, "vanished", three), Group(stack, where, "frozen", [*three, f"{busy.port}:sse"])]


def _names(groups: list[Group]) -> list[str]:
    """Name every client in the order of the groups' ports."""
    patterns = [name.partition(" ")[2] for name in VANISHED]
    return [f"{group.name} {pattern}" for group in groups for pattern in patterns] + ["frozen busy"]


def _idle_cost(alive: Group, calm: Server, watch: Watch, idle_s: float) -> dict[str, float]:
    """Return the cost of a living client while nothing happens."""
    process, clients = psutil.Process(calm.pid), calm.target.stats.subscribers
    before, used_ns = alive.tally(), cpu_ns(process)
    watch.until(before["at_ns"] + round(idle_s * NS_PER_S))
    after, used_ns = alive.tally(), cpu_ns(process) - used_ns
    passed_s = (after["at_ns"] - before["at_ns"]) / NS_PER_S
    carried = after["bytes"] - before["bytes"]
    return {
        "bytes_per_s": carried / passed_s / clients,
        "segments_per_s": (after["segments"] - before["segments"]) / passed_s / clients,
        "cpu_us_per_s": used_ns / 1000 / passed_s / clients,
    }


def _noticed_ms(waited_s: Mapping[str, float]) -> dict[str, float]:
    """Return after how long each kind was noticed, NaN where one of them was not."""
    nan = float("nan")
    return {
        "vanished_noticed_ms": fmean(waited_s.get(name, nan) for name in VANISHED) * 1000,
        "frozen_noticed_ms": waited_s.get("frozen websocket", nan) * 1000,
        "busy_noticed_ms": waited_s.get("frozen busy", nan) * 1000,
        "server_noticed_ms": waited_s.get("server", nan) * 1000,
    }


def _points(waited_s: Mapping[str, float], watch_s: float) -> Points:
    """Return one row for each that died; one that was not noticed waited for the whole watch."""
    return [{"dead": name, "waited_s": waited_s.get(name, watch_s), "noticed": name in waited_s} for name in DEAD]
