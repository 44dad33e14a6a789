"""Long polls that bring one message each, or all that wait, while the rate climbs past one message a gap."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from loadtests.scenario.scenarios import Scenario
from reports.basics.units import number, quantity
from reports.charts.style import MUTED, Look, figure, y_title
from reports.experiments import Effect, Measured, Observation
from reports.experiments.effects import said, with_doubt
from reports.experiments.practices._cell import doubts, invalid, run_cell

TITLE: Final = "One message per response, or all that wait"
ADVICE: Final = "Answer a long poll with everything that is pending, not with one message at a time."
MECHANISM: Final = (
    "Between an answer and the next request lies a gap G, at least a round trip, in which a client is told nothing. "
    "With one message an answer a client takes at most 1/G messages a second: a queue with one server and a fixed "
    "service time (M/D/1), whose wait grows without bound as the rate nears 1/G. With all that wait an answer clears "
    "the queue, whatever its length."
)
LIMITS: Final = (
    "Well below 1/G only clumps queue, so a test with an even feed will not show it. G is the client's own distance: "
    "of one server's clients the far ones fall behind first. Streams have no gap and no such limit."
)
ARMS: Final = {"one": "one message an answer", "all": "all that wait"}
RTT_MS: Final = 40.0
STEP_S: Final = 4.0
RATES: Final = (8.0, 8 * 4 ** (1 / 3), 8 * 4 ** (2 / 3), 32.0)
"""Messages a second: equal factors; 1/G of a round trip of 40 ms is just below 25."""
EFFECTS: Final = (
    Effect("below_ms", f"latency, mean, at {RATES[0]:g} messages/s", "ms", "one", "all"),
    Effect("near_ms", f"latency, mean, at {RATES[2]:.0f}/s, just below 1/G", "ms", "one", "all", expected="lower"),
    Effect("above_ms", f"latency, mean, at {RATES[3]:g}/s, above 1/G", "ms", "one", "all", expected="lower"),
    Effect(
        "growth_ms_per_s",
        "growth of latency there each second",
        "ms",
        "one",
        "all",
        expected="lower",
        kind="difference",
    ),
    Effect("missed", "messages missed", "", "one", "all", expected="same", kind="difference"),
)


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    """Climb the stairs of RATES (quick: shorter ones) with ten clients, and follow every message until it is there."""
    step_s = 0.8 if quick else STEP_S
    scenario = Scenario(
        name="feed",
        purpose="a feed that becomes faster than a round trip",
        clients=(10,),
        schedule=f"stairs:{RATES[0]:g}-{RATES[-1]:g}/{len(RATES)}x{step_s:g},random",
        rtt_ms=(RTT_MS,),
        warmup_s=0.0,
        window_s=len(RATES) * step_s,
        # Nothing more is due then, and a queue that a step at 1.3/G has left is empty after less than a third of it.
        drain_s=step_s,
        one_per_response=arm == "one",
    )
    found = run_cell("long_polling", scenario, where)
    row, latency = found.evidence.cells.iloc[0], found.latency
    step = (latency["due_s"] // step_s).clip(upper=len(RATES) - 1).astype(int)
    means = latency["latency_ms"].groupby(step).mean()
    above = latency[step == len(RATES) - 1]
    figures = {
        "below_ms": float(means[0]),
        "near_ms": float(means[2]),
        "above_ms": float(means[3]),
        "growth_ms_per_s": float(np.polyfit(above["due_s"], above["latency_ms"], 1)[0]),
        "missed": float(row["missed"]),
    }
    by_message = latency.groupby("id", observed=True).agg(due_s=("due_s", "first"), latency_ms=("latency_ms", "median"))
    points: list[dict[str, float | str]] = [
        {"due_s": float(due_s), "latency_ms": float(ms), "step_s": step_s}
        for due_s, ms in by_message.itertuples(index=False)
    ]
    return Observation(figures, points, doubts(found), invalid(found))


def verdict(effects: Mapping[tuple[str, str], Measured]) -> str:
    below, above, growth = (effects[name, "all"] for name in ("below_ms", "above_ms", "growth_ms_per_s"))
    return with_doubt(
        f"Send all that wait: above 1/G, here {RATES[-1]:g} messages/s at {RTT_MS:g} ms round trip, one message an "
        f"answer falls behind by {quantity(growth.base, 'ms')} a second and averages {quantity(above.base, 'ms')} "
        f"latency instead of {quantity(above.arm, 'ms')} ({said(above)}); at {RATES[0]:g}/s it is "
        f"{quantity(below.base, 'ms')} against {quantity(below.arm, 'ms')}.",
        above,
        growth,
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Latency over the stairs, a dot a message and repeat, the running median as a line."""
    drawn = figure(3.2)
    axes = drawn.add_subplot()
    y_title(axes, "latency of a message, median of its clients, ms")
    step_s = float(points["step_s"].iloc[0])
    for arm, name in look.labels.items():
        rows = points[points["arm"] == arm].sort_values("due_s")
        axes.plot(rows["due_s"], rows["latency_ms"], ".", color=look.line(arm), alpha=0.3, markersize=3, mew=0)
        binned = rows.groupby((rows["due_s"] / (step_s / 8)).astype(int))[["due_s", "latency_ms"]].median()
        axes.plot(binned["due_s"], binned["latency_ms"], color=look.line(arm), label=name)
        end = binned.iloc[-1]
        axes.annotate(
            name,
            (end["due_s"], end["latency_ms"]),
            (8, 0),
            textcoords="offset points",
            color=look.text(arm),
            weight="bold",
            va="center",
            annotation_clip=False,
        )
    for at, rate in enumerate(RATES):
        axes.axvline(at * step_s, color=MUTED, lw=0.6, ls=":")
        told = f"{number(rate, 2)} messages/s{'' if rate < 1000 / RTT_MS else ', above 1/G'}"
        axes.annotate(told, ((at + 0.04) * step_s, 0.97), xycoords=("data", "axes fraction"), va="top", color=MUTED)
    axes.set(xlabel="due, s", xlim=(0, len(RATES) * step_s), ylim=(0, None))
    return drawn
