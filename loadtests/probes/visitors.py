"""Clients that come, wait for a moment and leave without a good-bye, as people who open a page and close it."""

import asyncio
from collections.abc import Callable
from typing import Final

from loadtests.protocols.http1 import get
from loadtests.runs.commands import HOST

STAY_S: Final = 0.1
TICK_S: Final = 0.05


async def come_and_go(port: int, target: Callable[[int], str], per_s: float, for_s: float) -> int:
    """Let visitors come, so many a second; return how many there were when the last has left.

    target: called with 0, 1, 2, ... for what each asks.
    """
    loop = asyncio.get_running_loop()
    began_s, came = loop.time(), 0
    visits: set[asyncio.Task[None]] = set()
    while (passed_s := loop.time() - began_s) < for_s:
        while came < passed_s * per_s:
            visit = asyncio.create_task(_visit(port, target(came)))
            visits.add(visit)
            visit.add_done_callback(visits.discard)
            came += 1
        await asyncio.sleep(TICK_S)
    await asyncio.gather(*visits)
    return came


async def _visit(port: int, target: str) -> None:
    _, writer = await asyncio.open_connection(HOST, port)
    writer.write(get(f"{HOST}:{port}", target))
    await asyncio.sleep(STAY_S)
    writer.transport.abort()
