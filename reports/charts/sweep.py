"""PURE. How each pattern changes with the number of clients, or with the round trip. Only where a run has several."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.ranking import ranking
from reports.scene import Scene
from reports.style import MUTED, figure, label_ends, ms_axis, y_title
from reports.units import quantity

LATENCIES: Final = {"p50_ms": "median latency", "p99_ms": "99 % latency"}
COSTS: Final = {
    "cpu_ms_per_1000": ("server CPU per 1,000 deliveries", "ms"),
    "memory_per_client_bytes": ("server memory per client", "B"),
}


@dataclass(frozen=True, slots=True)
class Sweep:
    """The rows of a scenario in which only `column` varies, and the pattern."""

    column: str
    rows: pd.DataFrame

    @property
    def values(self) -> list[float]:
        return sorted(float(value) for value in self.rows[self.column].unique())


Along = Callable[[Scene], Sweep]


def by_clients(scene: Scene) -> Sweep:
    return Sweep("clients", scene.summary[scene.summary["rtt_ms"] == scene.rtt_ms])


def by_rtt(scene: Scene) -> Sweep:
    return Sweep("rtt_ms", scene.distances)


def is_sweep(scene: Scene, along: Along = by_clients) -> bool:
    """Return whether there are several values; one scene of a scenario shows them for all."""
    return scene.furthest and len(along(scene).values) > 1


def cost_varies_by_rtt(scene: Scene) -> bool:
    """Return whether the round trip makes any pattern measurably cheaper or dearer."""
    patterns = by_rtt(scene).rows.groupby("pattern", observed=True)
    return is_sweep(scene, by_rtt) and any(ranking(rows, name)[1] for _, rows in patterns for name in COSTS)


def latency(scene: Scene, along: Along = by_clients) -> Figure:
    """Median and 99 % latency against what varies."""
    sweep = along(scene)
    canvas = figure(3.3)
    panels = canvas.subplots(1, 2, sharey=True)
    values = sweep.rows[[*LATENCIES]].to_numpy().ravel()
    shown = values[np.isfinite(values) & (values > 0)]
    for axes, (name, title) in zip(panels, LATENCIES.items(), strict=True):
        if along is by_rtt:
            _near_the_floor(axes, sweep, name)
        else:
            ms_axis(axes.yaxis, float(shown.min()) * 0.7, float(shown.max()) * 1.4)
        _lines(axes, scene, sweep, name, title, named=axes is panels[-1])
    return canvas


def _near_the_floor(axes: Axes, sweep: Sweep, name: str) -> None:
    """Show half a round trip, and latencies up to two: that is where distance makes a difference.

    Who is slower is not shown, but named at the edge; somebody always is shown.
    """
    rtts_ms = np.array(sweep.values)
    fastest_ms = sweep.rows.groupby("pattern", observed=True)["p99_ms"].max().min()
    axes.plot(rtts_ms, rtts_ms / 2, color=MUTED, lw=1, ls=":", gid=f"floor-{name}")
    axes.set_ylim(0, float(np.nanmax([2 * rtts_ms[-1], 1.2 * fastest_ms])))
    axes.yaxis.set_major_formatter(lambda value, _at: quantity(value, "ms"))


def cost(scene: Scene, along: Along = by_clients) -> Figure:
    """Server CPU per delivery and memory per client against what varies."""
    sweep = along(scene)
    canvas = figure(3.3)
    panels = canvas.subplots(1, 2)
    for axes, (name, (title, unit)) in zip(panels, COSTS.items(), strict=True):
        _linear(axes, scene, sweep, name, title, unit)
    return canvas


def _linear(axes: Axes, scene: Scene, sweep: Sweep, name: str, title: str, unit: str) -> None:
    highest = float(np.nanmax([0.0, *sweep.rows[name], *sweep.rows[f"{name}_high"]]))
    axes.set_ylim(min(0.0, float(np.nanmin([0.0, *sweep.rows[name]]))), highest * 1.1 or 1.0)
    _lines(axes, scene, sweep, name, title, named=True)
    axes.yaxis.set_major_formatter(lambda value, _at: quantity(value, unit))


def _lines(axes: Axes, scene: Scene, sweep: Sweep, name: str, title: str, *, named: bool) -> None:
    _set_up(axes, sweep)
    y_title(axes, title)
    ends, beyond = {}, {}
    top = axes.get_ylim()[1]
    for pattern, rows in sweep.rows.groupby("pattern", observed=True, sort=False):
        known = rows.sort_values(sweep.column).dropna(subset=[name])
        if not len(known):
            continue
        x, colour = known[sweep.column], scene.look.line(str(pattern))
        low, high = known[f"{name}_low"], known[f"{name}_high"]
        if sweep.column == "rtt_ms":
            axes.vlines(x, low, high, color=colour, lw=1.1, alpha=0.6)
        else:
            axes.fill_between(x, low, high, color=colour, alpha=0.14, lw=0)
        axes.plot(x, known[name], color=colour, marker="o", ms=3.5, gid=f"{name}-{pattern}")
        last = float(known[name].iloc[-1])
        ends[str(pattern)] = (float(x.iloc[-1]), min(last, top))
        if last > top:
            beyond[str(pattern)] = f" {quantity(last, 'ms')} \N{UPWARDS ARROW}"
    if named:
        label_ends(axes, ends, scene.look, beyond)
        return
    for nth, (pattern, note) in enumerate(beyond.items()):
        told = scene.look.labels[pattern] + note
        place: dict[str, Any] = {"ha": "right", "va": "top", "transform": axes.transAxes}
        axes.text(0.97, 0.97 - 0.08 * nth, told, color=scene.look.text(pattern), weight="bold", **place)


def _set_up(axes: Axes, sweep: Sweep) -> None:
    """Counts of clients grow by factors; round trips grow by steps, and there may be none."""
    values = sweep.values
    if sweep.column == "clients":
        axes.set(xscale="log", xlim=(values[0] * 0.9, values[-1] * 1.1), xlabel="clients")
        axes.set_xticks(values, labels=[f"{count:,.0f}" for count in values])
    else:
        margin = 0.05 * (values[-1] - values[0])
        axes.set(xlim=(values[0] - margin, values[-1] + margin), xlabel="round trip between clients and server, ms")
        axes.set_xticks(values, labels=[f"{ms:g}" for ms in values])
    axes.minorticks_off()
