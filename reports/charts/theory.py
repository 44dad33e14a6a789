"""PURE. What was measured, and over it what theory says: a panel each, as only the two lines of a panel compare."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reports.basics.units import quantity
from reports.charts.chart_data import LEVELS, Scene
from reports.charts.mark import marked
from reports.charts.style import INK, beside, figure
from reports.theory.oracles import Floats

SHOWN = 0.995
"""Level up to which a panel shows its lines: the very slowest would take all the room."""


@marked
def theory(scene: Scene) -> Figure:
    """Share of messages delivered within a time. Line: median of the repeats; dashed: theory for the same messages."""
    rows, columns = beside(len(scene.curves), 3, 2)
    canvas = figure(0.35 + 1.75 * rows)
    panels = canvas.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    named = False
    for axes, (pattern, expected) in zip(panels, scene.expected.items(), strict=False):
        measured = scene.curves[pattern]["mid"].dropna()
        axes.plot(measured, measured.index, color=scene.look.line(pattern), gid=f"measured-{pattern}")
        if expected is not None:
            axes.plot(expected, LEVELS, color=INK, lw=1.0, ls=(0, (3, 2)), gid=f"theory-{pattern}")
        _scale(axes, measured[:SHOWN].to_numpy(), expected)
        axes.set_title(scene.look.labels[pattern], color=scene.look.text(pattern))
        if expected is not None and not named:
            named = True
            _name(axes, measured.index.to_numpy(), measured.to_numpy(), 0.72, "measured", scene.look.text(pattern))
            _name(axes, LEVELS, expected, 0.4, "theory", INK)
    for axes in panels[len(scene.curves) :]:
        axes.set_axis_off()
    return canvas


def _scale(axes: Axes, measured: Floats, expected: Floats | None) -> None:
    """From no time at all to where both lines have nearly ended."""
    ends = [measured.max(initial=0.0), 0.0 if expected is None else expected[LEVELS <= SHOWN][-1]]
    axes.set(xlim=(0, max(*ends, 1e-3) * 1.08), ylim=(0, 1.02))
    axes.set_yticks([0, 0.5, 1], labels=["0 %", "50 %", "100 %"])
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ms, _at: quantity(ms, "ms", 2)))


def _name(axes: Axes, levels: Floats, line: Floats, level: float, text: str, colour: str) -> None:
    """Write a line's name beside it, where there is room."""
    at = float(np.interp(level, levels, line))
    left = at > 0.6 * axes.get_xlim()[1]
    axes.annotate(
        text,
        (at, level),
        (-14 if left else 14, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        color=colour,
        arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "shrinkA": 1, "shrinkB": 0},
    )
