"""Arms of an experiment run side by side, and effects of figures that are made up."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from loadtests import experiments as measuring
from loadtests.experiments.observations import Observation
from reports import experiments
from reports.experiments import Effects, Experiment
from reports.experiments.effects import FEWEST_REPEATS, measured


def observed_arm(name: str, arm: str, folder: Path) -> Observation:
    """Run an arm once, shortened, into an empty folder."""
    found = measuring.load(name).measure(arm, folder, quick=True)
    if found is None:
        found = getattr(experiments.load(name), "read")(folder)  # noqa: B009  (only some experiments have it)
        assert isinstance(found, Observation)
    return found


def observed(name: str, folder: Path, arms: Iterable[str] = ()) -> dict[str, Observation]:
    """Run each arm once, shortened, all at the same time: good for counts, and no use for times."""
    wanted = tuple(arms or measuring.load(name).ARMS)
    for arm in wanted:
        (folder / arm).mkdir()
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda arm: observed_arm(name, arm, folder / arm), wanted)
        return dict(zip(wanted, found, strict=True))


def observed_one_by_one(name: str, folder: Path) -> dict[str, Observation]:
    """Run each arm once, shortened, one after the other: good for times too."""
    return {arm: observed_arm(name, arm, folder / arm) for arm in measuring.load(name).ARMS}


def effects_of(experiment: Experiment, figures: Mapping[str, Mapping[str, float]], repeats: int) -> Effects:
    """Return the effects of these figures, arm -> figure -> value, seen in each repeat alike."""
    seen = {(arm, repeat): values for arm, values in figures.items() for repeat in range(1, repeats + 1)}
    return measured(experiment.EFFECTS, seen)


def sure(experiment: Experiment, figures: Mapping[str, Mapping[str, float]]) -> Effects:
    return effects_of(experiment, figures, FEWEST_REPEATS)


def points_of(experiment: Experiment, *points: Mapping[str, float | str]) -> pd.DataFrame:
    """Return the same points for two repeats of every arm."""
    return pd.DataFrame(
        [{"arm": arm, "repeat": repeat, **point} for arm in experiment.ARMS for repeat in (1, 2) for point in points]
    )
