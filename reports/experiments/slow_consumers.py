"""One client reads at 1 kB/s while others read as fast as messages come: its lag is buffered, or it is cut off."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from loadtests.arrival import Sample
from loadtests.probes.followers import Followed, follow
from loadtests.probes.reference import Server, reference
from loadtests.probes.slow_reader import SlowReader
from loadtests.sampler import Sampler
from reports.effects import change_text
from reports.experiments import Effect, Effects, Observation
from reports.style import Look, figure, y_title
from reports.units import quantity

TITLE: Final = "A consumer that is too slow"
ADVICE: Final = "Do not buffer without end for a slow reader: close it, and let it resume from its cursor."
MECHANISM: Final = (
    "What a client does not read waits: first in its kernel, then in the server's, then in the server's memory, which "
    "nobody bounds unless told to. A limit on that closes the stream with a reason; what the client missed is in the "
    "history, once for all clients, and its cursor says where to go on."
)
LIMITS: Final = (
    "The kernel's buffers come first (megabytes on loopback), so that a few messages behind costs the server nothing. "
    "What waits is framed once and shared by all who lag, so memory grows with how far they lag and little with how many "
    "they are; a server that frames for each client pays for each. Resuming loses nothing only while the history reaches "
    "back to the cursor. A client that comes back while it is still slow is sent its whole backlog at once, which is "
    "buffered again: make it wait."
)
ARMS: Final = {
    "unbounded": "buffered without end",
    "bounded": "closed at 1 MB, back when it can read",
    "hasty": "closed at 1 MB, back at once",
}
EFFECTS: Final = (
    Effect("memory_bytes", "most server memory, more than before", "B", "unbounded", "bounded", "lower"),
    Effect("memory_bytes", "most server memory, more than before", "B", "unbounded", "hasty", ""),
    Effect("others_p99_ms", "the others' p99 latency", "ms", "unbounded", "bounded", ""),
    Effect("others_missed", "messages the others missed", "", "unbounded", "bounded", "same", "difference"),
    Effect("slow_missed", "messages the slow client missed in the end", "", "unbounded", "bounded", "same", "difference"),
    Effect("slow_missed", "messages the slow client missed in the end", "", "unbounded", "hasty", "same", "difference"),
    Effect("cuts", "how often the slow client was closed", "", "unbounded", "bounded", "higher", "difference"),
)

OTHERS: Final = 3
SLOW_BYTES_PER_S: Final = 1000
MESSAGE_BYTES: Final = 20_000
RATE_PER_S: Final = 150
HISTORY: Final = 2000
"""Full before anything is measured, and longer than what is published then: its own memory does not grow any more."""
WINDOW_S, QUICK_WINDOW_S = 12.0, 5.0
CATCH_UP_S: Final = 30.0
SETTLE_S: Final = 0.5
LOOK_S: Final = 0.1


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    """Publish to fast clients and a slow one, then let it recover. Raises ChildFailed, WrongServer, TimeoutError."""
    limit = ["--send-buffer", 0] if arm == "unbounded" else []
    with reference(where, "sse", "--message-bytes", MESSAGE_BYTES, "--history", HISTORY, *limit) as server:
        return asyncio.run(_lagging(server, QUICK_WINDOW_S if quick else WINDOW_S, hasty=arm == "hasty"))


async def _lagging(server: Server, window_s: float, *, hasty: bool) -> Observation:
    first_id = await _fill(server)
    slow = SlowReader(server.port, first_id, SLOW_BYTES_PER_S, hasty=hasty)
    others = [Followed(first_id) for _ in range(OTHERS)]
    following = [asyncio.create_task(follow("sse", server.url, each)) for each in others]
    lagging = asyncio.create_task(slow.follow())
    await asyncio.sleep(SETTLE_S)
    samples, waited = await _watch(server, slow, window_s)
    newest_id = server.target.newest_id
    slow.recover()
    async with asyncio.timeout(CATCH_UP_S):
        while slow.last_id < newest_id:  # noqa: ASYNC110  (it is another task's)
            await asyncio.sleep(LOOK_S)
    for task in (lagging, *following):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    latency_ms = [ms for each in others for ms in _latencies_ms(each)]
    figures = {
        "memory_bytes": float(max(sample.rss_bytes for sample in samples) - samples[0].rss_bytes),
        "kernel_bytes": float(max(sample.kernel_socket_bytes for sample in samples)),
        "others_p99_ms": float(np.quantile(latency_ms, 0.99)),
        "others_missed": float(sum(newest_id - first_id - len(each.received_ns) for each in others)),
        "slow_missed": float(newest_id - first_id - len(set(slow.ids))),
        "slow_repeated": float(len(slow.ids) - len(set(slow.ids))),
        "gone": float(slow.remarks.count("gone")),
        "cuts": float(slow.cuts),
    }
    return Observation(figures, list(_points(samples, waited)))
