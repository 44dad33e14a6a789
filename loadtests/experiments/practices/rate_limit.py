"""One client polls as fast as it can among many that do not: with a token bucket for each address, and without."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from loadtests.experiments.crowd_figures import bin_points, cpu_percent, p99_ms, per_bin, rows, within
from loadtests.experiments.observations import Observation
from loadtests.experiments.server_and_crowds import ITS_OWN, ONE_EACH, ServerAndCrowds
from loadtests.scenario.scenarios import Scenario
from servers.timing import NS_PER_S


class Limit(NamedTuple):
    """per_s: for each address, 0 for none. heeded: whether the greedy client heeds Retry-After. others: addresses."""

    per_s: int
    heeded: bool = True
    others: str = ONE_EACH


SHARED: Final = "127.0.0.3"
ARMS: Final = {
    "off": Limit(0),
    "on": Limit(10),
    "deaf": Limit(10, heeded=False),
    "nat": Limit(10, others=SHARED),
}
CONNECTIONS: Final = 20
"""Of the greedy client, each with one request after the other."""


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    limit = ARMS[arm]
    others = Scenario(
        name="others",
        purpose="clients that poll as they should",
        clients=(50,),
        schedule="poisson:1",
        poll_interval_s=0.5,
        spawn_per_s=200,
        source=limit.others,
    )
    greedy = replace(
        others,
        name="greedy",
        clients=(CONNECTIONS,),
        poll_interval_s=1e-4,
        source=ITS_OWN,
        backoff="exponential" if limit.heeded else "none",
    )
    with ServerAndCrowds(where, "short_polling", {"--rate-limit": limit.per_s} if limit.per_s else {}) as scene:
        crowds = scene.crowd("others", others), scene.crowd("greedy", greedy)
        time.sleep(1.0)
        before = scene.sample()
        time.sleep(1.5 if quick else 5.0)
        after = scene.sample()
        for crowd in crowds:
            crowd.end()
    mine, its = (within(rows(crowd, "requests"), "started_ns", before.at_ns, after.at_ns) for crowd in crowds)
    answered, refused = its[its["status"] == 200], its[its["status"] == 429]
    seconds = (after.at_ns - before.at_ns) / NS_PER_S
    figures = {
        "p99_ms": p99_ms((mine["ended_ns"] - mine["due_ns"])[mine["status"] == 200]),
        "cpu": cpu_percent(before, after),
        "greedy_per_s": len(answered) / seconds,
        "greedy_refused_per_s": len(refused) / seconds,
        "refused": float((mine["status"] == 429).mean()),
    }
    return Observation(figures, bin_points(per_bin(its["started_ns"], before.at_ns, after.at_ns)))
