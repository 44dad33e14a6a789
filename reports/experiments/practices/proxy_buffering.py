"""Does a proxy hold streams back, and how can that be prevented?"""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.charts.style import Look, ms_axis, y_title
from reports.experiments import Effect, Effects
from reports.experiments.bars import panels
from reports.experiments.effects import TILDE, ms
from servers import patterns
from servers.palette import colours_of

TITLE: Final = "Streams through a buffering proxy"
ADVICE: Final = "Behind nginx, switch buffering off or send X-Accel-Buffering: no, or your stream will not stream."
MECHANISM: Final = (
    "A proxy may collect a response before it passes it on, to free the server sooner. A stream is a response that "
    "goes on: nginx passes nothing on before 4,096 bytes have come or, when it compresses, before its compressor has a "
    "full block. So a message waits for those after it: the fewer there are, the longer. A poll's response ends, and a "
    "WebSocket is not a response any more, so neither is held back."
)
LIMITS: Final = (
    "One version of nginx, which the chart names; messages of 200 bytes, 20 a second. nginx waits for bytes: at one "
    "message a second everything buffered takes twenty times as long. Other proxies, CDNs and antivirus software have "
    "rules of their own. All clients share one loop, which adds a few milliseconds."
)
ARMS: Final = {
    "buffered": "HTTP/1.0 to the server, header ignored",
    "honoured": "HTTP/1.0, X-Accel-Buffering: no honoured",
    "unbuffered": "HTTP/1.0, proxy_buffering off",
    "http11": "HTTP/1.1 to the server, header ignored",
    "gzip": "HTTP/1.1 and gzip, header ignored",
    "gzip-honoured": "HTTP/1.1 and gzip, header honoured",
    "direct": "no proxy",
}
EFFECTS: Final = (
    Effect("first_ms_chunked", "first message, streaming: header honoured", "ms", "buffered", "honoured", "lower"),
    Effect("first_ms_sse", "first message, SSE: header honoured", "ms", "buffered", "honoured", "lower"),
    Effect("first_ms_sse", "first message, SSE: buffering off", "ms", "buffered", "unbuffered", "lower"),
    Effect("first_ms_sse", "first message, SSE: HTTP/1.1 to the server", "ms", "buffered", "http11"),
    Effect("first_ms_sse", "first message, SSE: gzip, header honoured", "ms", "gzip", "gzip-honoured", "lower"),
    Effect("first_ms_sse", "first message, SSE: gzip instead of HTTP/1.0", "ms", "buffered", "gzip"),
    Effect("behind_sse", "SSE: messages due before the first came", "", "buffered", "honoured", "lower", "difference"),
    Effect("first_ms_long_polling", "first message, long polling", "ms", "buffered", "honoured", kind="difference"),
    Effect("first_ms_websocket", "first message, WebSocket", "ms", "buffered", "honoured", kind="difference"),
    Effect("missed", "messages missed in the end, all patterns", "", "buffered", "honoured", "same", "difference"),
)
WINDOW_MS: Final = 3500
"""How long a whole run publishes: a first message that took longer came when the stream ended."""
LOWEST_MS: Final = 0.3


def verdict(effects: Effects) -> str:
    held, honoured = effects["first_ms_sse", "honoured"], effects["first_ms_sse", "unbuffered"]
    squeezed, plain = effects["first_ms_sse", "gzip-honoured"], effects["first_ms_sse", "http11"]
    socket, asked = effects["first_ms_websocket", "honoured"], effects["first_ms_long_polling", "honoured"]
    if not held.proven:
        return f"{TILDE} Not shown: SSE's first event came after {ms(held.base)} buffered, {ms(held.arm)} if not."
    to_the_end = ", until the stream ended" if squeezed.base >= WINDOW_MS else ""
    return (
        f"A buffering nginx that speaks HTTP/1.0 to the server held the first event of SSE back for {ms(held.base)}, "
        f"one that compresses for {ms(squeezed.base)}{to_the_end}; WebSocket came after {ms(socket.base)} and long "
        f"polling after {ms(asked.base)}. With X-Accel-Buffering: no the event came after {ms(held.arm)} "
        f"and {ms(squeezed.arm)}, with buffering off after {ms(honoured.arm)}. Send the header with every stream, or "
        f"speak HTTP/1.1 to the server and do not compress ({ms(plain.arm)})."
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """The latency of each message by when it was due, a panel for each arm. Messages held back make teeth."""
    shown = points[points["repeat"] == points["repeat"].min()]
    drawn, axes = panels(shown, look, 5.4)
    highest_ms = 2 * float(shown["latency_ms"].max())
    colours = colours_of(points["pattern"].unique())
    for arm, panel in axes.items():
        rows = shown[shown["arm"] == arm]
        for pattern, got in rows.groupby("pattern", sort=True):
            got = got.sort_values("due_s")
            colour = colours[str(pattern)].line
            panel.plot(got["due_s"], got["latency_ms"].clip(lower=LOWEST_MS), color=colour, lw=0.8, marker=".", ms=3)
        y_title(panel, "\n".join(look.labels[arm].split(", ")))
        ms_axis(panel.yaxis, LOWEST_MS, highest_ms)
    drawn.supxlabel(f"message due, s ({', '.join(sorted(set(filter(None, shown['proxy']))))})", fontsize=8.5)
    handles = [
        Line2D([], [], color=colours[name].line, marker=".", label=patterns.facts(name).label)
        for name in sorted(points["pattern"].unique())
    ]
    drawn.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return drawn
