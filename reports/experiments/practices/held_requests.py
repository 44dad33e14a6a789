"""One client opens thousands of long polls among a few: what a limit on held requests does for server and others."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from loadtests.probes.stage import EACH_ITS_OWN, NOBODY_ELSE, Stage
from loadtests.scenario.scenarios import Scenario
from reports.basics.units import quantity
from reports.charts.style import Look, figure, ms_axis, y_title
from reports.experiments import Effect, Effects, Observation
from reports.experiments.effects import change_text
from reports.experiments.practices._crowds import S, brief, cpu_percent, lost, p99_ms, rows, within

TITLE: Final = "A limit on held requests against one client with thousands"
ADVICE: Final = "Limit how many long polls each client may have held (429 and Retry-After), or one takes the server."
MECHANISM: Final = (
    "A held request is memory for as long as it is held, and every message has to be written to all of them: whoever "
    "waits behind thousands of one client gets it late. Refused, those requests hold nothing and are not written to. "
    "The refusal closes the connection too, and asks each client to come back after a time of its own."
)
LIMITS: Final = (
    "A refused client asks again, which costs the server time also when there is no message; one that does not heed "
    "Retry-After costs the more, and has to be kept out before it reaches the server. The address stands for the "
    "client; behind one NAT it is many. Clients and server share two cores, and a broadcast to thousands keeps their "
    "processes busy as well."
)
ARMS: Final = {"off": "no limit", "on": "20 held for each address"}
EFFECTS: Final = (
    Effect("held", "requests held", "", "off", "on", expected="lower"),
    Effect("p99_ms", "p99 latency of the others", "ms", "off", "on", expected="lower"),
    Effect("memory_bytes", "memory of the server for it", "B", "off", "on", expected="lower"),
    Effect("sockets", "sockets of the server for it", "", "off", "on", expected="lower"),
    Effect("cpu", "server, percent of a core", "", "off", "on"),
    Effect("lost", "messages the others lost", "", "off", "on", expected="same", kind="difference"),
)
MOST: Final = 20
RATE_PER_S: Final = 2


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    window_s = 2.0 if quick else 8.0
    others = Scenario(
        name="others",
        purpose="clients with one long poll each",
        clients=(20,),
        schedule="poisson:1",
        source=EACH_ITS_OWN,
    )
    hog = replace(others, name="hog", clients=(300 if quick else 3000,), spawn_per_s=1000, source=NOBODY_ELSE)
    with Stage(where, "long_polling", {"--max-held": MOST} if arm == "on" else {}) as stage:
        crowd = stage.crowd("others", others)
        alone = stage.sample()
        hogging = stage.crowd("hog", hog)
        time.sleep(1.0)
        stage.publish(f"steady:{RATE_PER_S}")
        before, held = stage.sample(), []
        for _ in range(round(window_s * RATE_PER_S)):
            time.sleep(1 / RATE_PER_S)
            held.append(stage.stats().held)
        after = stage.sample()
        stage.publish("manual")
        time.sleep(1.0)
        newest_id = stage.stats().newest_id
        crowd.end()
        hogging.end()
    got, its = rows(crowd, "deliveries"), within(rows(hogging, "requests"), "started_ns", before.at_ns, after.at_ns)
    latency_ns = got["received_ns"] - got["due_ns"]
    figures = {
        "held": float(sorted(held)[len(held) // 2]),
        "p99_ms": p99_ms(latency_ns),
        "memory_bytes": float(after.rss_bytes - alone.rss_bytes),
        "sockets": float(after.open_sockets - alone.open_sockets),
        "cpu": cpu_percent(before, after),
        "refused_per_s": float((its["status"] == 429).sum()) * S / (after.at_ns - before.at_ns),
        "lost": float(lost(got, others.clients[0], newest_id)),
    }
    return Observation(figures, [{"latency_ms": value / 1e6} for value in sorted(latency_ns.tolist())])


def verdict(effects: Effects) -> str:
    held, p99, memory, sockets, cpu = (
        effects[figure_, "on"] for figure_ in ("held", "p99_ms", "memory_bytes", "sockets", "cpu")
    )
    if not (held.proven and p99.proven):
        return "It is not shown that a limit on held requests helps the others here."
    return (
        f"Limit held requests: the others' p99 goes from {quantity(p99.base, 'ms')} to {quantity(p99.arm, 'ms')} "
        f"({change_text(p99)}) as {brief(held.arm)} instead of {brief(held.base)} requests are held, and one client "
        f"costs the server {brief(sockets.arm)} sockets and {quantity(memory.arm, 'B')} instead of "
        f"{brief(sockets.base)} and {quantity(memory.base, 'B')}. Refusing it again and again takes part of what that "
        f"saves: {brief(cpu.arm)} % of a core instead of {brief(cpu.base)}{'' if cpu.proven else ' (not proven)'}."
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """How many of the others' messages came within which time."""
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
