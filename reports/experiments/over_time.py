"""A chart of counts per 100 ms: one panel for each arm, one above the other."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.charts.style import MUTED, Look, figure


def over_time(
    points: pd.DataFrame, look: Look, what: str, since: str = "", mark: str = "", *, log: bool = False
) -> Figure:
    """Draw one panel for each arm on the same scales: counts per 100 ms, the repeats overlaid.

    since: the event at 0. mark: the event at `mark_s`, a column of the points; each arm shows its median.
    log: on a logarithmic scale that has a 0.
    """
    arms = [arm for arm in look.labels if arm in set(points["arm"])]
    highest = float(points["count"].max()) or 1.0
    drawn = figure(0.5 + 1.05 * len(arms))
    panels = np.atleast_1d(drawn.subplots(len(arms), sharex=True, sharey=True))
    for axes, arm in zip(panels, arms, strict=True):
        own = points[points["arm"] == arm]
        for _, repeat in own.groupby("repeat"):
            axes.step(repeat["at_s"], repeat["count"], where="mid", color=look.line(arm), lw=1.1, alpha=0.7)
        if mark:
            axes.axvline(own.groupby("repeat")["mark_s"].first().median(), color=MUTED, lw=0.8, ls=":")
        axes.set_title(look.labels[arm], color=look.text(arm))
        if log:
            _logarithmic(axes, highest)
        else:
            axes.set_ylim(0, 1.05 * highest)
        axes.yaxis.set_major_formatter("{x:,.0f}")
    dotted = f", dotted: {mark}" if mark else ""
    last_s = float(points["at_s"].max()) + 0.05
    panels[-1].set(xlabel=f"seconds {since}{dotted}".rstrip(), xlim=(0, last_s))
    panels[0].annotate(
        what, (1, 1), (0, 4), xycoords="axes fraction", textcoords="offset points", color=MUTED, ha="right"
    )
    return drawn


def _logarithmic(axes: Axes, highest: float) -> None:
    axes.set_yscale("symlog", linthresh=1)
    axes.set_yticks([0, *(tick for tick in (1, 10, 100, 1000, 10_000) if tick <= 2 * highest)])
    axes.minorticks_off()
    axes.set_ylim(0, 2 * highest)
