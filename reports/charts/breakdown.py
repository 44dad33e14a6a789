"""PURE. The parts of latency, and how a message reaches one client after the other."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.basics.units import NONE, percent, quantity
from reports.charts.chart_data import Scene
from reports.charts.cost import BAR, panels
from reports.charts.mark import marked
from reports.charts.style import INK, MUTED, figure
from reports.measures.latency_parts import PARTS

ONE_SCALE: Final = 10
"""Patterns whose last clients are further apart than this cannot be drawn on one scale."""
SLICES: Final = 60
"""Of the places in a broadcast; what is known of few deliveries is drawn no finer."""
OVER: Final = {"mean": "of an average delivery", "tail": "of the slowest 1 %"}


def is_known(scene: Scene) -> bool:
    return bool(scene.rows["wait_mean_ms"].notna().any())


def is_broadcast(scene: Scene) -> bool:
    return scene.clients > 1 and bool(scene.fan_out)


@marked
def parts(scene: Scene) -> Figure:
    """Shares of the latency: the publisher's, the server's and the network's, our own loop's."""
    canvas, axes = panels(scene, len(OVER))
    for panel, (over, title) in zip(axes, OVER.items(), strict=True):
        _shares(panel, scene, over)
        panel.set_title(title, color=MUTED, weight="normal", size=8.5)
    return canvas


def _shares(axes: Axes, scene: Scene, over: str) -> None:
    for at, (pattern, row) in enumerate(zip(scene.patterns, scene.rows.to_dict("records"), strict=True)):
        parts_ms = np.array([row[f"{part}_{over}_ms"] for part in PARTS])
        total_ms = parts_ms.sum()
        if not np.isfinite(total_ms):
            axes.annotate(NONE, (0, at), (5, 0), textcoords="offset points", va="center", color=INK)
            continue
        shares = parts_ms / total_ms
        line = scene.look.line(pattern)
        looks = ((line, 0.35), (line, 1.0), (MUTED, 0.5))
        begins = np.cumsum(shares) - shares
        for part, begin, share, (colour, alpha) in zip(PARTS, begins, shares, looks, strict=True):
            axes.barh(at, share, BAR, begin, color=colour, alpha=alpha, gid=f"{part}-{over}-{pattern}")
        told = f"{quantity(float(total_ms), 'ms')}, ours {percent(float(shares[-1]))}"
        axes.annotate(told, (1, at), (5, 0), textcoords="offset points", va="center", color=INK)
    axes.set_xlim(0, 1.5)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="x", bottom=False, labelbottom=False)


@marked
def fan_out(scene: Scene) -> Figure:
    """Latency of the first, the second, ... client that a message reached. Grey: the part that is our own loop's."""
    columns = 3
    rows = max(1, -(-len(scene.fan_out) // columns))
    canvas = figure(0.5 + 1.55 * rows)
    all_panels = canvas.subplots(rows, columns, sharex=True, squeeze=False)
    slowest = {pattern: float(table["latency_ms"].max()) for pattern, table in scene.fan_out.items()}
    alike = [last for last in slowest.values() if last <= ONE_SCALE * min(slowest.values())]
    for axes, (pattern, table) in zip(all_panels.ravel(), scene.fan_out.items(), strict=False):
        apart = slowest[pattern] not in alike
        _drain(axes, scene, pattern, table)
        axes.set(xlim=(1, scene.clients), ylim=(0, 1.08 * (slowest[pattern] if apart else max(alike))))
        axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(lambda value, _at: quantity(value, "ms", 1))
        note = " (own scale)" if apart else ""
        axes.set_title(scene.look.labels[pattern] + note, color=scene.look.text(pattern))
    for axes in all_panels.ravel()[len(slowest) :]:
        axes.set_axis_off()
    canvas.supxlabel("clients of a message, in the order in which it reached them", size=8.5, color=MUTED)
    return canvas


def _drain(axes: Axes, scene: Scene, pattern: str, table: pd.DataFrame) -> None:
    place, colour = table.index.to_numpy() + 1, scene.look.line(pattern)
    latency_ms = table["latency_ms"].to_numpy()
    # Where few reads had a stamp, a place has only a few of them: its neighbours steady it.
    steadied = table["kernel_ms"].rolling(1 + 2 * (len(table) // SLICES), center=True, min_periods=1).median()
    kernel_ms = np.minimum(steadied.to_numpy(), latency_ms)
    axes.fill_between(place, 0, kernel_ms, color=colour, alpha=0.14, lw=0)
    axes.fill_between(place, kernel_ms, latency_ms, color=MUTED, alpha=0.35, lw=0)
    axes.plot(place, latency_ms, color=colour, gid=f"fan-out-{pattern}")
