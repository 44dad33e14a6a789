"""PURE. What the deliveries cost: requests, bytes, CPU, memory. One bar a pattern; a hair shows the repeats' range."""

from collections.abc import Callable
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.basics.records import records
from reports.basics.units import NONE, number, percent, quantity
from reports.charts.chart_data import Scene
from reports.charts.mark import marked
from reports.charts.style import INK, MUTED, beside, figure, write_beside

BAR: Final = 0.5


@marked
def requests(scene: Scene) -> Figure:
    """How often a client asks for each message it gets, and how often for nothing."""
    canvas, (often, empty) = panels(scene, 2)
    _bars(often, scene, "requests_per_delivery", lambda value: number(value, 2), "completed requests per delivery")
    _bars(empty, scene, "empty_ratio", percent, "empty responses")
    empty.set_xlim(0, max(empty.get_xlim()[1], 0.05))
    return canvas


@marked
def traffic(scene: Scene) -> Figure:
    """Bytes per delivery: the message with its own framing, and what is spent around it."""
    canvas, (axes,) = panels(scene, 1)
    rows = scene.rows
    _bars(
        axes,
        scene,
        "http_bytes_per_delivery",
        lambda value: quantity(value, "B"),
        "bytes per delivery, both ways",
        "wire_bytes_per_delivery",
    )
    payload = rows["payload_bytes_per_delivery"].to_numpy()
    for bar, part in zip(list(axes.patches), payload, strict=True):
        if np.isfinite(part):
            height, width = bar.get_height(), min(float(part), bar.get_width())  # type: ignore[attr-defined]
            axes.barh(bar.get_y() + height / 2, width, height, color=bar.get_facecolor())  # type: ignore[attr-defined]
            bar.set_alpha(0.35)
    for at, wire in enumerate(rows["wire_bytes_per_delivery"]):
        axes.plot([wire, wire], [at - BAR / 2 - 0.06, at + BAR / 2 + 0.06], color=INK, lw=1.1, gid=f"wire-{at}")
    return canvas


@marked
def server(scene: Scene) -> Figure:
    """What the server spends: CPU for each delivery, memory for each client."""
    canvas, (cpu, memory) = panels(scene, 2)
    _bars(cpu, scene, "cpu_ms_per_1000", lambda value: quantity(value, "ms"), "server CPU per 1,000 deliveries")
    _bars(memory, scene, "memory_per_client_bytes", lambda value: quantity(value, "B"), "server memory per client")
    return canvas


def panels(scene: Scene, count: int) -> tuple[Figure, list[Axes]]:
    """Return a figure of panels beside each other that share one line for each pattern, the first on top."""
    rows, columns = beside(count, count)
    canvas = figure((0.55 + 0.31 * len(scene.patterns)) * rows)
    panels = list(canvas.subplots(rows, columns, sharey=True, squeeze=False).ravel())
    names = [scene.look.labels[pattern] for pattern in scene.patterns]
    panels[0].set_yticks(range(len(names)), labels=names)
    for panel in panels[::columns]:
        for tick, pattern in zip(panel.get_yticklabels(), scene.patterns, strict=True):
            tick.set(color=scene.look.text(pattern), weight="bold", size=8.5)
    panels[0].invert_yaxis()
    return canvas, panels


def _bars(
    axes: Axes, scene: Scene, name: str, write: Callable[[float], str], title: str, beside: str | None = None
) -> None:
    """Draw one bar a pattern from zero, its value beside it, and a hair over its interval.

    beside: another column that the written value must stay clear of.
    """
    rows = scene.rows
    colours = [scene.look.line(pattern) for pattern in scene.patterns]
    values = rows[name].to_numpy(float)
    axes.barh(range(len(values)), np.nan_to_num(values), BAR, color=colours)
    highest = float(np.nanmax([*values, *rows[f"{name}_high"], *(rows[beside] if beside else ()), 0.0]))
    for at, row in enumerate(records(rows)):
        value, low, high = (row[f"{name}{edge}"] for edge in ("", "_low", "_high"))
        if high - low > 0.01 * highest:
            axes.plot([low, high], [at, at], color=INK, lw=1.1, solid_capstyle="butt")
        end = np.nanmax([0.0, value, high, row[beside] if beside else np.nan])
        text = write(value) if np.isfinite(value) else NONE
        write_beside(axes, text, (float(end), at), (5, 0), va="center", color=INK)
    axes.set_title(title, color=MUTED, weight="normal", size=8.5)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.set_xlim(min(0.0, float(np.nanmin([*values, 0.0]))), highest * 1.22 or 1.0)
