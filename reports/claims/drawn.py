"""PURE. One figure with its interval beside the bounds that decide: as a strip of a table, and along a dimension."""

from collections.abc import Sequence
from math import isfinite, log10
from typing import Final

from markupsafe import Markup, escape
from matplotlib.figure import Figure

from reports.charts.style import INK, MUTED, WARN, figure
from reports.claims.ruling import ClaimCrossover, Step

WIDTH_PX: Final = 150
HEIGHT_PX: Final = 16
MARGIN: Final = 1.6
"""By how much farther than the farthest figure or bound the scale goes."""


def strip(step: Step, bounds: tuple[float, float], told: str) -> Markup:
    """Return an `<svg>` of one figure on a logarithmic scale, what the bounds allow shaded. told: the same in words."""
    if step.figure is None:
        return Markup("")
    figures = (step.figure.low, step.figure.value, step.figure.high)
    scale = _Scale([value for value in (*figures, *bounds) if isfinite(value)])
    left, right = (scale.px(each) for each in bounds)
    low, value, high = (scale.px(each) for each in figures)
    middle = HEIGHT_PX / 2
    return Markup(  # noqa: S704 - numbers, and text that is escaped
        f'<svg class="bounds" width="{WIDTH_PX}" height="{HEIGHT_PX}" role="img" aria-label="{escape(told)}">'
        f'<rect x="{left:.1f}" width="{max(right - left, 1.5):.1f}" y="0" height="{HEIGHT_PX}"/>'
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>'
        f'<circle cx="{value:.1f}" cy="{middle}" r="3"/></svg>'
    )


class _Scale:
    """Pixels of values: logarithmic, what is 0 at the very left, what is infinite at the very right."""

    def __init__(self, values: Sequence[float]) -> None:
        above = [value for value in values if value > 0] or [1.0]
        self._low = log10(min(above) / MARGIN)
        self._high = log10(max(above) * MARGIN)

    def px(self, value: float) -> float:
        if value <= 0:
            return 0.0
        share = (log10(value) - self._low) / (self._high - self._low) if isfinite(value) else 1.0
        return WIDTH_PX * min(max(share, 0.0), 1.0)


def along(
    steps: Sequence[Step], bounds: tuple[float, float], crossed: Sequence[ClaimCrossover], x_title: str, y_title: str
) -> Figure:
    """Draw a test's figures along a dimension with their intervals; shaded: what the bounds allow.

    Rings: where the figures pass a bound, in a band where they surely do.
    """
    canvas = figure(2.3)
    axes = canvas.subplots()
    known = [(step.at, step.figure) for step in steps if step.figure is not None]
    at = [where for where, _ in known]
    values, lows, highs = ([getattr(each, end) for _, each in known] for end in ("value", "low", "high"))
    axes.set(xscale="log", yscale="log", xlabel=x_title)
    axes.set_title(y_title, color=MUTED, weight="normal", size=8.5)
    ends = [value for value in (*lows, *highs, *bounds) if value > 0 and isfinite(value)]
    bottom, top = min(ends) / MARGIN, max(ends) * MARGIN
    axes.set_ylim(bottom, top)
    axes.axhspan(max(bounds[0], bottom), min(bounds[1], top), color=MUTED, alpha=0.13, lw=0, gid="allowed")
    axes.fill_between(at, lows, highs, color=INK, alpha=0.18, lw=0, gid="interval")
    axes.plot(at, values, color=INK, marker=".", ms=4, lw=1.3, gid="figures")
    for each in crossed:
        axes.axvspan(each.low, each.high, color=WARN, alpha=0.12, lw=0)
        axes.plot([each.at], [each.bound], marker="o", ms=7, mfc="none", mec=WARN, mew=1.6, gid="crossover")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _at: f"{value:,g}")
    axes.minorticks_off()
    return canvas
