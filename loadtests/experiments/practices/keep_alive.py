"""Long polls on one connection each, or with a new connection for every poll, as clients without a session do it.

The clients are a round trip of 40 ms away and wait for 20 messages a second.
"""

from pathlib import Path
from typing import Final

from loadtests.experiments.whole_cells import run_cell
from loadtests.scenario.scenarios import Scenario

ARMS: Final = {"off": True, "on": False}
"""Whether each poll opens a connection."""
RTT_MS: Final = 40.0


def measure(arm: str, where: Path, *, quick: bool) -> None:
    scenario = Scenario(
        name="feed",
        purpose="a feed that is often faster than a handshake",
        clients=(20,),
        schedule="poisson:20",
        rtt_ms=(RTT_MS,),
        window_s=1.5 if quick else 6.0,
        drain_s=0.5,
        no_keep_alive=ARMS[arm],
    )
    run_cell("long_polling", scenario, where)
