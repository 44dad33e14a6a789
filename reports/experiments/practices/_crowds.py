"""What crowds recorded, and what it comes to: requests per 100 ms, what was lost, what the server spent."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.probes.stage import Crowd
from loadtests.records.rows import Sample
from reports.basics.units import number
from reports.charts.style import MUTED, Look, figure

BIN_NS: Final = 100_000_000
BINS_PER_S: Final = 10
S: Final = 1_000_000_000

Points = list[dict[str, float | str]]


def rows(crowd: Crowd, table: str) -> pd.DataFrame:
    """Read what a crowd recorded, by the columns of arrival.py."""
    return pd.read_parquet(crowd.folder / f"{table}.parquet")


def within(frame: pd.DataFrame, column: str, from_ns: int, until_ns: int) -> pd.DataFrame:
    return frame[frame[column].between(from_ns, until_ns, "left")]


def per_bin(instants_ns: Iterable[int], from_ns: int, until_ns: int) -> np.ndarray:
    """Count instants in each 100 ms from `from_ns` on, as far as they are whole."""
    bins = max(1, (until_ns - from_ns) // BIN_NS)
    at = (np.asarray(instants_ns, np.int64) - from_ns) // BIN_NS
    return np.bincount(at[(at >= 0) & (at < bins)], minlength=bins)


def bin_points(counts: np.ndarray, **also: float | str) -> Points:
    """Return a point for the middle of each 100 ms: at_s, count."""
    return [{"at_s": (nth + 0.5) / BINS_PER_S, "count": float(count), **also} for nth, count in enumerate(counts)]


def p99_ms(durations_ns: "pd.Series[int]") -> float:
    return (
        float(np.quantile(durations_ns.to_numpy(), 0.99, method="inverted_cdf") / 1e6) if len(durations_ns) else np.nan
    )


def lost(deliveries: pd.DataFrame, users: int, newest_id: int) -> int:
    """Count what did not reach a user, of the messages 1 to `newest_id`. A message that came twice counts once."""
    got = deliveries[deliveries["id"] <= newest_id]
    return users * newest_id - len(got.drop_duplicates(["user", "id"]))


def cpu_percent(before: Sample, after: Sample) -> float:
    """Return what a process used of one core between two samples."""
    return 100 * (after.cpu_ns - before.cpu_ns) / (after.at_ns - before.at_ns)


def brief(value: float) -> str:
    """Return a number as a sentence has it, with two digits."""
    return number(value, 2)


def over_time(
    points: pd.DataFrame, look: Look, what: str, since: str = "", mark: str = "", *, log: bool = False
) -> Figure:
    """Draw one panel an arm, one above the other on the same scales: counts per 100 ms, the repeats overlaid.

    since: what happened at 0. mark: what happened at `mark_s`, a column of the points; each arm has its median.
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
