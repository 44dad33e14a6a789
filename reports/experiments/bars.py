"""PURE. A chart that several experiments share: of each case a bar for each arm, side by side for several figures."""

from collections.abc import Collection, Mapping

import pandas as pd
from matplotlib.figure import Figure

from reports.charts.style import INK, Look, figure


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
