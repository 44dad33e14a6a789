"""One write per client and loop turn, against one a message: SSE at rates up to what a loop can do, and in bursts."""

from pathlib import Path
from typing import Final

from loadtests.experiments.whole_cells import run_cell
from loadtests.scenario.scenarios import Scenario

ARMS: Final = {"each": True, "turn": False}
"""Whether each message is published and written by itself."""
CLIENTS: Final = 40
CASES: Final = {
    "slow": "poisson:20",
    "brisk": "poisson:200",
    "fast": "poisson:800",
    "burst": "burst:20/0.1",
}
"""Name -> schedule. Each leaves a run folder of its name. The burst has the rate of `brisk`."""
BRIEFLY: Final = ("slow", "burst")


def measure(arm: str, where: Path, *, quick: bool) -> None:
    """Quick: only some of the cases."""
    for name, schedule in CASES.items():
        if quick and name not in BRIEFLY:
            continue
        scenario = Scenario(
            name="feed",
            purpose="a feed that many follow",
            clients=(CLIENTS,),
            schedule=schedule,
            warmup_s=0.3,
            window_s=1.2 if quick else 4.0,
            drain_s=0.5,
            one_per_write=ARMS[arm],
        )
        run_cell("sse", scenario, where / name)
