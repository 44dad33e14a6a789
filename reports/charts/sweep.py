"""PURE. How each pattern changes with the number of clients. Only for scenarios that were run with several."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.scene import Scene
from reports.style import figure, label_ends, ms_axis, y_title
from reports.units import quantity


def is_sweep(scene: Scene) -> bool:
    return scene.summary["clients"].nunique() > 1


def latency(scene: Scene) -> Figure:
    """Median and 99 % latency against clients."""
    canvas = figure(3.3)
    median, tail = canvas.subplots(1, 2, sharey=True)
    values = scene.summary[["p50_ms", "p99_ms"]].to_numpy().ravel()
    shown = values[np.isfinite(values) & (values > 0)]
    for axes, name, title in ((median, "p50_ms", "median latency"), (tail, "p99_ms", "99 % latency")):
        ms_axis(axes.yaxis, float(shown.min()) * 0.7, float(shown.max()) * 1.4)
        _lines(axes, scene, name, title, named=name == "p99_ms")
    return canvas


def cost(scene: Scene) -> Figure:
    """Server CPU per delivery and memory per client against clients."""
    canvas = figure(3.3)
    cpu, memory = canvas.subplots(1, 2)
    _linear(cpu, scene, "cpu_ms_per_1000", "server CPU per 1,000 deliveries", "ms", named=False)
    _linear(memory, scene, "memory_per_client_bytes", "server memory per client", "B", named=True)
    return canvas


def _linear(axes: Axes, scene: Scene, name: str, title: str, unit: str, *, named: bool) -> None:
    highest = float(np.nanmax([0.0, *scene.summary[name], *scene.summary[f"{name}_high"]]))
    axes.set_ylim(min(0.0, float(np.nanmin([0.0, *scene.summary[name]]))), highest * 1.1 or 1.0)
    _lines(axes, scene, name, title, named=named)
    axes.yaxis.set_major_formatter(lambda value, _at: quantity(value, unit))


def _lines(axes: Axes, scene: Scene, name: str, title: str, *, named: bool) -> None:
    clients = sorted(scene.summary["clients"].unique())
    axes.set(xscale="log", xlim=(clients[0] * 0.9, clients[-1] * 1.1), xlabel="clients")
    axes.set_xticks(clients, labels=[f"{count:,}" for count in clients])
    axes.minorticks_off()
    y_title(axes, title)
    ends = {}
    for pattern, rows in scene.summary.groupby("pattern", observed=True, sort=False):
        known = rows.sort_values("clients").dropna(subset=[name])
        if not len(known):
            continue
        colour = scene.look.line(str(pattern))
        axes.fill_between(known["clients"], known[f"{name}_low"], known[f"{name}_high"], color=colour, alpha=0.14, lw=0)
        axes.plot(known["clients"], known[name], color=colour, marker="o", ms=3.5, gid=f"{name}-{pattern}")
        ends[str(pattern)] = (float(known["clients"].iloc[-1]), float(known[name].iloc[-1]))
    if named:
        label_ends(axes, ends, scene.look)
