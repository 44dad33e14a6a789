"""PURE. How charts look: one colour per pattern everywhere, lines labelled where they are, nothing without a use."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.basics.units import quantity
from servers.palette import Colour, colours_of

INK: Final = "#1b1d22"
MUTED: Final = "#6a7079"
GRID: Final = "#e4e6ea"
PAPER: Final = "#ffffff"
WARN: Final = "#946300"
BAD: Final = "#b3231c"
WIDTH_IN: Final = 9.0
NARROW_IN: Final = 4.4
"""Of a phone: so wide, type is as large there as on the page."""
NO_NOTES: Final[Mapping[str, str]] = {}


@dataclass(frozen=True)
class Look:
    """Names and colours of a run's patterns, in the order in which they were planned."""

    labels: Mapping[str, str]
    colours: Mapping[str, Colour]

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> "Look":
        return cls(labels, colours_of(labels))

    def line(self, pattern: str) -> str:
        return self.colours[pattern].line

    def text(self, pattern: str) -> str:
        return self.colours[pattern].text


RC: Final[Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.6,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.7,
    "lines.solid_capstyle": "round",
    "path.simplify_threshold": 0.3,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "pollbench",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "xtick.labelsize": 8,
    "xtick.major.size": 3,
    "xtick.minor.size": 0,
    "ytick.color": MUTED,
    "ytick.labelsize": 8,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}


_NARROW: Final = ContextVar("narrow", default=False)


@contextmanager
def styled(*, narrow: bool = False) -> Iterator[None]:
    """Draw in this style, whatever the reader's own matplotlib settings are. narrow: for the width of a phone."""
    before = _NARROW.set(narrow)
    try:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(RC)
            yield
    finally:
        _NARROW.reset(before)


def is_narrow() -> bool:
    return _NARROW.get()


def width_in() -> float:
    return NARROW_IN if is_narrow() else WIDTH_IN


def figure(height_in: float) -> Figure:
    """Return an empty figure of the page's width, unknown to pyplot."""
    return Figure(figsize=(width_in(), height_in))


def beside(panels: int, wide: int, narrow: int = 1) -> tuple[int, int]:
    """Return rows and columns for panels of which `wide` stand beside each other, on a phone `narrow`."""
    columns = min(narrow if is_narrow() else wide, max(panels, 1))
    return max(1, -(-panels // columns)), columns


def y_title(axes: Axes, text: str) -> None:
    """Say what the y axis is, above it, where it can be read without turning the head."""
    axes.set_title(text, color=MUTED, weight="normal", size=8.5)


def ms_axis(axis: Any, lowest: float, highest: float) -> None:
    """Make an axis logarithmic in ms, with readable ticks: powers of ten, and 2 and 5 where those are too few."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log", f"{axis.axis_name}lim": (lowest, highest)})
    powers = np.arange(np.floor(np.log10(lowest)), np.ceil(np.log10(highest)) + 1)
    ticks = [float(10**power) for power in powers if lowest <= 10**power <= highest]
    if len(ticks) < 3:
        between = (factor * 10**power for power in powers for factor in (1, 2, 5))
        ticks = [float(tick) for tick in between if lowest <= tick <= highest]
    axis.set_ticks(ticks, labels=[quantity(tick, "ms", 1) for tick in ticks])
    axis.minorticks_off()


def spread(wanted: Sequence[float], gap: float, least: float = -np.inf) -> list[float]:
    """Return positions as near as possible to those wanted, in their order, at least `gap` apart, none below `least`.

    With i * gap taken off, "at least gap apart" reads "not decreasing": isotonic regression, by pooling.
    """
    order = np.argsort(wanted, kind="stable")
    pools: list[tuple[float, int]] = []
    for nth, at in enumerate(order):
        total, count = max(wanted[at] - nth * gap, least), 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before, members = pools.pop()
            total, count = total + before, count + members
        pools.append((total, count))
    level = [total / count for total, count in pools for _ in range(count)]
    placed = [0.0] * len(level)
    for nth, at in enumerate(order):
        placed[at] = level[nth] + nth * gap
    return placed


def write_beside(axes: Axes, text: str, at: tuple[float, float], points: tuple[float, float], **how: Any) -> None:
    """Write a text so many points beside a place."""
    axes.annotate(text, at, points, textcoords="offset points", **how)


def label_line(
    axes: Axes, look: Look, name: str, at: tuple[float, float], points: tuple[float, float], **how: Any
) -> None:
    """Write a line's name beside a place, in its colour."""
    write_beside(axes, look.labels[name], at, points, color=look.text(name), weight="bold", **how)


def label_ends(
    axes: Axes, ends: Mapping[str, tuple[float, float]], look: Look, notes: Mapping[str, str] = NO_NOTES
) -> None:
    """Write each pattern's name, and what `notes` adds, to the right of the axes beside the end (x, y) of its line."""
    to_axes = axes.transData + axes.transAxes.inverted()
    heights = [float(to_axes.transform(end)[1]) for end in ends.values()]
    gap = 12.5 / (axes.get_position().height * axes.figure.get_figheight() * 72)  # type: ignore[union-attr]
    for (pattern, end), height in zip(ends.items(), spread(heights, gap, least=0.0), strict=True):
        axes.annotate(
            look.labels[pattern] + notes.get(pattern, ""),
            end,
            (1.02, height),
            textcoords="axes fraction",
            color=look.text(pattern),
            weight="bold",
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": look.line(pattern), "lw": 0.8, "shrinkA": 1, "relpos": (0, 0.5)},
        )
