"""One client reads at 1 kB/s while others read as fast as messages come: its lag is buffered, or it is cut off."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from loadtests.host.sampler import Sampler
from loadtests.probes.reference import Server, reference
from loadtests.probes.sse_reader import SseReader
from loadtests.records.rows import Sample
from reports.basics.units import quantity
from reports.charts.style import Look, figure, y_title
from reports.experiments import Effect, Effects, Observation
from reports.experiments.effects import change_text

TITLE: Final = "A consumer that is too slow"
ADVICE: Final = "Do not buffer without end for a slow reader: close it, and let it resume from its cursor."
MECHANISM: Final = (
    "What a client does not read waits: first in its kernel, then in the server's, then in the server's memory, which "
    "nobody bounds unless told to. A limit on that closes the stream with a reason; what the client missed is in the "
    "history, once for all clients, and its cursor says where to go on."
)
LIMITS: Final = (
    "The kernel's buffers come first (4 MB of its memory on loopback here), so that a few messages behind cost the "
    "server nothing; and after the close the kernel goes on delivering what it has, so that a slow client learns of "
    "its end only when it has read that. What waits is framed once and shared by all who lag, so memory should grow "
    "with how far they lag and little with how many they are; a server that frames for each client pays for each. "
    "Resuming loses nothing only while the history reaches back to the cursor, and what a client is sent first is not "
    "counted against its limit: one that comes back while it is still slow has its whole backlog queued."
)
ARMS: Final = {"unbounded": "buffered without end", "bounded": "closed when 1 MB waits"}
EFFECTS: Final = (
    Effect("memory_bytes", "most server memory, more than before", "B", "unbounded", "bounded", "lower"),
    Effect("others_p99_ms", "the others' p99 latency", "ms", "unbounded", "bounded", ""),
    Effect("others_missed", "messages the others missed", "", "unbounded", "bounded", "same", "difference"),
    Effect(
        "slow_missed", "messages the slow client missed in the end", "", "unbounded", "bounded", "same", "difference"
    ),
    Effect("cuts", "how often the slow client was closed", "", "unbounded", "bounded", "higher", "difference"),
)

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
    limit = ["--send-buffer", 0] if arm == "unbounded" else []
    with reference(where, "sse", "--message-bytes", MESSAGE_BYTES, "--history", HISTORY, *limit) as server:
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


def verdict(effects: Effects) -> str:
    memory = effects["memory_bytes", "bounded"]
    missed, others = effects["slow_missed", "bounded"], effects["others_p99_ms", "bounded"]
    if not memory.proven:
        return "It is not shown that a limit on what waits for a slow reader saves the server memory."
    lost = "nothing" if not missed.arm else f"{missed.arm:,.0f} messages"
    return (
        f"One reader at 1 kB/s took {quantity(memory.base, 'B')} of the server's memory, and going on; with a limit of "
        f"1 MB {quantity(memory.arm, 'B')} ({change_text(memory)}), and resuming from its cursor it lost {lost}. The "
        f"others' p99 latency was {quantity(others.base, 'ms')} without and {quantity(others.arm, 'ms')} with the limit"
        f"{'' if others.proven else ', no proven difference'}."
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """The server's own memory while one client lags, and the kernel's for all connections."""
    canvas = figure(2.7)
    memory, kernel = canvas.subplots(1, 2)
    for nth, arm in enumerate(look.labels):
        for _, rows in points[points["arm"] == arm].groupby("repeat"):
            for axes, column in ((memory, "memory_bytes"), (kernel, "kernel_bytes")):
                axes.plot(rows["at_s"], rows[column] / 1e6, color=look.line(arm), lw=1.1, alpha=0.8)
        place = (0.03, 0.93 - 0.1 * nth)
        memory.text(*place, look.labels[arm], transform=memory.transAxes, color=look.text(arm), weight="bold")
    y_title(memory, "MB of the server's memory, more than at first")
    y_title(kernel, "MB in the kernel for connections it has open")
    for axes in (memory, kernel):
        axes.set(xlabel="seconds of publishing", ylim=(0, None))
    return canvas
