"""PURE. The decision map: fields of one colour a pattern, hatched where the intervals leave the answer open."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reports.advice.decision_map import NONE_MEETS, UNKNOWN, DecisionMap
from reports.charts.style import GRID, INK, MUTED, PAPER, WIDTH_IN, Look, figure, is_narrow, width_in

SMALLEST: Final = 0.02
"""Share of the map below which a field has no name on it."""
WIDE: Final = 0.17
"""Share of the map's width from which a field holds a name that lies, more on a phone."""
EMPTY: Final = {NONE_MEETS: ("no pattern meets the goals", PAPER), UNKNOWN: ("beyond what was measured", GRID)}


def decision(found: DecisionMap) -> Figure:
    """Draw a map, with the point that was asked about."""
    look = Look.of(found.labels)
    canvas = figure(4.6)
    axes = canvas.subplots()
    axes.set(xscale="log", yscale="log", xlabel="messages a second", ylabel="clients")
    axes.grid(visible=False)
    best = np.array(found.best)
    names = [name for name in (*found.labels, *EMPTY) if (best == name).any()]
    colours = [EMPTY[name][1] if name in EMPTY else look.line(name) for name in names]
    numbers = np.vectorize(names.index)(best)
    x, y = _edges(found.rates), _edges(found.clients)
    axes.pcolormesh(x, y, numbers, cmap=ListedColormap(colours), vmin=-0.5, vmax=len(names) - 0.5, alpha=0.45, lw=0)
    _hatch(axes, x, y, np.array(found.open))
    for name in names:
        for at_x, at_y, tall in _middles(best == name):
            text = EMPTY[name][0] if name in EMPTY else found.labels[name]
            colour = MUTED if name in EMPTY else look.text(name)
            place = float(found.rates[at_x]), float(found.clients[at_y])
            axes.text(
                *place,
                text,
                ha="center",
                va="center",
                color=colour,
                weight="bold",
                rotation=90 if tall else 0,
                gid=f"field-{name or 'none'}",
            )
    asked = found.question
    axes.plot([asked.rate_per_s], [asked.clients], marker="o", ms=8, mfc=PAPER, mec=INK, mew=1.6, gid="asked")
    axes.annotate("you", (asked.rate_per_s, asked.clients), (8, 6), textcoords="offset points", weight="bold")
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _at: f"{value:,g}")
    axes.minorticks_off()
    goals = " and ".join(goal.text for goal in asked.goals)
    title = f"cheapest pattern with {goals};{chr(10) if is_narrow() else ' '}hatched: intervals leave it open"
    axes.set_title(title, color=MUTED, weight="normal")
    return canvas


def _edges(middles: object) -> NDArray[np.float64]:
    """Return the borders of cells whose middles these are, on a logarithmic axis."""
    logs = np.log(np.asarray(middles, float))
    step = logs[1] - logs[0]
    edges: NDArray[np.float64] = np.exp(np.append(logs - step / 2, logs[-1] + step / 2))
    return edges


def _hatch(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], where: NDArray[np.bool_]) -> None:
    """Hatch cells, neighbours of a line together."""
    for line, cells in enumerate(where):
        for start, end in _runs(cells):
            box = x[start], x[end], x[end], x[start]
            heights = y[line], y[line], y[line + 1], y[line + 1]
            axes.fill(box, heights, fill=False, hatch="/////", edgecolor=PAPER, lw=0, gid=f"open-{line}-{start}")


def _runs(cells: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], cells, [False]]).astype(int)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _middles(field: NDArray[np.bool_]) -> Iterator[tuple[int, int, bool]]:
    """Return for each connected part of a field, large enough for a name, the cell deepest inside, and whether the
    name must stand upright to have room there.
    """
    from scipy import ndimage  # every notebook imports this file, and few draw a map

    parts, count = ndimage.label(field)
    for part in range(1, count + 1):
        inside = parts == part
        if inside.mean() >= SMALLEST:
            depth = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
            line, column = np.unravel_index(int(depth.argmax()), depth.shape)
            wide = WIDE * WIDTH_IN / width_in()
            tall = bool(depth.max() * 2 < wide * field.shape[1])
            yield int(column), int(np.median(np.flatnonzero(inside[:, column]))) if tall else int(line), tall
