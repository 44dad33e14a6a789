"""Arms of an experiment run side by side, and effects of figures that are made up."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from reports.experiments import Effects, Experiment, Observation
from reports.experiments.effects import FEWEST_REPEATS, measured


def observed(experiment: Experiment, arms: Iterable[str], folder: Path) -> dict[str, Observation]:
    """Run each arm once, shortened, all at the same time: good for what is counted, and no use for what takes time."""

    def run(arm: str) -> Observation:
        (folder / arm).mkdir()
        return experiment.measure(arm, folder / arm, quick=True)

    with ThreadPoolExecutor() as pool:
        return dict(zip(arms, pool.map(run, arms), strict=True))


def effects_of(experiment: Experiment, figures: Mapping[str, Mapping[str, float]], repeats: int) -> Effects:
    """Return what comes of these figures, arm -> figure -> value, seen in each repeat alike."""
    seen = {(arm, repeat): values for arm, values in figures.items() for repeat in range(1, repeats + 1)}
    return measured(experiment.EFFECTS, seen)


def sure(experiment: Experiment, figures: Mapping[str, Mapping[str, float]]) -> Effects:
    return effects_of(experiment, figures, FEWEST_REPEATS)


def points_of(experiment: Experiment, *points: Mapping[str, float | str]) -> pd.DataFrame:
    """Return the same points for two repeats of every arm."""
    return pd.DataFrame(
        [{"arm": arm, "repeat": repeat, **point} for arm in experiment.ARMS for repeat in (1, 2) for point in points]
    )
