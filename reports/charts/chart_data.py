"""PURE. A scene is what one set of charts shows: one scenario at one value of each dimension, all patterns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from loadtests.metrics.histogram import Histogram
from loadtests.scenario.dimensions import COLUMNS, DIMENSIONS, Dimension
from loadtests.scenario.settings import schedules
from reports.basics.records import records
from reports.charts.style import Look
from reports.data.columns import Table
from reports.data.load import Run
from reports.measures.latency_parts import by_rank, first_arrivals
from reports.measures.measures import window
from reports.measures.ranking import furthest, swept
from reports.theory.compare import expected_curve
from reports.theory.oracles import Floats
from reports.validity.caution import Verdict
from servers.timing import NS_PER_MS

DOTS: Final = 1200
"""Drawn of a pattern, a third in charts that are folded away; the lines are worked out from every delivery."""
FINEST: Final = 40
SLICES: Final = 60
TOLD: Final = 10
"""Of time: in the printed chart at most, in the interactive one, and in words."""
LEVELS: Final = np.unique(np.concatenate([np.linspace(0, 1, 201), 1 - np.geomspace(0.1, 1e-5, 161)]))
"""Quantile levels of a curve: even, and ever finer towards the slowest."""

MOST: Final = 4
"""Scenes of one scenario: each is up to half a megabyte of charts, and the sweep's own charts show every step."""


NOTHING: Final = np.zeros(0)
NO_RANKS: Final = pd.DataFrame({"latency_ms": NOTHING, "kernel_ms": NOTHING})


@dataclass(frozen=True)
class Scene:
    """One scenario at one value of each dimension; `summary` alone holds all of the scenario.

    cells: the rows of `run.finished` that it has. verdict: what the run is worth; every chart of the scene is marked
    with it.
    """

    setting: Mapping[str, Any]
    clients: int
    rtt_ms: float
    rate_per_s: float
    look: Look
    verdict: Verdict
    summary: pd.DataFrame
    cells: pd.DataFrame
    run: Run

    @cached_property
    def name(self) -> str:
        """The scenario's name, with the step of the sweep where there is a further one."""
        return str(self.setting["name"]) + ("" if self.furthest else f"-{self.at(self.sweep):g}{self.sweep.suffix}")

    def at(self, dimension: Dimension) -> float:
        return float(getattr(self, dimension.column))

    def along(self, dimension: Dimension | None) -> pd.DataFrame:
        """The summary where every other dimension is as in this scene."""
        alike = {each.column: self.at(each) for each in DIMENSIONS if each is not dimension}
        return self.summary[(self.summary[[*alike]] == pd.Series(alike)).all(axis=1)]

    @cached_property
    def sweep(self) -> Dimension:
        """Along what there is a scene for each step, and the answers are told."""
        return swept(self.summary[self.summary["clients"] == self.clients])

    @cached_property
    def steps(self) -> pd.DataFrame:
        """The summary along that, all else as in this scene."""
        return self.along(self.sweep)

    @cached_property
    def furthest(self) -> bool:
        return bool(self.at(self.sweep) == self.steps[self.sweep.column].max())

    @cached_property
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
    def drawn(self) -> "dict[str, Drawn]":
        """What charts show of each pattern's deliveries, which are gone through pattern by pattern and cell by cell."""
        window_s = float(self.setting["window_s"])
        own = {pattern: self.cells[self.cells["pattern"] == pattern] for pattern in self.patterns}
        found = {pattern: _drawn(self.run, cells, window_s) for pattern, cells in own.items()}
        return {pattern: each for pattern, each in found.items() if each is not None}

    @cached_property
    def expected(self) -> dict[str, Floats | None]:
        """What theory says of each pattern's curve, at LEVELS; None without a theory."""
        found: dict[str, Floats | None] = {}
        for pattern in self.drawn:
            (row,) = records(self.rows[self.rows["pattern"] == pattern])
            cells = self.cells[self.cells["pattern"] == pattern]
            found[pattern] = expected_curve(self.run, cells, row, self.setting, LEVELS)
        return found

    @property
    def has_rows(self) -> bool:
        """Whether single deliveries can be shown; else only a summary of them was kept."""
        return not self.run.summarised

    @property
    def curves(self) -> dict[str, pd.DataFrame]:
        return {pattern: each.curve for pattern, each in self.drawn.items()}

    @property
    def fan_out(self) -> dict[str, pd.DataFrame]:
        return {pattern: each.fan_out for pattern, each in self.drawn.items() if len(each.fan_out)}


