"""What does it cost that clients send as well: by POST beside a stream or a poll, or on a WebSocket?"""

from collections.abc import Mapping
from typing import Final, Literal

import pandas as pd
from matplotlib.figure import Figure

from reports.basics.units import quantity
from reports.charts.style import INK, Look, figure
from reports.experiments import Effect, Effects
from reports.experiments.effects import brief, said, with_doubt

TITLE: Final = "Clients that send as well: POST beside a stream, or a WebSocket"
ADVICE: Final = "Where clients send as well, use a WebSocket; SSE does, too, with a POST for what goes up."
MECHANISM: Final = (
    "SSE is one-way: what goes up is a request of its own, on a second connection, with a head for each message, that "
    "the server parses, routes and answers. On a WebSocket it is a frame on the connection that is open already: 6 "
    "bytes more than the message, and no answer but the message itself. A POST that opens a connection each time pays "
    "a handshake, and its message leaves a round trip later. A long poll that has brought one message is on its way "
    "back when the next one comes."
)
LIMITS: Final = (
    "Four clients, so that what goes up decides: with more receivers the way down, which costs SSE and WebSocket the "
    "same, hides it. The requests have no more headers than they must; a browser's, with cookies, take some hundred "
    "bytes more each, and this server answers with the whole message. HTTP/1.1 in cleartext: over HTTP/2 stream and "
    "POSTs share a connection, and under TLS a new one costs more (tls). A POST is answered with what became of it; on "
    "a WebSocket acknowledging, and sending again what a lost connection has taken, is for the application."
)
ARMS: Final = {
    "sse": "SSE, POST on a kept connection",
    "new": "SSE, a connection for each POST",
    "long": "long polls, POST on a kept connection",
    "socket": "WebSocket both ways",
}
FIGURES: Final = {
    "cpu_ms": ("server CPU per 1,000 messages sent", "ms"),
    "up_bytes": ("TCP bytes up per message sent", "B"),
    "down_bytes": ("TCP bytes down per message sent", "B"),
    "connections": ("connections opened per client", ""),
    "p50_ms": ("from sending to its return, median", "ms"),
    "p99_ms": ("from sending to its return, p99", "ms"),
}
"""Name -> meaning, unit."""
EXPECTED: Final[Mapping[str, Mapping[str, Literal["lower", "higher"]]]] = {
    "socket": dict.fromkeys(("cpu_ms", "up_bytes", "down_bytes", "connections"), "lower"),
    "new": dict.fromkeys(("cpu_ms", "connections", "p50_ms", "p99_ms"), "higher"),
    "long": dict.fromkeys(("cpu_ms", "up_bytes", "down_bytes", "p50_ms", "p99_ms"), "higher"),
}
EFFECTS: Final = (
    *(
        Effect(name, f"{ARMS[arm]}: {meaning}", unit, "sse", arm, expected.get(name, ""))
        for arm, expected in EXPECTED.items()
        for name, (meaning, unit) in FIGURES.items()
    ),
    *(
        Effect(name, f"{ARMS[arm]}: {meaning}", "", "sse", arm, "same", "difference")
        for arm in EXPECTED
        for name, meaning in (("lost", "messages lost"), ("repeated", "messages that came twice"))
    ),
)


def verdict(effects: Effects) -> str:
    cpu, up, back, new_cpu, new_back, long_cpu, long_back = (
        effects[key]
        for key in (
            ("cpu_ms", "socket"),
            ("up_bytes", "socket"),
            ("p50_ms", "socket"),
            ("cpu_ms", "new"),
            ("p50_ms", "new"),
            ("cpu_ms", "long"),
            ("p50_ms", "long"),
        )
    )
    return with_doubt(
        f"Use a WebSocket where clients send much: against SSE with POST it changes the server's CPU for a message by "
        f"{said(cpu)} ({brief(cpu.arm)} ms per 1,000 instead of {brief(cpu.base)}) and its bytes up by {said(up)}; it "
        f"is back after {quantity(back.arm, 'ms')} instead of {quantity(back.base, 'ms')}. SSE does where they send "
        f"little, on a connection that is kept: a new one for each POST changes the CPU by {said(new_cpu)} and has the "
        f"message back after {quantity(new_back.arm, 'ms')}, long polls by {said(long_cpu)} and after "
        f"{quantity(long_back.arm, 'ms')}.",
        cpu,
        up,
        new_cpu,
        new_back,
        long_cpu,
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Server CPU, bytes both ways, and how long a message takes to come back: medians as bars, each repeat as a dot."""
    panels = {
        "cpu_ms": "server CPU per 1,000 messages, ms",
        "bytes": "TCP bytes per message, both ways",
        "p50_ms": "until it is back, median, ms",
    }
    drawn, labels = figure(2.4), list(look.labels.values())
    for axes, (column, title) in zip(drawn.subplots(1, len(panels), sharey=True), panels.items(), strict=True):
        for at, arm in enumerate(look.labels):
            values = points.loc[points["arm"] == arm, column]
            axes.barh(at, values.median(), 0.7, color=look.line(arm), alpha=0.75)
            axes.plot(values, [at] * len(values), ".", color=INK, markersize=3, alpha=0.6)
        axes.set_yticks(range(len(labels)), labels=labels)
        axes.grid(axis="y", visible=False)
        axes.set(xlabel=title, xlim=(0, None))
    drawn.axes[0].invert_yaxis()
    return drawn
