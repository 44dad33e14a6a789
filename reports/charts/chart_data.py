"""PURE. A scene is what one set of charts shows: one scenario at one value of each dimension, all patterns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from loadtests.scenario.dimensions import COLUMNS, DIMENSIONS, Dimension
from loadtests.scenario.settings import schedules
from reports.charts.style import Look
from reports.data.load import Run
from reports.measures.latency_parts import by_rank, first_arrivals
from reports.measures.ranking import furthest, swept
from reports.validity.caution import Verdict

LEVELS: Final = np.unique(np.concatenate([np.linspace(0, 1, 201), 1 - np.geomspace(0.1, 1e-5, 161)]))
"""Quantile levels of a curve: even, and ever finer towards the slowest."""

MOST: Final = 4
"""Scenes of one scenario: each is up to half a megabyte of charts, and the sweep's own charts show every step."""


@dataclass(frozen=True)
class Scene:
    """Frames cut to one scenario and one value of each dimension; `summary` alone holds all of the scenario.

    verdict: what the run is worth; every chart of the scene is marked with it.
    """

    setting: Mapping[str, Any]
    clients: int
    rtt_ms: float
    rate_per_s: float
    look: Look
    verdict: Verdict
    summary: pd.DataFrame
    cells: pd.DataFrame
    latency: pd.DataFrame
    requests: pd.DataFrame
    deliveries: pd.DataFrame
    published: pd.DataFrame

    @property
    def name(self) -> str:
        """The scenario's name, with the step of the sweep where there is a further one."""
        return str(self.setting["name"]) + ("" if self.furthest else f"-{self.at(self.sweep):g}{self.sweep.suffix}")

    def at(self, dimension: Dimension) -> float:
        return float(getattr(self, dimension.column))

    def along(self, dimension: Dimension | None) -> pd.DataFrame:
        """The summary where every other dimension is as in this scene."""
        alike = {each.column: self.at(each) for each in DIMENSIONS if each is not dimension}
        return self.summary[(self.summary[[*alike]] == pd.Series(alike)).all(axis=1)]

    @property
    def sweep(self) -> Dimension:
        """Along what there is a scene for each step, and the answers are told."""
        return swept(self.summary[self.summary["clients"] == self.clients])

    @property
    def steps(self) -> pd.DataFrame:
        """The summary along that, all else as in this scene."""
        return self.along(self.sweep)

    @property
    def furthest(self) -> bool:
        return bool(self.at(self.sweep) == self.steps[self.sweep.column].max())

    @property
    def rows(self) -> pd.DataFrame:
        """The summary of this scene alone."""
        return self.along(None)

    @property
    def schedules(self) -> dict[float, str]:
        """Message rate -> schedule."""
        return schedules(str(self.setting["schedule"]))

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

        low reaches down to what the client's kernel saw, where that is known: the rest may be the instrument's.
        A level that a repeat has too few deliveries to tell apart from its worst is NaN.
        """
        curves = {}
        for pattern, rows in self.latency.groupby("pattern", observed=True):
            repeats = [_quantiles(values.to_numpy()) for _, values in rows.groupby("repeat")["latency_ms"]]
            # A level counts only where every repeat has it: the median of fewer would jump.
            stack = np.vstack(repeats)
            groups = [repeat for _, repeat in rows.groupby("repeat")]
            kernels = [_kernel(repeat, curve) for repeat, curve in zip(groups, repeats, strict=True)]
            low = np.fmin(stack, np.vstack(kernels)).min(axis=0)
            curves[str(pattern)] = pd.DataFrame(
                {"mid": np.median(stack, axis=0), "low": low, "high": stack.max(axis=0)}, LEVELS
            )
        return {pattern: curves[pattern] for pattern in self.patterns if pattern in curves}


def scenes(run: Run, summary: pd.DataFrame, latency: pd.DataFrame, verdict: Verdict) -> list[Scene]:
    """Return one scene per scenario and step of its sweep, at the largest values of all else that have a result.

    In planned order, the steps of a scenario from the least. Of more than MOST, so many, the ends among them.
    """
    look = Look.of(run.manifest.patterns)
    found = []
    for setting in run.manifest.scenarios:
        own = summary[summary["scenario"] == setting["name"]]
        if not len(own):
            continue
        settings = sorted(set(furthest(own)[COLUMNS].itertuples(index=False, name=None)))
        spread = np.linspace(0, len(settings) - 1, min(len(settings), MOST)).round().astype(int)
        for clients, rtt_ms, rate_per_s in (settings[at] for at in spread):
            at = {"scenario": str(setting["name"]), "clients": clients, "rtt_ms": rtt_ms, "rate_per_s": rate_per_s}
            frames = (run.finished, latency, run.requests, run.deliveries, run.published)
            cut = [_cut(frame, at) for frame in frames]
            found.append(Scene(setting, int(clients), float(rtt_ms), float(rate_per_s), look, verdict, own, *cut))
    return found


def _cut(frame: pd.DataFrame, at: Mapping[str, Any]) -> pd.DataFrame:
    wanted = pd.Series(True, frame.index)
    for column, value in at.items():
        wanted &= frame[column] == value
    # Most runs have one scene, and five million rows are not copied for nothing.
    return frame if wanted.all() else frame[wanted]


def _kernel(rows: pd.DataFrame, otherwise: np.ndarray) -> np.ndarray:
    """Return the curve of when the client's kernel had what is stamped; `otherwise` where nothing is."""
    until_kernel = (rows["latency_ms"] - rows["wait_ms"]).dropna().to_numpy()
    return _quantiles(until_kernel) if len(until_kernel) else otherwise


def _quantiles(values: np.ndarray) -> np.ndarray:
    told_apart = (1 - 1 / len(values) >= LEVELS) | (LEVELS == 1)
    quantiles = np.quantile(values, LEVELS, method="inverted_cdf")
    return np.where(told_apart, quantiles, np.nan)
