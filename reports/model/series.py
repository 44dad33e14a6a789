"""PURE. The runs that a model is fitted on: client counts over nearly three decades, rates over nearly two, and one
message size more than the usual, all six patterns in each.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import SCENARIOS

_FEED: Final = replace(SCENARIOS["feed"], spawn_per_s=400.0, window_s=10.0)
_BOTH: Final = "poisson:2,poisson:10"
SCENES: Final = {
    "10-clients": replace(_FEED, clients=(10,), schedule=_BOTH),
    "50-clients": replace(_FEED, clients=(50,), schedule=_BOTH),
    "200-clients": replace(_FEED, clients=(200,), schedule=_BOTH),
    "500-clients": replace(_FEED, clients=(500,), schedule=_BOTH),
    "2000-clients": replace(_FEED, clients=(2000,), schedule="poisson:2"),
    "5000-clients": replace(_FEED, clients=(5000,), schedule="poisson:2"),
    "frequent": replace(_FEED, clients=(50,), schedule="poisson:40", window_s=5.0),
    "seldom": replace(_FEED, clients=(50,), schedule="poisson:0.5", window_s=41.0),
    "large": replace(_FEED, clients=(50,), schedule="poisson:10", message_bytes=4000, window_s=8.0),
}


def plans(patterns: Sequence[str]) -> dict[str, Plan]:
    """Return the runs by name, each under five minutes."""
    return {name: Plan(scene, tuple(patterns), 1) for name, scene in SCENES.items()}
