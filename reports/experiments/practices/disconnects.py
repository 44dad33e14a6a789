"""Clients that come and go, and three servers: one cleans up, one works on for the dead, one forgets no waiter."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

import pandas as pd
import psutil
from matplotlib.figure import Figure

from loadtests.host.managed_process import GRACE_S
from loadtests.host.sampler import cpu_ns
from loadtests.probes.followers import Followed, follow
from loadtests.probes.reference import Server, reference
from loadtests.probes.visitors import come_and_go
from reports.basics.units import quantity
from reports.charts.style import Look, figure, y_title
from reports.experiments import Effect, Effects, Observation
from reports.experiments.effects import change_text
from servers.timing.clock import now_ns

TITLE: Final = "Clients that leave: handlers that do not notice, waiters that are never removed"
ADVICE: Final = "End a handler when its client leaves, and remove its waiter whatever ends it."
MECHANISM: Final = (
    "A request that waits is kept somewhere, with its buffers, its handler and its connection. aiohttp tells a handler "
    "that its client has left only where it is asked to (handler_cancellation); one that is not told, and never reads, "
    "waits on. And whoever registers a waiter must take it out on every way out: answered, timed out, gone. What stays "
    "is walked through for every message, for ever."
)
LIMITS: Final = (
    "Visitors of SSE and long polling in equal parts, a tenth of a second each. A handler that ignores a disconnect "
    "holds a long poll only until the next message or the end of its hold, but a stream for ever. WebSocket handlers "
    "notice by reading. How much each leaves behind is aiohttp's and Python's; elsewhere it is more or less of it."
)
ARMS: Final = {"clean": "cleans up", "ignores": "ignores disconnects", "leaks": "never removes waiters"}
FAULTS: Final = {"clean": "", "ignores": "ignore-disconnect", "leaks": "leak-waiters"}
_GROWTH: Final = (
    ("memory_growth_bytes", "server memory, more than before", "B", "difference"),
    ("waiting_left", "waiters left when the visitors are gone", "", "difference"),
    ("cpu_us_per_message", "server CPU for a message afterwards, µs", "", "ratio"),
)
EFFECTS: Final = (
    *(
        Effect(name, label, unit, "clean", arm, "higher", "ratio" if kind == "ratio" else "difference")
        for arm in ("ignores", "leaks")
        for name, label, unit, kind in _GROWTH
    ),
    Effect("tasks_left", "tasks left when the visitors are gone", "", "clean", "ignores", "higher", "difference"),
    Effect("tasks_left", "tasks left when the visitors are gone", "", "clean", "leaks", "same", "difference"),
    Effect("stop_ms", "how long the server takes to stop", "ms", "clean", "ignores", "higher", "difference"),
    Effect("missed", "messages that loyal clients missed", "", "clean", "ignores", "same", "difference"),
    Effect("missed", "messages that loyal clients missed", "", "clean", "leaks", "same", "difference"),
)

LOYAL: Final = ("sse", "long_polling")
RATE_PER_S: Final = 20
VISITORS_PER_S: Final = 300
VISITS_S, QUICK_VISITS_S = 6.0, 1.0
AFTERWARDS_S, QUICK_AFTERWARDS_S = 3.0, 0.5
QUICK_GRACE_S: Final = 1.0
"""That a server does not stop in time can be seen long before it does."""
SETTLE_S: Final = 0.4
LOOK_S: Final = 0.25


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    """Let visitors come and go, then look at what is left. Raises ChildFailed, WrongServer, OSError."""
    options = [*LOYAL, "--schedule", f"steady:{RATE_PER_S}"]
    if FAULTS[arm]:
        options += ["--fault", FAULTS[arm]]
    with reference(where, *options) as server:
        observation = asyncio.run(_visited(server, quick=quick))
        told_ns = now_ns()
        server.child.stop(QUICK_GRACE_S if quick else GRACE_S)
        observation.figures["stop_ms"] = (now_ns() - told_ns) / 1e6
    return observation


async def _visited(server: Server, *, quick: bool) -> Observation:
    followed = {pattern: Followed() for pattern in LOYAL}
    loyal = [asyncio.create_task(follow(pattern, server.url, each)) for pattern, each in followed.items()]
    await asyncio.sleep(SETTLE_S)
    looks = Looks(server)
    # The second look: the first has a connection of its own, and so a task, that is not gone yet.
    _, before = await looks.look(), await looks.look()
    looking = asyncio.create_task(looks.go_on())

    visits_s = QUICK_VISITS_S if quick else VISITS_S
    newest = followed["long_polling"]
    visitors = await come_and_go(server.port, LOYAL, lambda: newest.cursor, VISITORS_PER_S, visits_s)
    await asyncio.sleep(SETTLE_S)
    looking.cancel()
    after = await looks.look()
    cpu_us_per_message = await looks.cpu_us_per_message(QUICK_AFTERWARDS_S if quick else AFTERWARDS_S)
    target = server.target
    await asyncio.to_thread(target.publish, "manual", None)
    await asyncio.sleep(SETTLE_S)
    published = server.target.newest_id
    for task in [looking, *loyal]:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    figures = {
        "memory_growth_bytes": after["rss_bytes"] - before["rss_bytes"],
        # A loyal client may be between two polls, so fewer may wait than there are loyal ones.
        "waiting_left": max(0.0, after["waiting"] - len(LOYAL)),
        "tasks_left": after["tasks"] - before["tasks"],
        "cpu_us_per_message": cpu_us_per_message,
        "missed": float(sum(published - len(each.received_ns) for each in followed.values())),
        "visitors": float(visitors),
    }
    return Observation(figures, [*looks.points, {"cpu_us_per_message": cpu_us_per_message}])


class Looks:
    """A server seen from time to time. points: at_s since the first look, memory, who waits, tasks."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._process = psutil.Process(server.pid)
        self._from_ns = now_ns()
        self.points: list[dict[str, float | str]] = []

    async def look(self) -> dict[str, float]:
        stats = await asyncio.to_thread(lambda: self._server.target.stats_with_tasks())
        seen = {
            "at_s": (now_ns() - self._from_ns) / 1e9,
            "rss_bytes": float(self._process.memory_info().rss),
            "waiting": float(stats.subscribers),
            "tasks": float(stats.tasks),
        }
        self.points.append({**seen})
        return seen

    async def go_on(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def cpu_us_per_message(self, for_s: float) -> float:
        """Return what a message takes the server, with who waits now."""
        newest_id, used_ns = self._server.target.newest_id, cpu_ns(self._process)
        await asyncio.sleep(for_s)
        newest_id, used_ns = self._server.target.newest_id - newest_id, cpu_ns(self._process) - used_ns
        return used_ns / 1000 / newest_id


def verdict(effects: Effects) -> str:
    told = []
    for arm, who in (
        ("ignores", "a handler that ignores disconnects"),
        ("leaks", "one that never removes its waiters"),
    ):
        memory, left, cpu = (effects[name, arm] for name, *_ in _GROWTH)
        if not memory.proven:
            told.append(f"what {who} costs is not shown")
            continue
        told.append(
            f"{who} leaves {left.arm:,.0f} waiters and {quantity(memory.arm, 'B')} behind (cleaning up: "
            f"{left.base:.0f} and {quantity(memory.base, 'B')}), and a message then costs "
            f"{quantity(cpu.arm / 1000, 'ms')} of CPU ({change_text(cpu)})"
        )
    return f"Clean up on every way out: {'; '.join(told)}. Loyal clients notice nothing of it: watch how many wait."


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Memory and waiters while visitors come and go, and what a message costs when they are gone."""
    canvas = figure(2.6)
    memory, waiting, cpu = canvas.subplots(1, 3, width_ratios=(3, 3, 2))
    for nth, (arm, rows) in enumerate((arm, points[points["arm"] == arm]) for arm in look.labels):
        for _, one in rows[rows["at_s"].notna()].groupby("repeat"):
            ordered = one.sort_values("at_s")
            growth_mb = (ordered["rss_bytes"] - ordered["rss_bytes"].iloc[0]) / 1e6
            memory.plot(ordered["at_s"], growth_mb, color=look.line(arm), lw=1.1, alpha=0.8)
            waiting.plot(ordered["at_s"], ordered["waiting"], color=look.line(arm), lw=1.1, alpha=0.8)
        costs = rows["cpu_us_per_message"].dropna()
        cpu.plot([nth] * len(costs), costs, "o", color=look.line(arm), mew=0, alpha=0.8)
        memory.text(
            0.03, 0.93 - 0.1 * nth, look.labels[arm], transform=memory.transAxes, color=look.text(arm), weight="bold"
        )
    cpu.set(xlim=(-0.6, len(look.labels) - 0.4), xticks=[])
    y_title(memory, "MB of memory, more than at first")
    y_title(waiting, "held polls and open streams")
    y_title(cpu, "then, µs of CPU a message")
    for axes in (memory, waiting):
        axes.set_xlabel("seconds")
    for axes in (memory, waiting, cpu):
        axes.set_ylim(bottom=0)
    return canvas
