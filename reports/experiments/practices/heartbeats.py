"""Peers that vanish without a word: in how long the other side notices, and what a heartbeat costs who is still there.

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

import pandas as pd
import psutil
from matplotlib.figure import Figure

from loadtests.host.sampler import cpu_ns
from loadtests.probes import silence
from loadtests.probes.dying import Group, Watch, await_that
from loadtests.probes.reference import Server
from reports.basics.units import quantity
from reports.charts.style import MUTED, Look, figure
from reports.experiments import Effect, Effects, Observation
from reports.experiments.effects import change_text
from servers.timing import NS_PER_S
from servers.timing.clock import now_ns

TITLE: Final = "Heartbeats, and peers that vanish in silence"
ADVICE: Final = "Send heartbeats, and give up a peer that leaves them unanswered."
MECHANISM: Final = (
    "Who vanishes says no goodbye, and TCP notices a silent peer only when it has something to send: an idle stream to "
    "a dead client stays open for ever. A heartbeat gives TCP something to send, and a limit (TCP_USER_TIMEOUT, "
    "keepalive for held polls: three heartbeats here) says when the lack of acknowledgements is an end. A process that "
    "is frozen is another matter: its kernel acknowledges everything, so only an answer of the program itself tells, "
    "which only WebSocket has (ping and pong). A client has to count silences by itself: three heartbeats missed, and "
    "it leaves."
)
LIMITS: Final = (
    "Scaled down: 1.5 s stands for the usual 15 s, and what is noticed after three to four heartbeats takes 45 to 60 s "
    "there. Keepalive counts in whole seconds. Frozen clients of SSE, chunked streaming and long polling are noticed "
    "by no heartbeat: only a full send buffer or the kernel's limit ends them, once there is enough to send. Clients "
    "share the server's machine; where a round trip comes near the interval, the limit is too tight."
)
ARMS: Final = {"off": "no heartbeats", "slow": "every 1.5 s", "fast": "every 0.3 s"}
HEARTBEAT_S: Final = {"off": 0.0, "slow": 1.5, "fast": 0.3}
BEATS_MISSED: Final = 3
"""After so many a client gives up, as the server does."""
IDLE_DEAD: Final = {
    "vanished sse": "idle SSE client, vanished",
    "vanished websocket": "idle WebSocket client, vanished",
    "vanished long_polling": "held long poll, vanished",
    "frozen websocket": "idle WebSocket client, frozen",
    "frozen sse": "idle SSE client, frozen",
    "frozen long_polling": "held long poll, frozen",
}
DEAD: Final = IDLE_DEAD | {"frozen busy": "busy SSE client, frozen", "server": "server, frozen"}
"""Who dies: as it is called in the points, and on the chart."""
VANISHED: Final = tuple(name for name in DEAD if name.startswith("vanished"))
EFFECTS: Final = (
    Effect("dead_held", "dead clients of 7 still held at the end", "", "off", "slow", "lower", "difference"),
    Effect("dead_held", "dead clients of 7 still held at the end", "", "off", "fast", "lower", "difference"),
    Effect("vanished_noticed_ms", "a vanished client is noticed after", "ms", "slow", "fast", "lower"),
    Effect("frozen_noticed_ms", "a frozen WebSocket client is noticed after", "ms", "slow", "fast", "lower"),
    Effect("server_noticed_ms", "clients notice a frozen server after", "ms", "slow", "fast", "lower"),
    Effect("healthy_cut", "idle clients cut that were healthy", "", "off", "fast", "same", "difference"),
    Effect("bytes_per_s", "traffic of an idle client, per second", "B", "off", "slow", "higher", "difference"),
    Effect("bytes_per_s", "traffic of an idle client, per second", "B", "off", "fast", "higher", "difference"),
    Effect("cpu_us_per_s", "server CPU of an idle client, µs per second", "", "off", "slow", "higher", "difference"),
    Effect("cpu_us_per_s", "server CPU of an idle client, µs per second", "", "off", "fast", "higher", "difference"),
)

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
        idle, busy, calm = _servers(stack, where, HEARTBEAT_S[arm])
        groups = _groups(stack, where, idle, busy)
        silence_s = BEATS_MISSED * HEARTBEAT_S[arm]
        alive = Group(stack, where, "alive", [f"{calm.port}:websocket*{clients}"], silence_s)
        ports = dict(zip(_names(groups), [port for group in groups for port in group.ports()], strict=True))
        await_that(lambda: idle.target.stats.subscribers == len(IDLE_DEAD), "the clients are not held")
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
    """Start a server whose clients die in silence, one whose client dies amid messages, one whose clients are well."""
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
    """Return what clients that are well cost while nothing happens, each."""
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


def _points(waited_s: Mapping[str, float], watch_s: float) -> list[dict[str, float | str]]:
    """Return one row for each who died; one that was not noticed waited for the whole watch."""
    return [{"dead": name, "waited_s": waited_s.get(name, watch_s), "noticed": name in waited_s} for name in DEAD]


def verdict(effects: Effects) -> str:
    held, noticed = effects["dead_held", "slow"], effects["vanished_noticed_ms", "fast"]
    frozen, cost = effects["frozen_noticed_ms", "fast"], effects["bytes_per_s", "slow"]
    if not held.proven:
        return "It is not shown that heartbeats make a server notice clients that died."
    return (
        f"Without heartbeats {held.base:.0f} of 7 dead clients are held on and on, with one every 1.5 s "
        f"{held.arm:.0f}: a vanished client goes after {quantity(noticed.base, 'ms')}, a frozen WebSocket client after "
        f"{quantity(frozen.base, 'ms')}, for {quantity(cost.arm, 'B')}/s each; five heartbeats in its place notice in "
        f"{quantity(noticed.arm, 'ms')} ({change_text(noticed)}). An idle SSE client or a held poll that is frozen is "
        "noticed by none: keep a limit on holds and send buffers."
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """A lane for each who died, a dot for each time it was noticed; an arrow where it was not."""
    canvas = figure(0.75 + 0.33 * len(DEAD))
    axes = canvas.add_subplot()
    for nth, arm in enumerate(ARMS):
        rows = points[points["arm"] == arm]
        height = rows["dead"].map(list(DEAD).index) + 0.22 * (nth - 1)
        seen = rows["noticed"].astype(bool)
        axes.plot(rows["waited_s"][seen], height[seen], "o", ms=5, color=look.line(arm), mew=0, alpha=0.8)
        axes.plot(rows["waited_s"][~seen], height[~seen], ">", ms=5, color=look.line(arm), mew=0, clip_on=False)
        axes.text(
            0.02 + 0.17 * nth,
            1.03,
            f"\N{BLACK CIRCLE} {look.labels[arm]}",
            transform=axes.transAxes,
            weight="bold",
            color=look.text(arm),
        )
    axes.text(
        1.0, 1.03, "\N{BLACK RIGHT-POINTING TRIANGLE} not noticed", transform=axes.transAxes, ha="right", color=MUTED
    )
    axes.set_yticks(range(len(DEAD)), labels=list(DEAD.values()))
    axes.set(
        xlim=(0, points["waited_s"].max()), ylim=(len(DEAD) - 0.5, -0.5), xlabel="seconds until the other side notices"
    )
    return canvas
