"""Long polls on one connection each, or with a new connection for every poll, as clients without a session have it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from loadtests.scenario.scenarios import Scenario
from reports.basics.units import quantity
from reports.charts.style import MUTED, Look, figure, y_title
from reports.experiments import Effect, Measured, Observation
from reports.experiments.effects import said, with_doubt
from reports.experiments.practices._cell import doubts, invalid, run_cell

TITLE: Final = "Keep-alive: connections that are used again"
ADVICE: Final = "Reuse connections: send every poll on the one that the last answer came on."
MECHANISM: Final = (
    "A new connection costs a round trip before the request can leave, and an accept, a socket and a teardown on the "
    "server. For long polling that round trip is added to the gap in which nobody waits at the server, and whatever is "
    "published in it is late."
)
LIMITS: Final = (
    "Measured in cleartext: with TLS a new connection costs one or two round trips more and a handshake's CPU, so the "
    "effect is larger. Without distance only CPU remains. A short poll at a fixed rate delivers as early either way, "
    "for it is late by its interval, not by its handshake."
)
ARMS: Final = {"off": "a connection per poll", "on": "one kept alive"}
RTT_MS: Final = 40.0
EFFECTS: Final = (
    Effect("mean_ms", "latency, mean", "ms", "off", "on", expected="lower"),
    Effect("p99_ms", "latency, p99", "ms", "off", "on", expected="lower"),
    Effect("connections", "connections opened", "", "off", "on", expected="lower"),
    Effect("cpu_ms", "server CPU per 1,000 polls", "ms", "off", "on", expected="lower"),
    Effect("segments_per_poll", "TCP segments per poll, both ways", "", "off", "on", expected="lower"),
    Effect("missed", "messages missed", "", "off", "on", expected="same", kind="difference"),
)
QUANTILES: Final = tuple(percent / 100 for percent in range(1, 100, 2))


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    """Let clients at a distance of RTT_MS wait for 20 messages a second."""
    scenario = Scenario(
        name="feed",
        purpose="a feed that is often faster than a handshake",
        clients=(20,),
        schedule="poisson:20",
        rtt_ms=(RTT_MS,),
        window_s=1.5 if quick else 6.0,
        drain_s=0.5,
        no_keep_alive=arm == "off",
    )
    found = run_cell("long_polling", scenario, where)
    row, latency = found.evidence.cells.iloc[0], found.latency["latency_ms"]
    figures = {
        "mean_ms": float(latency.mean()),
        "p99_ms": float(row["p99_ms"]),
        "connections": float(row["connections"]),
        "cpu_ms": float(row["server_cpu_share"] / row["responses_per_s"] * 1e6),
        "segments_per_poll": float(row["segments_per_delivery"] / row["requests_per_delivery"]),
        "missed": float(row["missed"]),
    }
    points: list[dict[str, float | str]] = [
        {"share": share, "latency_ms": float(latency.quantile(share))} for share in QUANTILES
    ]
    return Observation(figures, points, doubts(found), invalid(found))


def verdict(effects: Mapping[tuple[str, str], Measured]) -> str:
    mean, p99, cpu = (effects[name, "on"] for name in ("mean_ms", "p99_ms", "cpu_ms"))
    opened = effects["connections", "on"]
    return with_doubt(
        f"Keep connections alive: at {RTT_MS:g} ms round trip mean latency of long polling goes from "
        f"{quantity(mean.base, 'ms')} to {quantity(mean.arm, 'ms')} ({said(mean)}), p99 {said(p99)}, server CPU per "
        f"poll {said(cpu)}, with {opened.arm:.0f} connections instead of {opened.base:.0f}.",
        mean,
        p99,
        cpu,
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Share of deliveries by latency; a line a repeat."""
    drawn = figure(3.0)
    axes = drawn.add_subplot()
    y_title(axes, "share of deliveries, %")
    for arm, name in look.labels.items():
        rows = points[points["arm"] == arm]
        for _, one in rows.groupby("repeat"):
            axes.plot(one["latency_ms"], one["share"] * 100, color=look.line(arm), lw=1, alpha=0.55)
        share = QUANTILES[42]
        axes.annotate(
            name,
            (rows.loc[rows["share"] == share, "latency_ms"].median(), share * 100),
            (-8, 6),
            textcoords="offset points",
            color=look.text(arm),
            weight="bold",
            ha="right",
            va="center",
        )
    for trips, told in ((0.5, "half a round trip"), (1.5, "1.5 round trips"), (2.5, "2.5 round trips")):
        axes.axvline(trips * RTT_MS, color=MUTED, lw=0.7, ls=":")
        axes.annotate(
            told,
            (trips * RTT_MS, 3),
            (-2, 0),
            textcoords="offset points",
            color=MUTED,
            size=7.5,
            rotation=90,
            ha="right",
        )
    axes.set(xlabel="latency, ms", ylim=(0, 100), xlim=(0, None))
    return drawn
