"""One client of every pattern over HTTP/1.1 behind a real nginx, from the first message until the server stops."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from loadtests.host.nginx import Nginx
from loadtests.host.nginx_config import ProxyOptions
from loadtests.probes.followers import CLIENTS, Followed, follow
from loadtests.probes.reference import Server, reference
from servers.timing.clock import now_ns

SETTLE_S: Final = 0.4
"""For clients to have asked. One that comes later is told what it has missed, and only seems late."""
DRAIN_S: Final = 0.8
"""More than the interval of short polling."""
HANG_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Proxied:
    """followed: what each pattern's client got. published: newest id. started_ns: when the schedule began.

    proxy: its name and version, "" for none.
    """

    followed: dict[str, Followed]
    published: int
    started_ns: int
    proxy: str = ""


def through(options: ProxyOptions | None, schedule: str, window_s: float, folder: Path) -> Proxied:
    """Publish for so long by this schedule, through nginx with these options, or past it with None.

    Raises NotInstalled, ChildFailed.
    """
    with reference(folder, "--heartbeat", "300", *CLIENTS) as server:
        if options is None:
            return asyncio.run(_session(server, server.url, schedule, window_s))
        with Nginx(folder, [server.port], options) as proxy:
            seen = asyncio.run(_session(server, proxy.url, schedule, window_s))
            return replace(seen, proxy=proxy.version)


async def _session(server: Server, url: str, schedule: str, window_s: float) -> Proxied:
    followed = {pattern: Followed() for pattern in CLIENTS}
    following = [asyncio.create_task(follow(pattern, url, each)) for pattern, each in followed.items()]
    try:
        await asyncio.sleep(SETTLE_S)
        # Blocking calls go to a thread: clients that wait for them would measure them.
        await asyncio.to_thread(server.target.publish, schedule, None)
        started_ns = (await asyncio.to_thread(lambda: server.target)).start_at_ns
        await asyncio.sleep(max(0.0, window_s - (now_ns() - started_ns) / 1e9))
        await asyncio.to_thread(lambda: server.target.publish("manual", None))
        published = (await asyncio.to_thread(lambda: server.target)).newest_id
        await asyncio.sleep(DRAIN_S)
        await asyncio.to_thread(server.child.stop)
        await asyncio.wait(following, timeout=HANG_S)
    finally:
        for task in following:
            task.cancel()
    ends = await asyncio.gather(*following, return_exceptions=True)
    for problem in ends:
        if isinstance(problem, Exception):
            raise problem
    return Proxied(followed, published, started_ns)
