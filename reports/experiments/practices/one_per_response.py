"""How many messages should the response to a long poll bring?"""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from loadtests.experiments.observations import Observation
from reports.basics.units import number, quantity
from reports.charts.style import MUTED, Look, figure, label_line, y_title
from reports.experiments import Effect, Effects
from reports.experiments.effects import said, with_doubt
from reports.experiments.whole_cells import cell, observed, rows_of
from servers.feed.schedule import Stairs, parse_schedule

TITLE: Final = "One message per response, or all that wait"
ADVICE: Final = "Answer a long poll with everything that is pending, not with one message at a time."
MECHANISM: Final = (
    "Between a response and the next request lies a gap G of at least a round trip, in which a client receives "
    "nothing. With one message per response a client takes at most 1/G messages a second: a queue with one server and "
    "a fixed service time (M/D/1), whose wait grows without bound as the rate nears 1/G. With all that wait, each "
    "response empties the queue, however long it is."
)
LIMITS: Final = (
    "Well below 1/G messages queue only when several come close together, so a test with an evenly spaced feed does "
    "not show it. G depends on the client's distance: the clients that are far away fall behind first. Streams have no "
    "gap and no such limit."
)
ARMS: Final = {"one": "one message per response", "all": "all that wait"}
EFFECTS: Final = (
    Effect("below_ms", "latency, mean, at 8 messages/s", "ms", "one", "all"),
    Effect("near_ms", "latency, mean, at 20/s, just below 1/G", "ms", "one", "all", expected="lower"),
    Effect("above_ms", "latency, mean, at 32/s, above 1/G", "ms", "one", "all", expected="lower"),
    Effect("growth_ms_per_s", "growth of latency per second, at 32/s", "ms", "one", "all", "lower", "difference"),
    Effect("missed", "messages missed", "", "one", "all", expected="same", kind="difference"),
)


def read(where: Path) -> Observation:
    """Follow every message from when it was due until it was delivered."""
    run, row = cell(where)
    stairs = parse_schedule(str(run.run.manifest.scenarios[0]["schedule"]))
    assert isinstance(stairs, Stairs)
    step = (run.latency["due_s"] // stairs.step_s).clip(upper=stairs.steps - 1).astype(int)
    rates = np.asarray(stairs.counts()) / stairs.step_s
    latency = run.latency.assign(step=step, rate_per_s=rates[step])
    means = latency.groupby("step")["latency_ms"].mean()
    above = latency[step == stairs.steps - 1]
    figures = {
        "below_ms": means[0],
        "near_ms": means[2],
        "above_ms": means[3],
        "growth_ms_per_s": np.polyfit(above["due_s"], above["latency_ms"], 1)[0],
        "missed": row["missed"],
    }
    by_message = latency.groupby("id", observed=True).agg(
        due_s=("due_s", "first"), latency_ms=("latency_ms", "median"), rate_per_s=("rate_per_s", "first")
    )
    points = rows_of(by_message.assign(step_s=stairs.step_s, rtt_s=row["rtt_ms"] / 1000))
    return observed(figures, points, run)


def verdict(effects: Effects) -> str:
    below, above, growth = (effects[name, "all"] for name in ("below_ms", "above_ms", "growth_ms_per_s"))
    return with_doubt(
        f"Send all that wait: above 1/G, here 32 messages/s at a round trip of 40 ms, one message per response falls "
        f"behind by {quantity(growth.base, 'ms')} a second and averages {quantity(above.base, 'ms')} of latency "
        f"instead of {quantity(above.arm, 'ms')} ({said(above)}); at 8/s it is {quantity(below.base, 'ms')} against "
        f"{quantity(below.arm, 'ms')}.",
        above,
        growth,
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Latency over the steps: a dot for each message and repeat, the running median as a line."""
    drawn = figure(3.2)
    axes = drawn.add_subplot()
    y_title(axes, "latency of a message, median of its clients, ms")
    step_s, rtt_s = (float(points[name].iloc[0]) for name in ("step_s", "rtt_s"))
    rates = sorted(points["rate_per_s"].unique())
    for arm, name in look.labels.items():
        rows = points[points["arm"] == arm].sort_values("due_s")
        axes.plot(rows["due_s"], rows["latency_ms"], ".", color=look.line(arm), alpha=0.3, markersize=3, mew=0)
        binned = rows.groupby((rows["due_s"] / (step_s / 8)).astype(int))[["due_s", "latency_ms"]].median()
        axes.plot(binned["due_s"], binned["latency_ms"], color=look.line(arm), label=name)
        end = binned.iloc[-1]
        label_line(axes, look, arm, (end["due_s"], end["latency_ms"]), (8, 0), va="center", annotation_clip=False)
    for at, rate in enumerate(rates):
        axes.axvline(at * step_s, color=MUTED, lw=0.6, ls=":")
        label = f"{number(rate, 2)} messages/s{'' if rate * rtt_s < 1 else ', above 1/G'}"
        axes.annotate(label, ((at + 0.04) * step_s, 0.97), xycoords=("data", "axes fraction"), va="top", color=MUTED)
    axes.set(xlabel="due, s", xlim=(0, len(rates) * step_s), ylim=(0, None))
    return drawn