@dataclass(frozen=True, slots=True)
class Drawn:
    """What charts show of the deliveries of one pattern, of all its repeats.

    curve: latency_ms at each of LEVELS (index), its `mid`, `low` and `high` over repeats; low reaches down to what the
    client's kernel saw, where that is known: the rest may be the instrument's. A level that a repeat has too few
    deliveries to tell apart from its worst is NaN.
    fan_out: `breakdown.by_rank`, the median over repeats. A place that a repeat never saw is left out.
    dots: due_s and latency_ms of at most DOTS deliveries, in an order drawn at random. running: the middles of slices
    of what was due, and the median latency_ms of each. in_window, in_words: that of each of SLICES and of TOLD of the
    window, NaN for none.
    """

    curve: pd.DataFrame
    fan_out: pd.DataFrame
    dots: tuple[np.ndarray, np.ndarray]
    running: tuple[np.ndarray, np.ndarray]
    in_window: np.ndarray
    in_words: np.ndarray


def _drawn(run: Run, cells: pd.DataFrame, window_s: float) -> Drawn | None:
    """Go through the repeats of a pattern, and keep two columns of each for what needs all; None: no delivery."""
    curves, kernels, ranks, dues, latencies = [], [], [], [], []
    for cell in records(cells):
        if summary := run.rows.summaries.get(cell["cell"]):
            if summary.deliveries.latency.count:
                curves.append(_told_apart(summary.deliveries.latency))
                kernels.append(curves[-1])
            continue
        rows = window(run, cell)
        if not len(rows):
            continue
        curves.append(_quantiles(rows["latency_ms"].to_numpy()))
        kernels.append(_kernel(rows, curves[-1]))
        ranks.append(by_rank(first_arrivals(rows)))
        dues.append(rows["due_s"].to_numpy())
        latencies.append(rows["latency_ms"].to_numpy())
        del rows
    if not curves:
        return None
    # A level counts only where every repeat has it: the median of fewer would jump.
    stack = np.vstack(curves)
    ranks, dues, latencies = ranks or [NO_RANKS], dues or [NOTHING], latencies or [NOTHING]
    low = np.fmin(stack, np.vstack(kernels)).min(axis=0)
    together = pd.concat(ranks).groupby(level=0)
    due_s, latency_ms = np.concatenate(dues), np.concatenate(latencies)
    del dues, latencies
    chosen = np.random.default_rng(1).permutation(len(due_s))[:DOTS]
    in_window, in_words = (np.linspace(0, window_s, slices + 1) for slices in (SLICES, TOLD))
    return Drawn(
        curve=pd.DataFrame({"mid": np.median(stack, axis=0), "low": low, "high": stack.max(axis=0)}, LEVELS),
        fan_out=together.median()[together.size() == len(ranks)],
        dots=(due_s[chosen], latency_ms[chosen]),
        running=_running(due_s, latency_ms),
        in_window=_medians(in_window, due_s, latency_ms),
        in_words=_medians(in_words, due_s, latency_ms),
    )


def _running(due_s: np.ndarray, latency_ms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians of equal slices of time, wide enough to hold some three messages each; empty slices are left out."""
    if not len(due_s):
        return NOTHING, NOTHING
    slices = int(np.clip(len(np.unique(due_s)) // 3, 1, FINEST))
    edges = np.linspace(due_s.min(), due_s.max(), slices + 1)
    medians = _medians(edges, due_s, latency_ms)
    known = np.isfinite(medians)
    return ((edges[:-1] + edges[1:]) / 2)[known], medians[known]


def _medians(edges: np.ndarray, at: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the median of the values in each slice between two edges, NaN for none; beyond the last is in the last."""
    slices = len(edges) - 1
    which = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, slices - 1).astype(np.int8)
    # One slice at a time: grouping would sort a copy of all.
    own = (values[which == number] for number in range(slices))
    return np.array([float(np.median(each)) if len(each) else np.nan for each in own])


def scenes(run: Run, summary: pd.DataFrame, verdict: Verdict) -> list[Scene]:
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
            wanted = (run.finished[[*at]] == pd.Series(at)).all(axis=1)
            cells = run.finished[wanted]
            found.append(Scene(setting, int(clients), float(rtt_ms), float(rate_per_s), look, verdict, own, cells, run))
    return found


def _kernel(rows: Table, otherwise: np.ndarray) -> np.ndarray:
    """Return the curve of when the client's kernel had what is stamped; `otherwise` where nothing is."""
    until_kernel = rows["latency_ms"].to_numpy() - rows["wait_ms"].to_numpy()
    until_kernel = until_kernel[~np.isnan(until_kernel)]
    return _quantiles(until_kernel) if len(until_kernel) else otherwise


def _quantiles(values: np.ndarray) -> np.ndarray:
    return np.where(_apart(len(values)), np.quantile(values, LEVELS, method="inverted_cdf"), np.nan)


def _told_apart(latency: Histogram) -> np.ndarray:
    """The same of latencies of which only a histogram was kept."""
    return np.where(_apart(latency.count), latency.quantiles_ns(LEVELS.tolist()) / NS_PER_MS, np.nan)


def _apart(count: int) -> np.ndarray:
    apart: np.ndarray = (1 - 1 / count >= LEVELS) | (LEVELS == 1)
    return apart
