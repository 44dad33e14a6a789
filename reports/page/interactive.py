"""Scene -> the numbers behind its charts, for the page's script to draw them so that one can hover and zoom.

Charts share one x for all patterns, which is what makes one cursor show all values. None is a gap.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from markupsafe import Markup

from loadtests.scenario.dimensions import DIMENSIONS, Dimension
from reports.charts.chart_data import LEVELS, SLICES, Scene
from reports.charts.sweep import interval, is_sweep
from reports.measures.crossovers import crossovers, on_log
from reports.measures.measures import MEASURES

HERE: Final = Path(__file__).parent.parent
POINTS: Final = 300
Series = list[float | None]
Bands = Mapping[str, tuple[Series, Series]]
"""Pattern -> the lower and the upper edge of what its line lies between."""
DOTS: Final = 200
"""Of single deliveries, for each pattern."""


def script() -> Markup:
    """Return the library and ours as one script, safe inside `<script>`."""
    files = (HERE / "vendor" / "uPlot.iife.min.js", HERE / "templates" / "interactive.js")
    return Markup("\n".join(file.read_text(encoding="utf-8") for file in files))  # noqa: S704


def style() -> Markup:
    return Markup((HERE / "vendor" / "uPlot.min.css").read_text(encoding="utf-8"))  # noqa: S704


def data(scenes: Sequence[Scene]) -> Markup:
    """Return one JSON object, scene name -> chart name -> what to draw, safe inside `<script>`."""
    told = {scene.name: charts(scene) for scene in scenes}
    return Markup(json.dumps(told, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"))  # noqa: S704


def charts(scene: Scene) -> dict[str, dict[str, Any]]:
    drawn = {"latency": _ecdf(scene), "percentiles": _spectrum(scene)}
    drawn |= {"over-time": _over_time(scene)} if scene.has_rows else {}
    sweeps = {f"latency-by-{each.short}": _sweep(scene, each) for each in DIMENSIONS if is_sweep(scene, each)}
    return drawn | sweeps


def _chart(
    scene: Scene, x: Sequence[float], series: Mapping[str, Series], bands: Bands | None = None, **axes: Any
) -> dict[str, Any]:
    lines = [
        {"pattern": pattern, "label": scene.look.labels[pattern], "values": values}
        | (dict(zip(("low", "high"), bands[pattern], strict=True)) if bands else {})
        for pattern, values in series.items()
    ]
    return {"x": [_rounded(value) for value in x], "series": lines, **axes}


def _ecdf(scene: Scene) -> dict[str, Any]:
    """Share delivered within a time, on one logarithmic grid of times."""
    ends = [curve["mid"].dropna() for curve in scene.curves.values()]
    known = np.concatenate([curve[curve > 0].to_numpy() for curve in ends] or [np.array([1.0])])
    grid = np.geomspace(known.min() * 0.9, known.max() * 1.1, POINTS)

    def shares(curve: pd.DataFrame, edge: str) -> Series:
        known = curve[edge].dropna()
        return [_rounded(100 * share) for share in np.interp(grid, known, known.index, left=0.0, right=1.0)]

    # Whoever is faster has delivered more by any time.
    series = {pattern: shares(curve, "mid") for pattern, curve in scene.curves.items()}
    bands = {pattern: (shares(curve, "high"), shares(curve, "low")) for pattern, curve in scene.curves.items()}
    return _chart(
        scene,
        grid.tolist(),
        series,
        bands,
        xTitle="delivery latency",
        xUnit="ms",
        xLog=True,
        yTitle="delivered",
        yUnit="%",
    )


def _spectrum(scene: Scene) -> dict[str, Any]:
    """Latency against rarity: 1 / (1 - level), so that 2 is the median and 100 the 99th percentile."""
    furthest = max((curve["mid"][:0.999999].dropna().index.max() for curve in scene.curves.values()), default=0.5)
    shown = LEVELS[(LEVELS >= 0.5) & (furthest >= LEVELS)]
    edges = {
        edge: {
            pattern: [_rounded(value) for value in curve[edge].reindex(shown).to_numpy()]
            for pattern, curve in scene.curves.items()
        }
        for edge in ("mid", "low", "high")
    }
    bands = {pattern: (edges["low"][pattern], edges["high"][pattern]) for pattern in scene.curves}
    rarity = (1 / (1 - shown)).tolist()
    axes: dict[str, Any] = {
        "xTitle": "at least this fast",
        "xUnit": "rarity",
        "xLog": True,
        "yTitle": "latency",
        "yUnit": "ms",
    }
    return _chart(scene, rarity, edges["mid"], bands, **axes, yLog=True)


def _over_time(scene: Scene) -> dict[str, Any]:
    """Median latency of what was due in each slice of the window."""
    window_s = float(scene.setting["window_s"])
    edges = np.linspace(0, window_s, SLICES + 1)
    series = {pattern: [_rounded(value) for value in each.in_window] for pattern, each in scene.drawn.items()}
    middles = ((edges[:-1] + edges[1:]) / 2).tolist()
    axes: dict[str, Any] = {
        "xTitle": "into the window",
        "xUnit": "s",
        "xLog": False,
        "yTitle": "median latency",
        "yUnit": "ms",
    }
    drawn = _chart(scene, middles, series, **axes, yLog=True)
    for line in drawn["series"]:
        line["dots"] = _dots(*scene.drawn[line["pattern"]].dots)
    return drawn


def _dots(due_s: np.ndarray, latency_ms: np.ndarray) -> list[list[float | None]]:
    chosen = zip(due_s[:DOTS].tolist(), latency_ms[:DOTS].tolist(), strict=True)
    return [[_rounded(at), _rounded(value)] for at, value in chosen]


def _sweep(scene: Scene, along: Dimension) -> dict[str, Any]:
    """Every measure against one dimension, at all values of the others, with the crossovers."""
    others = [each for each in DIMENSIONS if each is not along]
    views = []
    for measure in MEASURES:
        if scene.summary[measure.name].isna().all():
            continue
        for _, rows in scene.summary.groupby([each.column for each in others], sort=True):
            steps = sorted(float(step) for step in rows[along.column].unique())
            series, bands = {}, {}
            for pattern, own in rows.groupby("pattern", observed=True, sort=False):
                low, high = interval(own, measure.name)
                edges = own.assign(mid=own[measure.name], low=low, high=high)
                mid, *band = (
                    [_rounded(value / measure.scale) for value in _at(edges, along.column, steps, edge)]
                    for edge in ("mid", "low", "high")
                )
                series[str(pattern)], bands[str(pattern)] = mid, (band[0], band[1])
            marks = [
                {
                    "at": _rounded(crossing.at),
                    "value": _rounded(crossing.value / measure.scale),
                    "text": f"{scene.look.labels[crossing.before]} is better up to {along.amount(crossing.low)}, "
                    f"{scene.look.labels[crossing.after]} from {along.says(crossing.high)} on",
                }
                for crossing in crossovers(rows, along, measure.name)
            ]
            title = f"{measure.group}, {measure.title}"
            axes = {"yTitle": title, "yUnit": measure.unit, "yLog": on_log(along, measure.name), "marks": marks}
            at = ", ".join(each.says(rows[each.column].iloc[0]) for each in others)
            views.append(_chart(scene, steps, series, bands, **axes) | {"measure": title, "held": at})
    axes = {"xTitle": along.axis, "xUnit": "", "xLog": along.by_factors}
    return {"views": views, **axes}


def _at(own: pd.DataFrame, column: str, steps: Sequence[float], name: str) -> np.ndarray:
    values: np.ndarray = own.drop_duplicates(column).set_index(column)[name].reindex(list(steps)).to_numpy()
    return values


def _rounded(value: float) -> float | None:
    """Five digits are more than a screen shows."""
    return float(f"{value:.5g}") if np.isfinite(value) else None
