"""Clients that come and go, and three servers: one cleans up, one ignores disconnects, one never removes a waiter."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from loadtests.experiments.observations import Observation, Points
from loadtests.host.managed_process import GRACE_S
from loadtests.host.sampler import cpu_ns
from loadtests.probes.followers import Followed, follow
from loadtests.probes.reference import Server, reference
from loadtests.probes.visitors import come_and_go
from servers.timing.clock import now_ns

ARMS: Final = {"clean": "", "ignores": "ignore-disconnect", "leaks": "leak-waiters"}
"""The fault of the server."""
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
    if ARMS[arm]:
        options += ["--fault", ARMS[arm]]
    with reference(where, *options) as server:
        observation = asyncio.run(_visited(server, quick=quick))
        asked_ns = now_ns()
        server.child.stop(QUICK_GRACE_S if quick else GRACE_S)
        observation.figures["stop_ms"] = (now_ns() - asked_ns) / 1e6
    return observation


async def _visited(server: Server, *, quick: bool) -> Observation:
    followed = {pattern: Followed() for pattern in LOYAL}
    loyal = [asyncio.create_task(follow(pattern, server.url, each)) for pattern, each in followed.items()]
    await asyncio.sleep(SETTLE_S)
    looks = ServerOverTime(server)
    # The second look: the first has a connection of its own, and so a task, that is not gone yet.
    _, before = await looks.look(), await looks.look()
    looking = asyncio.create_task(looks.go_on())

    newest, visits_s = followed["long_polling"], QUICK_VISITS_S if quick else VISITS_S
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


class ServerOverTime:
    """A server seen from time to time. points: at_s since the first look, memory, waiting clients, tasks."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._process = psutil.Process(server.pid)
        self._from_ns = now_ns()
        self.points: Points = []

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
        """Return the CPU that a message takes the server, with the clients that wait now."""
        newest_id, used_ns = self._server.target.newest_id, cpu_ns(self._process)
        await asyncio.sleep(for_s)
        newest_id, used_ns = self._server.target.newest_id - newest_id, cpu_ns(self._process) - used_ns
        return used_ns / 1000 / newest_id
