"""Clients that come, wait for a moment and leave without a good-bye, as people who open a page and close it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from loadtests import patterns
from loadtests.probes.followers import ask_of
from loadtests.runs.commands import HOST

STAY_S: Final = 0.1
HOLD_S: Final = 300.0
TICK_S: Final = 0.05


async def come_and_go(port: int, by: Sequence[str], cursor: Callable[[], int], per_s: float, for_s: float) -> int:
    """Let visitors come, so many a second; return how many there were when the last has left.

    by: their patterns, in turn. cursor: asked for what each has seen, so that there is nothing for it yet.
    """
    loop = asyncio.get_running_loop()
    began_s, came = loop.time(), 0
    visits: set[asyncio.Task[None]] = set()
    while (passed_s := loop.time() - began_s) < for_s:
        while came < passed_s * per_s:
            pattern = by[came % len(by)]
            ask = replace(ask_of(pattern, (HOST, port), cursor()), hold_s=HOLD_S)
            visit = asyncio.create_task(_visit(port, patterns.load(pattern).follow(ask).take_output()))
            visits.add(visit)
            visit.add_done_callback(visits.discard)
            came += 1
        await asyncio.sleep(TICK_S)
    await asyncio.gather(*visits)
    return came


async def _visit(port: int, request: bytes) -> None:
    _, writer = await asyncio.open_connection(HOST, port)
    writer.write(request)
    await asyncio.sleep(STAY_S)
    writer.transport.abort()
