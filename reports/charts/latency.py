"""PURE. How long messages took: as a distribution, as a spectrum of percentiles, and over time."""

from collections.abc import Callable
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from reports.charts.chart_data import DOTS, LEVELS, Scene
from reports.charts.mark import marked
from reports.charts.style import (
    MUTED,
    beside,
    figure,
    is_narrow,
    label_ends,
    ms_axis,
    spread,
    width_in,
    y_title,
)

SPECTRUM: Final = (0.5, 0.9, 0.99, 0.999, 0.9999)
NAME_IN: Final = 1.6
"""About what the longest label takes."""


@marked
def ecdf(scene: Scene) -> Figure:
    """Share of messages delivered within a time. Line: median of the repeats; band: their range."""
    canvas = figure(3.7)
    axes = canvas.add_subplot()
    lowest, highest = _reach(scene)
    ms_axis(axes.xaxis, lowest / 2, highest)  # room for names on the left
    axes.set(ylim=(0, 1.02), xlabel="delivery latency, due to received")
    y_title(axes, "share of messages delivered within")
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], labels=["0 %", "25 %", "50 %", "75 %", "100 %"])
    for pattern, curve in scene.curves.items():
        known = curve.dropna()
        axes.fill_betweenx(known.index, known["low"], known["high"], color=scene.look.line(pattern), alpha=0.14, lw=0)
        axes.plot(known["mid"], known.index, color=scene.look.line(pattern), gid=f"ecdf-{pattern}")
    _label_risers(axes, scene)
    return canvas


def _label_risers(axes: Axes, scene: Scene) -> None:
    """Name each rising curve: of those that rise together the left ones above left, the others below right."""
    to_axes = axes.transData + axes.transAxes.inverted()

    def at(pattern: str, level: float, edge: str = "mid") -> float:
        """Return how far right a curve is at a level, in parts of the axes."""
        curve = scene.curves[pattern][edge].ffill()
        return float(to_axes.transform((np.interp(level, curve.index, curve), level))[0])

    name_width = NAME_IN / width_in()
    for together in _bundles(scene, at, name_width):
        room = at(together[0], 0.5) > name_width
        half = len(together) // 2 if at(together[-1], 0.5) < 1 - name_width else len(together)
        half = half if room else 0
        for group, left, centre in ((together[:half], True, 0.65), (together[half:], False, 0.35)):
            alone = 0.5 if len(together) == 1 else centre
            for pattern, level in zip(group, spread([alone] * len(group), 0.085), strict=True):
                ends = [at(other, level, "low" if left else "high") for other in together]
                edge = min(ends) - 0.02 if left else max(ends) + 0.02
                axes.annotate(
                    scene.look.labels[pattern],
                    (float(np.interp(level, LEVELS, scene.curves[pattern]["mid"].ffill())), level),
                    (edge, float(to_axes.transform((1, level))[1])),
                    textcoords="axes fraction",
                    ha="right" if left else "left",
                    va="center",
                    weight="bold",
                    color=scene.look.text(pattern),
                    arrowprops={
                        "arrowstyle": "-",
                        "color": scene.look.line(pattern),
                        "lw": 0.8,
                        "shrinkA": 1,
                        "relpos": (1 if left else 0, 0.5),
                    },
                )


def _bundles(scene: Scene, at: Callable[[str, float], float], name_width: float) -> list[list[str]]:
    """Patterns from left to right, those whose medians are close to each other in one bundle."""
    bundles: list[list[str]] = []
    for pattern in sorted(scene.curves, key=lambda name: at(name, 0.5)):
        if bundles and at(pattern, 0.5) - at(bundles[-1][-1], 0.5) < name_width / 2:
            bundles[-1].append(pattern)
        else:
            bundles.append([pattern])
    return bundles


@marked
def spectrum(scene: Scene) -> Figure:
    """Latency at ever higher percentiles, as HdrHistogram draws it: the further right, the rarer."""
    canvas = figure(3.7)
    axes = canvas.add_subplot()
    ms_axis(axes.yaxis, *_reach(scene, from_level=SPECTRUM[0]))
    ends = {}
    for pattern, curve in scene.curves.items():
        known = curve[(curve.index >= SPECTRUM[0]) & (curve.index < 1)].dropna()
        if not len(known):
            continue  # a message or none has no median
        rarity = 1 / (1 - known.index.to_numpy())
        axes.fill_between(rarity, known["low"], known["high"], color=scene.look.line(pattern), alpha=0.14, lw=0)
        axes.plot(rarity, known["mid"], color=scene.look.line(pattern), gid=f"spectrum-{pattern}")
        ends[pattern] = (float(rarity[-1]), float(known["mid"].iloc[-1]))
    furthest = max((2.5, *(x for x, _ in ends.values())))
    axes.set(
        xscale="log", xlim=(1 / (1 - SPECTRUM[0]), furthest), xlabel="share of messages that were at least this fast"
    )
    shown = [level for level in SPECTRUM if 1 / (1 - level) <= furthest * 1.01]
    axes.set_xticks([1 / (1 - level) for level in shown], labels=[f"{100 * level:.4g} %" for level in shown])
    axes.minorticks_off()
    y_title(axes, "delivery latency")
    label_ends(axes, ends, scene.look)
    return canvas


@marked
def over_time(scene: Scene) -> Figure:
    """Every message where it was due. Dots: single deliveries, thinned; line: the median of a slice of time."""
    rows, columns = beside(len(scene.curves), 3, 2)
    canvas = figure(0.5 + 1.55 * rows)
    panels = canvas.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    lowest, highest = _reach(scene)
    points = DOTS if scene.furthest and not is_narrow() else DOTS // 3
    for axes, (pattern, drawn) in zip(panels, scene.drawn.items(), strict=False):
        due_s, latency_ms = (values[:points] for values in drawn.dots)
        _dots(axes, due_s, np.maximum(latency_ms, lowest), scene.look.line(pattern))
        axes.plot(*drawn.running, color=scene.look.text(pattern), lw=1.4, gid=f"over-time-{pattern}")
        axes.set_title(scene.look.labels[pattern], color=scene.look.text(pattern))
        axes.set_xlim(0, float(scene.setting["window_s"]))
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        ms_axis(axes.yaxis, lowest, highest)
    for axes in panels[len(scene.curves) :]:
        axes.set_axis_off()
    canvas.supxlabel("seconds into the window at which the message was due", size=8.5, color=MUTED)
    return canvas


def _dots(axes: Axes, x: np.ndarray, y: np.ndarray, colour: str) -> None:
    """Many dots as one path of round strokes hardly longer than wide: a tenth of the bytes of markers in an SVG."""
    vertices = np.repeat(np.column_stack([x, y]), 2, axis=0)
    vertices[1::2, 0] += np.ptp(x) * 0.002 if len(x) else 0.0
    codes = np.tile([Path.MOVETO, Path.LINETO], len(x))
    patch = PathPatch(Path(vertices, codes), facecolor="none", edgecolor=colour, lw=1.6, alpha=0.28, capstyle="round")
    axes.add_patch(patch)


def _reach(scene: Scene, from_level: float = 0.0) -> tuple[float, float]:
    """Limits of a latency axis that show every curve; what is zero or less cannot be shown and is in the cautions."""
    values = np.concatenate(
        [curve[from_level:].to_numpy().ravel() for curve in scene.curves.values()] or [np.array([1.0])]
    )
    shown = values[values > 0]
    if not len(shown):
        return 0.1, 10.0
    return float(shown.min()) * 0.8, float(shown.max()) * 1.25
