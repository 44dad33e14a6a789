"""What every experiment must do with its observations: draw them, and judge them, proven or not."""

from collections.abc import Mapping
from typing import cast

import pandas as pd

from loadtests.experiments.observations import Observation
from reports.charts import svg
from reports.charts.style import styled
from reports.experiments import Experiment
from reports.experiments.effects import TILDE, change_text, measured
from reports.experiments.experiment_page import look_of


def check_drawing(module: object, found: Mapping[str, Observation]) -> None:
    """Check that the chart of these observations, one of each arm, names both arms or shows them in a legend."""
    experiment = cast(Experiment, module)
    rows = [{"arm": arm, "repeat": 1, **point} for arm, each in found.items() for point in each.points]
    with styled():
        drawn = svg.standalone(experiment.draw(pd.DataFrame(rows), look_of(experiment)))
    assert all(label in drawn for label in experiment.ARMS.values())


def check_verdict(module: object) -> None:
    """Check the sentence on made-up observations: the practice changes everything as expected, or nothing is proven."""
    experiment = cast(Experiment, module)
    values = {"lower": 0.5, "higher": 2.0, "same": 1.0, "": 1.2}
    for repeats, proven in ((5, True), (2, False)):
        observed = {
            (arm, repeat): {
                effect.figure: 40.0 * (1.0 if arm == effect.base else values[effect.expected])
                for effect in experiment.EFFECTS
            }
            for arm in experiment.ARMS
            for repeat in range(repeats)
        }
        effects = measured(experiment.EFFECTS, observed)
        said = experiment.verdict(effects)
        assert (TILDE in said) is not proven
        assert any(change_text(each) in said for each in effects.values())
        assert said.endswith(".")
        assert "nan" not in said.split()
