"""PURE. A scene is what one set of charts shows: one scenario, one number of clients, one round trip, all patterns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

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
    def rows(self) -> pd.DataFrame:
        """The summary at this scene's number of clients and round trip."""
        return self.summary[(self.summary["clients"] == self.clients) & (self.summary["rtt_ms"] == self.rtt_ms)]

    @property
    def patterns(self) -> list[str]:
        """The patterns that have a result here, in planned order."""
        return [str(pattern) for pattern in self.rows["pattern"]]

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
    """Return one scene per scenario, at its most clients and longest round trip that have a result, as planned."""
    look = Look.of(run.manifest.patterns)
    found = []
    for setting in run.manifest.scenarios:
        own = summary[summary["scenario"] == setting["name"]]
        if not len(own):
            continue
        clients = int(own["clients"].max())
        rtt_ms = float(own.loc[own["clients"] == clients, "rtt_ms"].max())
        frames = (run.finished, latency, run.requests, run.deliveries, run.published)
        cut = [_cut(frame, str(setting["name"]), clients, rtt_ms) for frame in frames]
        found.append(Scene(setting, clients, rtt_ms, look, own, *cut))
    return found


def _cut(frame: pd.DataFrame, scenario: str, clients: int, rtt_ms: float) -> pd.DataFrame:
    wanted = (frame["scenario"] == scenario) & (frame["clients"] == clients) & (frame["rtt_ms"] == rtt_ms)
    # Most runs have one scene, and five million rows are not copied for nothing.
    return frame if wanted.all() else frame[wanted]


def _quantiles(values: np.ndarray) -> np.ndarray:
    told_apart = (1 - 1 / len(values) >= LEVELS) | (LEVELS == 1)
    quantiles = np.quantile(values, LEVELS, method="inverted_cdf")
    return np.where(told_apart, quantiles, np.nan)
