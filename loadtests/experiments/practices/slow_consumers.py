"""One client reads at 1 kB/s while others read as fast as messages come: the server buffers for it, or cuts it off."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from loadtests.experiments.observations import Observation
from loadtests.host.sampler import Sampler
from loadtests.probes.reference import Server, reference
from loadtests.probes.sse_reader import SseReader
from loadtests.records.rows import Sample

ARMS: Final[dict[str, tuple[object, ...]]] = {"unbounded": ("--send-buffer", 0), "bounded": ()}
"""The options of the server, whose default limit is 1 MB."""
OTHERS: Final = 3
SLOW_BYTES_PER_S: Final = 1000
MESSAGE_BYTES: Final = 20_000
RATE_PER_S: Final = 150
HISTORY: Final = 1600
"""Full before anything is measured, and longer than what is published then: its own memory does not grow any more."""
FILL_PER_S: Final = 2000

WINDOW_S, QUICK_WINDOW_S = 10.0, 2.5
LONGEST_S: Final = 30.0
SETTLE_S: Final = 0.5
LOOK_S: Final = 0.1


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    """Publish to fast clients and a slow one, then let it recover. Raises ChildFailed, WrongServer, TimeoutError."""
    with reference(where, "sse", "--message-bytes", MESSAGE_BYTES, "--history", HISTORY, *ARMS[arm]) as server:
        return asyncio.run(_lagging(server, QUICK_WINDOW_S if quick else WINDOW_S))


async def _lagging(server: Server, window_s: float) -> Observation:
    first_id = await _fill(server)
    slow = SseReader(server.port, first_id, SLOW_BYTES_PER_S)
    others = [SseReader(server.port, first_id) for _ in range(OTHERS)]
    following = [asyncio.create_task(reader.follow()) for reader in (slow, *others)]
    await asyncio.sleep(SETTLE_S)
    samples = await _publish(server, window_s)
    newest_id = server.target.newest_id
    slow.recover()
    async with asyncio.timeout(LONGEST_S):
        while min(reader.last_id for reader in (slow, *others)) < newest_id:  # noqa: ASYNC110  (others move it)
            await asyncio.sleep(LOOK_S)
    for task in following:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    published = newest_id - first_id
    figures = {
        "memory_bytes": max(sample.rss_bytes for sample in samples) - samples[0].rss_bytes,
        "kernel_bytes": max(sample.kernel_socket_bytes for sample in samples),
        "others_p99_ms": np.quantile([ns for reader in others for ns in reader.latency_ns], 0.99) / 1e6,
        "others_missed": sum(published - len(set(reader.ids)) for reader in others),
        "slow_missed": published - len(set(slow.ids)),
        "slow_repeated": len(slow.ids) - len(set(slow.ids)),
        "cuts": slow.cuts,
        "published": published,
    }
    return Observation({name: float(value) for name, value in figures.items()}, list(_points(samples)))


async def _fill(server: Server) -> int:
    """Publish two whole histories, and return the newest id. Raises TimeoutError.

    One would not do: what Python's allocator keeps of the first settles only when all of it has been replaced.
    """
    target = server.target
    await asyncio.to_thread(target.publish, f"steady:{FILL_PER_S}", None)
    async with asyncio.timeout(LONGEST_S):
        while server.target.newest_id < 2 * HISTORY:  # noqa: ASYNC110  (it is another process's)
            await asyncio.sleep(LOOK_S)
    await asyncio.to_thread(target.publish, "manual", None)
    return server.target.newest_id


async def _publish(server: Server, window_s: float) -> list[Sample]:
    """Publish for so long, looking at the server meanwhile."""
    sampler, target = Sampler(server.pid, "server"), server.target
    samples = [sampler.sample()]
    await asyncio.to_thread(target.publish, f"steady:{RATE_PER_S}", None)
    while samples[-1].at_ns < samples[0].at_ns + window_s * 1e9:
        await asyncio.sleep(LOOK_S)
        samples.append(sampler.sample())
    await asyncio.to_thread(target.publish, "manual", None)
    return samples


def _points(samples: list[Sample]) -> Iterable[dict[str, float | str]]:
    first = samples[0]
    for sample in samples:
        yield {
            "at_s": (sample.at_ns - first.at_ns) / 1e9,
            "memory_bytes": float(sample.rss_bytes - first.rss_bytes),
            "kernel_bytes": float(sample.kernel_socket_bytes),
        }
