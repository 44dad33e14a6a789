"""PURE. How each pattern changes with the number of clients or with the round trip, where a run has several."""

from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.scene import Scene
from reports.style import figure, label_ends, ms_axis, y_title
from reports.units import quantity


@dataclass(frozen=True, slots=True)
class Along:
    """What a sweep goes along: a column of the summary, its name in ids, how its axis is called, and its scale.

    held: how the other dimension's value is announced, with its unit.
    """

    column: str
    other: str
    slug: str
    title: str
    held: str
    scale: Literal["log", "linear"]

    def rows(self, scene: Scene) -> pd.DataFrame:
        """The summary with the other dimension held where the scene is."""
        rows: pd.DataFrame = scene.summary[scene.summary[self.other] == getattr(scene, self.other)]
        return rows

    def is_swept(self, scene: Scene) -> bool:
        return self.rows(scene)[self.column].nunique() > 1


CLIENTS: Final = Along("clients", "rtt_ms", "clients", "clients", "ms round trip", "log")
ROUND_TRIP: Final = Along("rtt_ms", "clients", "round-trip", "round trip (ms)", "clients", "linear")


def latency(scene: Scene, along: Along) -> Figure:
    """Median and 99 % latency against clients or round trip."""
    canvas = figure(3.3)
    median, tail = canvas.subplots(1, 2, sharey=True)
    values = along.rows(scene)[["p50_ms", "p99_ms"]].to_numpy().ravel()
    shown = values[np.isfinite(values) & (values > 0)]
    for axes, name, title in ((median, "p50_ms", "median latency"), (tail, "p99_ms", "99 % latency")):
        ms_axis(axes.yaxis, float(shown.min()) * 0.7, float(shown.max()) * 1.4)
        _lines(axes, scene, along, name, title, named=name == "p99_ms")
    return canvas


def cost(scene: Scene, along: Along) -> Figure:
    """Server CPU per delivery and memory per client against clients or round trip."""
    canvas = figure(3.3)
    cpu, memory = canvas.subplots(1, 2)
    _linear(cpu, scene, along, "cpu_ms_per_1000", "server CPU per 1,000 deliveries", "ms", named=False)
    _linear(memory, scene, along, "memory_per_client_bytes", "server memory per client", "B", named=True)
    return canvas


latency_by_clients = partial(latency, along=CLIENTS)
cost_by_clients = partial(cost, along=CLIENTS)
latency_by_round_trip = partial(latency, along=ROUND_TRIP)
cost_by_round_trip = partial(cost, along=ROUND_TRIP)


def _linear(axes: Axes, scene: Scene, along: Along, name: str, title: str, unit: str, *, named: bool) -> None:
    rows = along.rows(scene)
    highest = float(np.nanmax([0.0, *rows[name], *rows[f"{name}_high"]]))
    axes.set_ylim(min(0.0, float(np.nanmin([0.0, *rows[name]]))), highest * 1.1 or 1.0)
    _lines(axes, scene, along, name, title, named=named)
    axes.yaxis.set_major_formatter(lambda value, _at: quantity(value, unit))


def _lines(axes: Axes, scene: Scene, along: Along, name: str, title: str, *, named: bool) -> None:
    rows = along.rows(scene)
    steps = sorted(rows[along.column].unique())
    reach = (steps[0] * 0.9, steps[-1] * 1.1) if along.scale == "log" else (steps[0], steps[-1] * 1.02)
    axes.set(xscale=along.scale, xlim=reach, xlabel=along.title)
    axes.set_xticks(steps, labels=[f"{step:,g}" for step in steps])
    axes.minorticks_off()
    y_title(axes, title)
    ends = {}
    for pattern, own in rows.groupby("pattern", observed=True, sort=False):
        known = own.sort_values(along.column).dropna(subset=[name])
        if not len(known):
            continue
        colour, at = scene.look.line(str(pattern)), known[along.column]
        axes.fill_between(at, known[f"{name}_low"], known[f"{name}_high"], color=colour, alpha=0.14, lw=0)
        axes.plot(at, known[name], color=colour, marker="o", ms=3.5, gid=f"{name}-{pattern}")
        ends[str(pattern)] = (float(at.iloc[-1]), float(known[name].iloc[-1]))
    if named:
        label_ends(axes, ends, scene.look)
