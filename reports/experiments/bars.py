"""PURE. Charts that experiments share: a bar for each case and arm, side by side; a panel for each arm."""

from collections.abc import Collection, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.charts.style import INK, Look, figure


def panels(points: pd.DataFrame, look: Look, height_in: float) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure in two rows with a panel for each arm that has points, all on one scale."""
    drawn, arms = figure(height_in), [arm for arm in look.labels if arm in set(points["arm"])]
    axes = drawn.subplots(2, (len(arms) + 1) // 2, sharex=True, sharey=True, squeeze=False).flatten()
    for panel in axes[len(arms) :]:
        panel.set_visible(False)
    return drawn, dict(zip(arms, axes, strict=False))


def bars(
    points: pd.DataFrame,
    look: Look,
    cases: Mapping[str, str],
    panels: Mapping[str, str],
    height_in: float,
    absent: Collection[tuple[str, str]] = (),
) -> Figure:
    """Draw the median of each case and arm as a bar, each repeat as a dot.

    points: with the columns arm, case and those of `panels`, column -> title of its axis. cases: name -> label; those
    without a point are left out. absent: (column, case) for which there is no figure.
    """
    drawn = figure(height_in)
    shown = [case for case in cases if (points["case"] == case).any()]
    for axes, (column, title) in zip(drawn.subplots(1, len(panels), sharey=True), panels.items(), strict=True):
        height = 0.8 / len(look.labels)
        for nth, (arm, label) in enumerate(look.labels.items()):
            for at, case in enumerate(shown):
                if (column, case) in absent:
                    continue
                values = points.loc[(points["arm"] == arm) & (points["case"] == case), column]
                place, told = at + (nth - 0.5) * height, label if at == 0 else None
                axes.barh(place, values.median(), height * 0.9, color=look.line(arm), alpha=0.75, label=told)
                axes.plot(values, [place] * len(values), ".", color=INK, markersize=3, alpha=0.6)
        axes.set_yticks(range(len(shown)), labels=[cases[case] for case in shown])
        axes.grid(axis="y", visible=False)
        axes.set(xlabel=title, xlim=(0, None))
    drawn.axes[0].invert_yaxis()
    drawn.axes[0].legend(frameon=False, loc="lower right")
    return drawn
