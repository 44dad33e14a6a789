"""What does a limit on held requests do against one client with thousands of long polls, for server and others?"""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from reports.basics.units import quantity
from reports.charts.style import Look, figure, ms_axis, y_title
from reports.experiments import Effect, Effects
from reports.experiments.effects import brief, change_text

TITLE: Final = "A limit on held requests against one client with thousands"
ADVICE: Final = "Limit how many long polls each client may have held (429 and Retry-After), or one takes the server."
MECHANISM: Final = (
    "A held request occupies memory for as long as it is held, and the server writes every message to all of them: a "
    "client behind thousands of requests of one other client gets it late. The server holds no refused request, and "
    "writes nothing to it. The refusal also closes the connection, and asks each client to come back after a different "
    "time."
)
LIMITS: Final = (
    "A refused client asks again, which costs the server time also when there is no message; one that ignores "
    "Retry-After costs more, and has to be blocked before it reaches the server. The limit is per address, and many "
    "clients behind one NAT share an address. Clients and server share two cores, and a broadcast to thousands keeps "
    "the clients' processes busy too."
)
ARMS: Final = {"off": "no limit", "on": "20 held per address"}
EFFECTS: Final = (
    Effect("held", "requests held", "", "off", "on", expected="lower"),
    Effect("p99_ms", "p99 latency of the others", "ms", "off", "on", expected="lower"),
    Effect("memory_bytes", "server memory for this client", "B", "off", "on", expected="lower"),
    Effect("sockets", "server sockets for this client", "", "off", "on", expected="lower"),
    Effect("cpu", "server, percent of a core", "", "off", "on"),
    Effect("lost", "messages the others lost", "", "off", "on", expected="same", kind="difference"),
)


def verdict(effects: Effects) -> str:
    held, p99, memory, sockets, cpu = (
        effects[name, "on"] for name in ("held", "p99_ms", "memory_bytes", "sockets", "cpu")
    )
    if not (held.proven and p99.proven):
        return "It is not shown that a limit on held requests helps the others here."
    return (
        f"Limit held requests: the others' p99 goes from {quantity(p99.base, 'ms')} to {quantity(p99.arm, 'ms')} "
        f"({change_text(p99)}) as the server holds {brief(held.arm)} requests instead of {brief(held.base)}, and one "
        f"client costs it {brief(sockets.arm)} sockets and {quantity(memory.arm, 'B')} instead of "
        f"{brief(sockets.base)} and {quantity(memory.base, 'B')}. Refusing that client again and again uses part of "
        f"what the limit saves: {brief(cpu.arm)} % of a core instead of {brief(cpu.base)}"
        f"{'' if cpu.proven else ' (not proven)'}."
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """The share of the others' messages that had arrived within a time."""
    drawn = figure(2.6)
    axes = drawn.add_subplot()
    for arm in (arm for arm in look.labels if arm in set(points["arm"])):
        for _, repeat in points[points["arm"] == arm].groupby("repeat"):
            axes.ecdf(repeat["latency_ms"], color=look.line(arm), lw=1.2, alpha=0.8)
        axes.plot([], [], color=look.line(arm), label=look.labels[arm])
    ms_axis(axes.xaxis, 0.8 * float(points["latency_ms"].min()), 1.3 * float(points["latency_ms"].max()))
    axes.set(xlabel="latency of the others", ylim=(0, 1.02))
    axes.legend(frameon=False, loc="lower right")
    y_title(axes, "share of messages that had arrived")
    return drawn
