"""PURE. The parts of latency, and how a message reaches one client after the other."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.basics.records import records
from reports.basics.units import NONE, percent, quantity
from reports.charts.chart_data import Scene
from reports.charts.cost import panels
from reports.charts.mark import marked
from reports.charts.style import INK, MUTED, beside, figure, is_narrow, ms_axis, width_in, write_beside
from reports.measures.latency_parts import PARTS

ONE_SCALE: Final = 10
"""Patterns whose last clients are further apart than this cannot be drawn on one scale."""
SLICES: Final = 60
"""Of the places in a broadcast; what is known of few deliveries is drawn no finer."""
OVER: Final = {"mean": "of an average delivery", "tail": "of the slowest 1 %"}
LOOKS: Final[dict[str, dict[str, Any]]] = {
    "lateness": {"marker": "o", "ms": 6, "mfc": "none", "mew": 1.2},
    "network": {"marker": "o", "ms": 6},
    "wait": {"marker": "s", "ms": 5, "color": MUTED},
}
"""Of PARTS: the publisher's a ring, the server's and network's a dot, our own a grey square."""
ROOM_IN: Final = 1.5
"""What is written behind a mark takes about as much of the axis."""


def is_known(scene: Scene) -> bool:
    return bool(scene.rows["wait_mean_ms"].notna().any())


def is_broadcast(scene: Scene) -> bool:
    return scene.clients > 1 and bool(scene.fan_out)


@marked
def parts(scene: Scene) -> Figure:
    """Parts of the latency, each a mark on one logarithmic scale: 1 ms and 500 ms do not look alike."""
    canvas, axes = panels(scene, len(OVER))
    for panel, (over, title) in zip(axes, OVER.items(), strict=True):
        _parts(panel, scene, over)
        panel.set_title(title, color=MUTED, weight="normal", size=8.5)
    return canvas


def _parts(axes: Axes, scene: Scene, over: str) -> None:
    table = np.array([[row[f"{part}_{over}_ms"] for part in PARTS] for row in records(scene.rows)], float)
    shown = table[np.isfinite(table) & (table > 0)]
    lowest, highest = (float(shown.min()), float(shown.max())) if len(shown) else (0.1, 1.0)
    panel_in = width_in() / beside(len(OVER), len(OVER))[1] - 1.3
    ms_axis(axes.xaxis, lowest / 2, highest * (2 * highest / lowest) ** (ROOM_IN / (panel_in - ROOM_IN)))
    axes.set_ylim(len(table) - 0.4, -0.6)
    ticks = [tick for tick in axes.get_xticks() if tick <= 2 * highest][:: 2 if is_narrow() else 1]
    axes.set_xticks(ticks, labels=[quantity(tick, "ms", 1) for tick in ticks])
    for at, (pattern, parts_ms) in enumerate(zip(scene.patterns, table, strict=True)):
        total_ms = parts_ms.sum()
        if not np.isfinite(total_ms):
            axes.annotate(NONE, (lowest, at), va="center", color=INK)
            continue
        line = scene.look.line(pattern)
        for (part, look), part_ms in zip(LOOKS.items(), parts_ms, strict=True):
            if part_ms > 0:
                axes.plot(part_ms, at, ls="", gid=f"{part}-{over}-{pattern}", **{"color": line} | look)
        told = f"{quantity(float(total_ms), 'ms')}, ours {percent(float(parts_ms[-1] / total_ms))}"
        write_beside(axes, told, (float(parts_ms.max()), at), (8, 0), va="center", color=INK)
    axes.grid(visible=False, axis="y")


@marked
def fan_out(scene: Scene) -> Figure:
    """Latency of the first, the second, ... client that a message reached. Grey: the part that is our own loop's."""
    rows, columns = beside(len(scene.fan_out), 3, 2)
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
