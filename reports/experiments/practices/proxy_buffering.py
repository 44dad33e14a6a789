"""Does a proxy hold streams back, and what sets them free? A real nginx in front, one client of every pattern."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from loadtests.host.nginx_config import BUFFER_BYTES, ProxyOptions
from loadtests.probes.followers import CLIENTS, Followed
from loadtests.probes.proxied import Proxied, through
from reports.basics.units import quantity
from reports.charts.style import Look, figure, ms_axis, y_title
from reports.experiments import Effect, Effects, Observation
from reports.experiments.effects import TILDE
from servers import patterns
from servers.palette import colours_of

TITLE: Final = "Streams through a buffering proxy"
ADVICE: Final = "Behind nginx, switch buffering off or send X-Accel-Buffering: no, or your stream will not stream."
MECHANISM: Final = (
    "A proxy may collect a response before it passes it on, to be rid of the server sooner. A stream is a response "
    f"that goes on: nginx gives nothing away before {BUFFER_BYTES} bytes have come or, when it compresses, before its "
    "compressor has a block full. So a message waits for those after it, and the fewer there are, the longer. "
    "A poll is answered whole, and a WebSocket is no response any more, so neither is held back."
)
LIMITS: Final = (
    "One version of nginx, which the chart names; messages of 200 bytes, 20 a second. What waits is bytes: "
    "at one message a second everything buffered takes twenty times as long. Other proxies, CDNs and antivirus "
    "software have rules of their own. All clients share one loop, so a few milliseconds are theirs."
)
PROGRAMS: Final = {"nginx": "nginx"}
SETTINGS: Final[Mapping[str, ProxyOptions | None]] = {
    "buffered": ProxyOptions(http_1_0=True, honour_accel=False),
    "honoured": ProxyOptions(http_1_0=True),
    "unbuffered": ProxyOptions(http_1_0=True, honour_accel=False, buffering=False),
    "http11": ProxyOptions(honour_accel=False),
    "gzip": ProxyOptions(honour_accel=False, gzip=True),
    "gzip-honoured": ProxyOptions(gzip=True),
    "direct": None,
}
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
SCHEDULE: Final = "steady:20"
WINDOW_S: Final = 3.5
QUICK_WINDOW_S: Final = 1.0
LOWEST_MS: Final = 0.3
COLOURS: Final = colours_of(CLIENTS)


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    seen = through(SETTINGS[arm], SCHEDULE, QUICK_WINDOW_S if quick else WINDOW_S, where)
    figures = {"missed": 0.0, "published": float(seen.published)}
    for pattern, got in seen.followed.items():
        figures["missed"] += seen.published - len(got.received_ns)
        figures |= figures_of(pattern, got) if got.received_ns else {}
    return Observation(figures, _points(seen))


def figures_of(pattern: str, got: Followed) -> dict[str, float]:
    first_ns = min(got.received_ns.values())
    latencies = [received_ns - got.due_ns[at] for at, received_ns in got.received_ns.items()]
    return {
        f"first_ms_{pattern}": (first_ns - min(got.due_ns.values())) / 1e6,
        f"worst_ms_{pattern}": max(latencies) / 1e6,
        f"behind_{pattern}": float(sum(due_ns < first_ns for due_ns in got.due_ns.values()) - 1),
        f"repeated_{pattern}": float(got.repeated),
    }


def _points(seen: Proxied) -> list[dict[str, float | str]]:
    return [
        {
            "pattern": pattern,
            "due_s": (got.due_ns[at] - seen.started_ns) / 1e9,
            "latency_ms": (received_ns - got.due_ns[at]) / 1e6,
            "proxy": seen.proxy,
        }
        for pattern, got in seen.followed.items()
        for at, received_ns in got.received_ns.items()
    ]


def verdict(effects: Effects) -> str:
    held, honoured = effects["first_ms_sse", "honoured"], effects["first_ms_sse", "unbuffered"]
    squeezed, plain = effects["first_ms_sse", "gzip-honoured"], effects["first_ms_sse", "http11"]
    socket, asked = effects["first_ms_websocket", "honoured"], effects["first_ms_long_polling", "honoured"]
    if not held.proven:
        return f"{TILDE} Not shown: SSE's first event came after {_ms(held.base)} buffered, {_ms(held.arm)} if not."
    to_the_end = ", until the stream ended" if squeezed.base >= WINDOW_S * 1000 else ""
    return (
        f"A buffering nginx that speaks HTTP/1.0 to the server held the first event of SSE back for {_ms(held.base)}, "
        f"one that compresses for {_ms(squeezed.base)}{to_the_end}; WebSocket came after {_ms(socket.base)} and long "
        f"polling after {_ms(asked.base)}. With X-Accel-Buffering: no the event came after {_ms(held.arm)} "
        f"and {_ms(squeezed.arm)}, with buffering off after {_ms(honoured.arm)}. Send the header with every stream, or "
        f"speak HTTP/1.1 to the server and do not compress ({_ms(plain.arm)})."
    )


def _ms(value: float) -> str:
    return quantity(value, "ms")


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Each message's latency by when it was due, a panel for each arm. What is held back makes teeth."""
    drawn = figure(5.4)
    arms = [arm for arm in look.labels if arm in set(points["arm"])]
    shown = points[points["repeat"] == points["repeat"].min()]
    highest_ms = 2 * float(shown["latency_ms"].max())
    axes = drawn.subplots(2, (len(arms) + 1) // 2, sharex=True, sharey=True, squeeze=False).flatten()
    for panel, arm in zip(axes, arms, strict=False):
        rows = shown[shown["arm"] == arm]
        for pattern, got in rows.groupby("pattern", sort=True):
            got = got.sort_values("due_s")
            colour = COLOURS[str(pattern)].line
            panel.plot(got["due_s"], got["latency_ms"].clip(lower=LOWEST_MS), color=colour, lw=0.8, marker=".", ms=3)
        y_title(panel, "\n".join(look.labels[arm].split(", ")))
        ms_axis(panel.yaxis, LOWEST_MS, highest_ms)
    for panel in axes[len(arms) :]:
        panel.set_visible(False)
    drawn.supxlabel(f"message due, s ({', '.join(sorted(set(filter(None, shown['proxy']))))})", fontsize=8.5)
    handles = [
        Line2D([], [], color=COLOURS[name].line, marker=".", label=patterns.facts(name).label) for name in CLIENTS
    ]
    drawn.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return drawn
