"""Long polls whose responses bring one message each, or all that wait, while the rate climbs past one message a gap."""

from pathlib import Path
from typing import Final

from loadtests.experiments.whole_cells import run_cell
from loadtests.scenario.scenarios import Scenario

ARMS: Final = {"one": True, "all": False}
"""Whether a response brings one message only."""
RTT_MS: Final = 40.0
STEP_S: Final = 4.0
STEPS: Final = 4
SLOWEST_PER_S, FASTEST_PER_S = 8.0, 32.0
"""The first and the last step, in messages a second. 1/G of a round trip of 40 ms is just below 25."""


def measure(arm: str, where: Path, *, quick: bool) -> None:
    """Ten clients climb the steps, each faster than the one before by the same factor. Quick: shorter steps."""
    step_s = 0.8 if quick else STEP_S
    scenario = Scenario(
        name="feed",
        purpose="a feed that becomes faster than a round trip",
        clients=(10,),
        schedule=f"stairs:{SLOWEST_PER_S:g}-{FASTEST_PER_S:g}/{STEPS}x{step_s:g},random",
        rtt_ms=(RTT_MS,),
        warmup_s=0.0,
        window_s=STEPS * step_s,
        # Nothing more is due then, and a queue that a step at 1.3/G has left is empty after less than a third of it.
        drain_s=step_s,
        one_per_response=ARMS[arm],
    )
    run_cell("long_polling", scenario, where)
