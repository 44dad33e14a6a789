"""PURE. Latency taken apart: whose time it was, and how a message reaches one client after the other."""

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.breakdown import PARTS
from reports.charts.cost import BAR, panels
from reports.scene import Scene
from reports.style import INK, MUTED, figure, label_ends, ms_axis, y_title
from reports.units import NONE, percent, quantity

OVER: Final = {"mean": "of an average delivery", "tail": "of the slowest 1 %"}


def is_known(scene: Scene) -> bool:
    return bool(scene.rows["wait_mean_ms"].notna().any())


def is_broadcast(scene: Scene) -> bool:
    return scene.clients > 1


def whose(scene: Scene) -> Figure:
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
        looks = ({"color": line, "alpha": 0.35}, {"color": line}, {"color": MUTED})
        begins = np.cumsum(shares) - shares
        for part, begin, share, look in zip(PARTS, begins, shares, looks, strict=True):
            axes.barh(at, share, BAR, begin, gid=f"{part}-{over}-{pattern}", **look)
        told = f"{quantity(float(total_ms), 'ms')}, ours {percent(float(shares[-1]))}"
        axes.annotate(told, (1, at), (5, 0), textcoords="offset points", va="center", color=INK)
    axes.set_xlim(0, 1.5)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="x", bottom=False, labelbottom=False)


def fan_out(scene: Scene) -> Figure:
    """Latency of the first, the second, ... client that a message reached; pale: how long it waited for our loop."""
    canvas = figure(3.7)
    axes = canvas.add_subplot()
    ranks = {pattern: table for pattern, table in scene.fan_out.items() if len(table)}
    values = np.concatenate([table.to_numpy().ravel() for table in ranks.values()])
    shown = values[np.isfinite(values) & (values > 0)]
    ms_axis(axes.yaxis, float(shown.min()) * 0.8, float(shown.max()) * 1.25)
    ends = {}
    for pattern, table in ranks.items():
        place, colour = table.index.to_numpy() + 1, scene.look.line(pattern)
        axes.fill_between(place, table["kernel_ms"], table["latency_ms"], color=colour, alpha=0.2, lw=0)
        axes.plot(place, table["latency_ms"], color=colour, gid=f"fan-out-{pattern}")
        ends[pattern] = (float(place[-1]), float(table["latency_ms"].iloc[-1]))
    axes.set(xlim=(1, scene.clients), xlabel="clients of a message, in the order in which it reached them")
    y_title(axes, "delivery latency, median over messages")
    label_ends(axes, ends, scene.look)
    return canvas
