"""What do clients that leave cost a server whose handlers do not notice, or that never removes their waiters?"""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from reports.basics.units import quantity
from reports.charts.style import Look, figure, y_title
from reports.experiments import Effect, Effects
from reports.experiments.effects import change_text

TITLE: Final = "Clients that leave: handlers that do not notice, waiters that are never removed"
ADVICE: Final = "End a handler when its client leaves, and remove its waiter on every way out."
MECHANISM: Final = (
    "A server keeps each waiting request, with its buffers, its handler and its connection. aiohttp cancels the "
    "handler of a client that has left only where it is configured to (handler_cancellation); a handler that is not "
    "cancelled and never reads waits on. A waiter that was registered must be removed on every way out: answered, "
    "timed out, disconnected. The server walks through those that remain for every message, forever."
)
LIMITS: Final = (
    "Visitors of SSE and long polling in equal parts, a tenth of a second each. A handler that ignores a disconnect "
    "holds a long poll only until the next message or the end of its hold, but a stream forever. WebSocket handlers "
    "notice by reading. How much each visitor leaves behind depends on aiohttp and Python; other servers leave more or "
    "less."
)
ARMS: Final = {"clean": "cleans up", "ignores": "ignores disconnects", "leaks": "never removes waiters"}
EFFECTS: Final = (
    Effect("memory_growth_bytes", "growth of server memory", "B", "clean", "ignores", "higher", "difference"),
    Effect("waiting_left", "waiters left when the visitors are gone", "", "clean", "ignores", "higher", "difference"),
    Effect("cpu_us_per_message", "server CPU per message afterwards, µs", "", "clean", "ignores", "higher"),
    Effect("memory_growth_bytes", "growth of server memory", "B", "clean", "leaks", "higher", "difference"),
    Effect("waiting_left", "waiters left when the visitors are gone", "", "clean", "leaks", "higher", "difference"),
    Effect("cpu_us_per_message", "server CPU per message afterwards, µs", "", "clean", "leaks", "higher"),
    Effect("tasks_left", "tasks left when the visitors are gone", "", "clean", "ignores", "higher", "difference"),
    Effect("tasks_left", "tasks left when the visitors are gone", "", "clean", "leaks", "same", "difference"),
    Effect("stop_ms", "how long the server takes to stop", "ms", "clean", "ignores", "higher", "difference"),
    Effect("missed", "messages that loyal clients missed", "", "clean", "ignores", "same", "difference"),
    Effect("missed", "messages that loyal clients missed", "", "clean", "leaks", "same", "difference"),
)
SERVERS: Final = {"ignores": "a handler that ignores disconnects", "leaks": "one that never removes its waiters"}


def verdict(effects: Effects) -> str:
    costs = []
    for arm, server in SERVERS.items():
        memory, left, cpu = (
            effects[name, arm] for name in ("memory_growth_bytes", "waiting_left", "cpu_us_per_message")
        )
        if not memory.proven:
            costs.append(f"what {server} costs is not shown")
            continue
        costs.append(
            f"{server} leaves {left.arm:,.0f} waiters and {quantity(memory.arm, 'B')} behind (cleaning up: "
            f"{left.base:.0f} and {quantity(memory.base, 'B')}), and a message then costs "
            f"{quantity(cpu.arm / 1000, 'ms')} of CPU ({change_text(cpu)})"
        )
    return f"Clean up on every way out: {'; '.join(costs)}. Loyal clients notice nothing, so monitor the waiters."


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Memory and waiters while visitors come and go, and the CPU per message when they are gone."""
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
    y_title(memory, "growth of memory, MB")
    y_title(waiting, "held polls and open streams")
    y_title(cpu, "CPU per message afterwards, µs")
    for axes in (memory, waiting):
        axes.set_xlabel("seconds")
    for axes in (memory, waiting, cpu):
        axes.set_ylim(bottom=0)
    return canvas
