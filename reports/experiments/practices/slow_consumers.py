"""Should a server buffer for a client that reads too slowly, or close it?"""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from reports.basics.units import quantity
from reports.charts.style import Look, figure, y_title
from reports.experiments import Effect, Effects
from reports.experiments.effects import change_text

TITLE: Final = "A consumer that is too slow"
ADVICE: Final = "Do not buffer without a limit for a slow reader: close it, and let it resume from its cursor."
MECHANISM: Final = (
    "Messages that a client does not read wait: first in its kernel, then in the server's, then in the server's "
    "memory, without a bound unless one is set. A limit on that memory closes the stream with a reason; the history "
    "keeps what the client missed, once for all clients, and the client's cursor says where to go on."
)
LIMITS: Final = (
    "The kernel's buffers come first (4 MB on loopback here), so a lag of a few messages costs the server nothing; and "
    "after the close the kernel goes on delivering what it has, so a slow client learns of its end only when it has "
    "read that. Messages that wait are framed once and shared by all slow clients, so memory should grow with how far "
    "they lag and little with their number; a server that frames for each client pays for each. Resuming loses nothing "
    "only while the history reaches back to the cursor. The limit does not count what a client is sent first: a client "
    "that comes back while it is still slow has its whole backlog queued."
)
ARMS: Final = {"unbounded": "buffered without a limit", "bounded": "closed when 1 MB waits"}
EFFECTS: Final = (
    Effect("memory_bytes", "largest growth of server memory", "B", "unbounded", "bounded", "lower"),
    Effect("others_p99_ms", "the others' p99 latency", "ms", "unbounded", "bounded", ""),
    Effect("others_missed", "messages the others missed", "", "unbounded", "bounded", "same", "difference"),
    Effect(
        "slow_missed", "messages the slow client missed in the end", "", "unbounded", "bounded", "same", "difference"
    ),
    Effect("cuts", "how often the slow client was closed", "", "unbounded", "bounded", "higher", "difference"),
)


def verdict(effects: Effects) -> str:
    memory = effects["memory_bytes", "bounded"]
    missed, others = effects["slow_missed", "bounded"], effects["others_p99_ms", "bounded"]
    if not memory.proven:
        return "It is not shown that a limit for slow readers saves the server memory."
    lost = "nothing" if not missed.arm else f"{missed.arm:,.0f} messages"
    return (
        f"One reader at 1 kB/s took {quantity(memory.base, 'B')} of the server's memory, and more with time; with a "
        f"limit of 1 MB it took {quantity(memory.arm, 'B')} ({change_text(memory)}), and lost {lost} by resuming from "
        f"its cursor. The others' p99 latency was {quantity(others.base, 'ms')} without and "
        f"{quantity(others.arm, 'ms')} with the limit{'' if others.proven else ', no proven difference'}."
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
    y_title(memory, "growth of the server's memory, MB")
    y_title(kernel, "kernel memory for its connections, MB")
    for axes in (memory, kernel):
        axes.set(xlabel="seconds of publishing", ylim=(0, None))
    return canvas
