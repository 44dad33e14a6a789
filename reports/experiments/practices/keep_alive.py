"""What does a connection that is used again save a long poll?"""

from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from loadtests.experiments.observations import Observation
from reports.basics.units import quantity
from reports.charts.style import MUTED, Look, figure, label_line, write_beside, y_title
from reports.experiments import Effect, Effects
from reports.experiments.effects import said, with_doubt
from reports.experiments.whole_cells import cell, observed

TITLE: Final = "Keep-alive: connections that are used again"
ADVICE: Final = "Reuse connections: send every poll on the connection that the last response came on."
MECHANISM: Final = (
    "A new connection costs a round trip before the request can leave, and an accept, a socket and a teardown on the "
    "server. For long polling that round trip adds to the gap in which no request waits at the server, and a message "
    "that is published in the gap is late."
)
LIMITS: Final = (
    "Measured in cleartext: with TLS a new connection costs one or two round trips more and the CPU of a handshake, so "
    "the effect is larger. Without distance only the CPU remains. A short poll at a fixed rate delivers equally early "
    "in both arms, because its interval makes it late, not its handshake."
)
ARMS: Final = {"off": "a connection per poll", "on": "one kept alive"}
EFFECTS: Final = (
    Effect("mean_ms", "latency, mean", "ms", "off", "on", expected="lower"),
    Effect("p99_ms", "latency, p99", "ms", "off", "on", expected="lower"),
    Effect("connections", "connections opened", "", "off", "on", expected="lower"),
    Effect("cpu_ms", "server CPU per 1,000 polls", "ms", "off", "on", expected="lower"),
    Effect("segments_per_poll", "TCP segments per poll, both ways", "", "off", "on", expected="lower"),
    Effect("missed", "messages missed", "", "off", "on", expected="same", kind="difference"),
)
QUANTILES: Final = tuple(percent / 100 for percent in range(1, 100, 2))


def read(where: Path) -> Observation:
    run, row = cell(where)
    latency = run.latency["latency_ms"]
    figures = {name: row[name] for name in ("p99_ms", "connections", "missed")} | {
        "mean_ms": latency.mean(),
        "cpu_ms": row["server_cpu_share"] / row["responses_per_s"] * 1e6,
        "segments_per_poll": row["segments_per_delivery"] / row["requests_per_delivery"],
    }
    shares = ({"share": share, "latency_ms": float(latency.quantile(share))} for share in QUANTILES)
    return observed(figures, [{**point, "rtt_ms": float(row["rtt_ms"])} for point in shares], run)


def verdict(effects: Effects) -> str:
    mean, p99, cpu = (effects[name, "on"] for name in ("mean_ms", "p99_ms", "cpu_ms"))
    opened = effects["connections", "on"]
    return with_doubt(
        f"Keep connections alive: at a round trip of 40 ms the mean latency of long polling goes from "
        f"{quantity(mean.base, 'ms')} to {quantity(mean.arm, 'ms')} ({said(mean)}), p99 {said(p99)}, server CPU per "
        f"poll {said(cpu)}, with {opened.arm:.0f} connections instead of {opened.base:.0f}.",
        mean,
        p99,
        cpu,
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Share of deliveries by latency, a line for each repeat."""
    drawn = figure(3.0)
    axes = drawn.add_subplot()
    y_title(axes, "share of deliveries, %")
    rtt_ms = float(points["rtt_ms"].iloc[0])
    for arm in look.labels:
        rows = points[points["arm"] == arm]
        for _, one in rows.groupby("repeat"):
            axes.plot(one["latency_ms"], one["share"] * 100, color=look.line(arm), lw=1, alpha=0.55)
        share = QUANTILES[42]
        at = rows.loc[rows["share"] == share, "latency_ms"].median(), share * 100
        label_line(axes, look, arm, at, (-8, 6), ha="right", va="center")
    for trips, label in ((0.5, "half a round trip"), (1.5, "1.5 round trips"), (2.5, "2.5 round trips")):
        axes.axvline(trips * rtt_ms, color=MUTED, lw=0.7, ls=":")
        write_beside(axes, label, (trips * rtt_ms, 3), (-2, 0), color=MUTED, size=7.5, rotation=90, ha="right")
    axes.set(xlabel="latency, ms", ylim=(0, 100), xlim=(0, None))
    return drawn
