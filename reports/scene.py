"""PURE. A scene is what one set of charts shows: one scenario, one number of clients, one round trip, all patterns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from reports.breakdown import by_rank, first_arrivals
from reports.load import Run
from reports.style import Look

LEVELS: Final = np.unique(np.concatenate([np.linspace(0, 1, 201), 1 - np.geomspace(0.1, 1e-5, 161)]))
"""Quantile levels of a curve: even, and ever finer towards the slowest."""


@dataclass(frozen=True)
class Scene:
    """Frames cut to one scenario, client count and round trip; `summary` alone holds all of the scenario."""

    setting: Mapping[str, Any]
    clients: int
    rtt_ms: float
    look: Look
    summary: pd.DataFrame
    cells: pd.DataFrame
    latency: pd.DataFrame
    requests: pd.DataFrame
    deliveries: pd.DataFrame
    published: pd.DataFrame

    @property
    def name(self) -> str:
        """The scenario's name, with the round trip where there is a longer one."""
        return str(self.setting["name"]) + ("" if self.furthest else f"-{self.rtt_ms:g}ms")

    @property
    def furthest(self) -> bool:
        return bool(self.rtt_ms == self.distances["rtt_ms"].max())

    @property
    def rows(self) -> pd.DataFrame:
        """The summary at this scene's number of clients and round trip."""
        return self.summary[(self.summary["clients"] == self.clients) & (self.summary["rtt_ms"] == self.rtt_ms)]

    @property
    def distances(self) -> pd.DataFrame:
        """The summary at this scene's number of clients, at every round trip."""
        return self.summary[self.summary["clients"] == self.clients]

    @property
    def patterns(self) -> list[str]:
        """The patterns that have a result here, in planned order."""
        return [str(pattern) for pattern in self.rows["pattern"]]

    @cached_property
    def fan_out(self) -> dict[str, pd.DataFrame]:
        """Per pattern: `breakdown.by_rank`, the median over repeats. A place that a repeat never saw is left out."""
        found = {}
        for pattern, rows in self.latency.groupby("pattern", observed=True):
            repeats = [by_rank(first_arrivals(repeat)) for _, repeat in rows.groupby("repeat")]
            together = pd.concat(repeats).groupby(level=0)
            found[str(pattern)] = together.median()[together.size() == len(repeats)]
        return {pattern: found[pattern] for pattern in self.patterns if pattern in found}

    @cached_property
    def curves(self) -> dict[str, pd.DataFrame]:
        """Per pattern: latency_ms at each of LEVELS (index), its `mid`, `low` and `high` over repeats.

        A level that a repeat has too few deliveries to tell apart from its worst is NaN.
        """
        curves = {}
        for pattern, rows in self.latency.groupby("pattern", observed=True):
            repeats = [_quantiles(values.to_numpy()) for _, values in rows.groupby("repeat")["latency_ms"]]
            # A level counts only where every repeat has it: the median of fewer would jump.
            stack = np.vstack(repeats)
            curves[str(pattern)] = pd.DataFrame(
                {"mid": np.median(stack, axis=0), "low": stack.min(axis=0), "high": stack.max(axis=0)}, LEVELS
            )
        return {pattern: curves[pattern] for pattern in self.patterns if pattern in curves}


def scenes(run: Run, summary: pd.DataFrame, latency: pd.DataFrame) -> list[Scene]:
    """Return one scene per scenario and round trip, at its largest number of clients that has a result.

    In planned order, the round trips of a scenario from the shortest to the longest.
    """
    look = Look.of(run.manifest.patterns)
    found = []
    for setting in run.manifest.scenarios:
        own = summary[summary["scenario"] == setting["name"]]
        if not len(own):
            continue
        clients = int(own["clients"].max())
        for rtt_ms in sorted(own.loc[own["clients"] == clients, "rtt_ms"].unique()):
            frames = (run.finished, latency, run.requests, run.deliveries, run.published)
            cut = [_cut(frame, str(setting["name"]), clients, rtt_ms) for frame in frames]
            found.append(Scene(setting, clients, float(rtt_ms), look, own, *cut))
    return found


def _cut(frame: pd.DataFrame, scenario: str, clients: int, rtt_ms: float) -> pd.DataFrame:
    wanted = (frame["scenario"] == scenario) & (frame["clients"] == clients) & (frame["rtt_ms"] == rtt_ms)
    # Most runs have one scene, and five million rows are not copied for nothing.
    return frame if wanted.all() else frame[wanted]


def _quantiles(values: np.ndarray) -> np.ndarray:
    told_apart = (1 - 1 / len(values) >= LEVELS) | (LEVELS == 1)
    quantiles = np.quantile(values, LEVELS, method="inverted_cdf")
    return np.where(told_apart, quantiles, np.nan)
