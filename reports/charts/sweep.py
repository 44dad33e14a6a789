"""PURE. How each pattern changes with the number of clients, the round trip or the message rate: sweeps."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.scenario.dimensions import CLIENTS, RTT, Dimension
from reports.basics.units import quantity
from reports.charts.chart_data import Scene
from reports.charts.mark import marked
from reports.charts.style import INK, MUTED, beside, figure, is_narrow, label_ends, ms_axis, y_title
from reports.measures.crossovers import crossovers, on_log
from reports.measures.ranking import ranking

Panels = Mapping[str, tuple[str, str]]
"""Measure -> title of its panel, and unit."""
LATENCIES: Final = {"p50_ms": ("median latency", "ms"), "p99_ms": ("99 % latency", "ms")}
COSTS: Final = {
    "cpu_ms_per_1000": ("server CPU per 1,000 deliveries", "ms"),
    "memory_per_client_bytes": ("server memory per client", "B"),
}
COSTS_OF_A_DELIVERY: Final = {
    "cpu_ms_per_1000": ("server CPU per 1,000 deliveries", "ms"),
    "http_bytes_per_delivery": ("bytes per delivery", "B"),
}
REQUESTS: Final = {
    "requests_per_delivery": ("requests per delivery", ""),
    "empty_ratio": ("empty responses", "%"),
}


def is_sweep(scene: Scene, along: Dimension = CLIENTS) -> bool:
    """Return whether there are several values; one scene of a scenario shows them for all."""
    return scene.furthest and len(_values(scene.along(along), along)) > 1


def varies(scene: Scene, along: Dimension, panels: Panels = COSTS) -> bool:
    """Return whether what varies makes any pattern measurably cheaper or dearer."""
    patterns = scene.along(along).groupby("pattern", observed=True)
    return is_sweep(scene, along) and any(ranking(rows, name)[1] for _, rows in patterns for name in panels)


@marked
def latency(scene: Scene, along: Dimension = CLIENTS) -> Figure:
    """Median and 99 % latency against what varies."""
    rows = scene.along(along)
    canvas, panels = _panels(len(LATENCIES), sharey=True)
    values = rows[[*LATENCIES]].to_numpy().ravel()
    shown = values[np.isfinite(values) & (values > 0)]
    for axes, (name, (title, unit)) in zip(panels, LATENCIES.items(), strict=True):
        if on_log(along, name):
            ms_axis(axes.yaxis, float(shown.min()) * 0.7, float(shown.max()) * 1.4)
        else:
            _near_the_floor(axes, rows, name)
        _lines(axes, scene, along, name, title, unit, named=is_narrow() or axes is panels[-1])
    return canvas


def _near_the_floor(axes: Axes, rows: pd.DataFrame, name: str) -> None:
    """Show half a round trip, and latencies up to two: that is where distance makes a difference.

    Slower patterns are not shown, but named at the edge; one pattern is always shown.
    """
    rtts_ms = np.array(_values(rows, RTT))
    fastest_ms = rows.groupby("pattern", observed=True)["p99_ms"].max().min()
    axes.plot(rtts_ms, rtts_ms / 2, color=MUTED, lw=1, ls=":", gid=f"floor-{name}")
    axes.set_ylim(0, float(np.nanmax([2 * rtts_ms[-1], 1.2 * fastest_ms])))
    axes.yaxis.set_major_formatter(lambda value, _at: quantity(value, "ms"))


@marked
def linear(scene: Scene, along: Dimension = CLIENTS, shown: Panels = COSTS) -> Figure:
    """Measures against what varies, from 0 on: what twice as high is costs twice as much."""
    rows = scene.along(along)
    canvas, panels = _panels(len(shown))
    for axes, (name, (title, unit)) in zip(panels, shown.items(), strict=True):
        highest = float(np.nanmax([0.0, *rows[name], *rows[f"{name}_high"]]))
        axes.set_ylim(min(0.0, float(np.nanmin([0.0, *rows[name]]))), highest * 1.1 or 1.0)
        axes.yaxis.set_major_formatter(partial(_tick, unit))
        _lines(axes, scene, along, name, title, unit, named=True)
    return canvas


def _tick(unit: str, value: float, _at: int) -> str:
    return quantity(value, unit)


def _panels(count: int, *, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    rows, columns = beside(count, count)
    canvas = figure(3.3 * rows)
    return canvas, list(canvas.subplots(rows, columns, sharey=sharey, squeeze=False).ravel())


def _lines(axes: Axes, scene: Scene, along: Dimension, name: str, title: str, unit: str, *, named: bool) -> None:
    rows = scene.along(along)
    _set_up(axes, along, _values(rows, along))
    y_title(axes, title)
    ends, beyond = {}, {}
    top = axes.get_ylim()[1]
    for pattern, own in rows.groupby("pattern", observed=True, sort=False):
        known = own.sort_values(along.column).dropna(subset=[name])
        if not len(known):
            continue
        x, colour = known[along.column], scene.look.line(str(pattern))
        low, high = interval(known, name)
        if along.by_factors:
            axes.fill_between(x, low, high, color=colour, alpha=0.14, lw=0)
        else:
            axes.vlines(x, low, high, color=colour, lw=1.1, alpha=0.6)
        axes.plot(x, known[name], color=colour, marker="o", ms=3.5, gid=f"{name}-{pattern}")
        last = float(known[name].iloc[-1])
        ends[str(pattern)] = (float(x.iloc[-1]), min(last, top))
        if last > top:
            beyond[str(pattern)] = f" {quantity(last, unit)} \N{UPWARDS ARROW}"
    found = crossovers(rows, along, name)
    rings: dict[str, Any] = {"marker": "o", "ms": 7, "mfc": "none", "mec": INK, "mew": 0.9, "ls": ""}
    axes.plot([each.at for each in found], [each.value for each in found], **rings, gid=f"crossovers-{name}")
    if named:
        label_ends(axes, ends, scene.look, beyond)
        return
    for nth, (pattern, note) in enumerate(beyond.items()):
        told = scene.look.labels[pattern] + note
        place: dict[str, Any] = {"ha": "right", "va": "top", "transform": axes.transAxes}
        axes.text(0.97, 0.97 - 0.08 * nth, told, color=scene.look.text(pattern), weight="bold", **place)


def interval(rows: pd.DataFrame, name: str) -> "tuple[pd.Series[float], pd.Series[float]]":
    """Return between what a measure lies. A single repeat knows nothing of chance, but of its instrument."""
    low, high, floor = rows[f"{name}_low"], rows[f"{name}_high"], rows.get(f"{name}_floor")
    return (low, high) if floor is None else (low.fillna(floor), high.fillna(rows[name]))


def _set_up(axes: Axes, along: Dimension, values: list[float]) -> None:
    """What grows by factors stands on a logarithmic axis; round trips grow by steps, and there may be none."""
    if along.by_factors:
        axes.set(xscale="log", xlim=(values[0] * 0.9, values[-1] * 1.1))
    else:
        margin = 0.05 * (values[-1] - values[0])
        axes.set(xlim=(values[0] - margin, values[-1] + margin))
    axes.set_xlabel(along.axis)
    axes.set_xticks(values, labels=[f"{value:,g}" for value in values])
    axes.minorticks_off()


def _values(rows: pd.DataFrame, along: Dimension) -> list[float]:
    return sorted(float(value) for value in rows[along.column].unique())
