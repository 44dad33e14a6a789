"""How soon does the other side notice that a peer vanished, with heartbeats and without, and what do they cost?"""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from reports.basics.units import quantity
from reports.charts.style import MUTED, Look, figure
from reports.experiments import Effect, Effects
from reports.experiments.effects import change_text

TITLE: Final = "Heartbeats, and peers that vanish in silence"
ADVICE: Final = "Send heartbeats, and disconnect a peer that leaves them unanswered."
MECHANISM: Final = (
    "A peer that vanishes says no goodbye, and TCP notices a silent peer only when it has something to send: an idle "
    "stream to a dead client stays open forever. A heartbeat gives TCP something to send, and a limit "
    "(TCP_USER_TIMEOUT, keepalive for held polls: three heartbeats here) ends a connection without acknowledgements. A "
    "frozen process is different: its kernel acknowledges everything, so only an answer of the program itself proves "
    "that it lives, and only WebSocket has one (ping and pong). A client has to time the silence itself: after three "
    "missed heartbeats it leaves."
)
LIMITS: Final = (
    "Scaled down: 1.5 s stands for the usual 15 s, and what is noticed after three to four heartbeats takes 45 to 60 s "
    "there. Keepalive counts in whole seconds. No heartbeat notices frozen clients of SSE, chunked streaming and long "
    "polling: only a full send buffer or the kernel's limit ends them, once there is enough to send. Clients share the "
    "server's machine; where a round trip comes near the interval, the limit is too tight."
)
ARMS: Final = {"off": "no heartbeats", "slow": "every 1.5 s", "fast": "every 0.3 s"}
DEAD: Final = {
    "vanished sse": "idle SSE client, vanished",
    "vanished websocket": "idle WebSocket client, vanished",
    "vanished long_polling": "held long poll, vanished",
    "frozen websocket": "idle WebSocket client, frozen",
    "frozen sse": "idle SSE client, frozen",
    "frozen long_polling": "held long poll, frozen",
    "frozen busy": "busy SSE client, frozen",
    "server": "server, frozen",
}
"""Name in the points -> label on the chart."""
EFFECTS: Final = (
    Effect("dead_held", "dead clients of 7 still held at the end", "", "off", "slow", "lower", "difference"),
    Effect("dead_held", "dead clients of 7 still held at the end", "", "off", "fast", "lower", "difference"),
    Effect("vanished_noticed_ms", "a vanished client is noticed after", "ms", "slow", "fast", "lower"),
    Effect("frozen_noticed_ms", "a frozen WebSocket client is noticed after", "ms", "slow", "fast", "lower"),
    Effect("server_noticed_ms", "clients notice a frozen server after", "ms", "slow", "fast", "lower"),
    Effect("healthy_cut", "healthy idle clients that were cut", "", "off", "fast", "same", "difference"),
    Effect("bytes_per_s", "traffic of an idle client, per second", "B", "off", "slow", "higher", "difference"),
    Effect("bytes_per_s", "traffic of an idle client, per second", "B", "off", "fast", "higher", "difference"),
    Effect("cpu_us_per_s", "server CPU for an idle client, µs per second", "", "off", "slow", "higher", "difference"),
    Effect("cpu_us_per_s", "server CPU for an idle client, µs per second", "", "off", "fast", "higher", "difference"),
)


def verdict(effects: Effects) -> str:
    held, noticed = effects["dead_held", "slow"], effects["vanished_noticed_ms", "fast"]
    frozen, cost = effects["frozen_noticed_ms", "fast"], effects["bytes_per_s", "slow"]
    if not held.proven:
        return "It is not shown that heartbeats make a server notice clients that died."
    return (
        f"Without heartbeats the server still holds {held.base:.0f} of 7 dead clients at the end, with one every 1.5 s "
        f"{held.arm:.0f}: it notices a vanished client after {quantity(noticed.base, 'ms')} and a frozen WebSocket "
        f"client after {quantity(frozen.base, 'ms')}, for {quantity(cost.arm, 'B')}/s per client. Heartbeats five "
        f"times as often notice in {quantity(noticed.arm, 'ms')} ({change_text(noticed)}). None notices an idle SSE "
        "client or a held poll that is frozen: keep a limit on holds and send buffers."
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """A lane for each that died, a dot for each time it was noticed; an arrow where it was not."""
    canvas = figure(0.75 + 0.33 * len(DEAD))
    axes = canvas.add_subplot()
    for nth, arm in enumerate(ARMS):
        rows = points[points["arm"] == arm]
        height = rows["dead"].map(list(DEAD).index) + 0.22 * (nth - 1)
        seen = rows["noticed"].astype(bool)
        axes.plot(rows["waited_s"][seen], height[seen], "o", ms=5, color=look.line(arm), mew=0, alpha=0.8)
        axes.plot(rows["waited_s"][~seen], height[~seen], ">", ms=5, color=look.line(arm), mew=0, clip_on=False)
        axes.text(
            0.02 + 0.17 * nth,
            1.03,
            f"\N{BLACK CIRCLE} {look.labels[arm]}",
            transform=axes.transAxes,
            weight="bold",
            color=look.text(arm),
        )
    axes.text(
        1.0, 1.03, "\N{BLACK RIGHT-POINTING TRIANGLE} not noticed", transform=axes.transAxes, ha="right", color=MUTED
    )
    axes.set_yticks(range(len(DEAD)), labels=list(DEAD.values()))
    axes.set(
        xlim=(0, points["waited_s"].max()), ylim=(len(DEAD) - 0.5, -0.5), xlabel="seconds until the other side notices"
    )
    return canvas
