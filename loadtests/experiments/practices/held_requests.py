"""One client opens thousands of long polls among a few others: with a limit on held requests, and without."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from loadtests.experiments.crowd_figures import cpu_percent, lost, p99_ms, rows, within
from loadtests.experiments.observations import Observation
from loadtests.experiments.server_and_crowds import ITS_OWN, ONE_EACH, ServerAndCrowds
from loadtests.scenario.scenarios import Scenario
from servers.timing import NS_PER_S

ARMS: Final[dict[str, dict[str, object]]] = {"off": {}, "on": {"--max-held": 20}}
"""The options of the server."""
RATE_PER_S: Final = 2


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    window_s = 2.0 if quick else 8.0
    others = Scenario(
        name="others",
        purpose="clients with one long poll each",
        clients=(20,),
        schedule="poisson:1",
        source=ONE_EACH,
    )
    hog = replace(others, name="hog", clients=(300 if quick else 3000,), spawn_per_s=1000, source=ITS_OWN)
    with ServerAndCrowds(where, "long_polling", ARMS[arm]) as scene:
        crowd = scene.crowd("others", others)
        alone = scene.sample()
        hogging = scene.crowd("hog", hog)
        time.sleep(1.0)
        scene.publish(f"steady:{RATE_PER_S}")
        before, held = scene.sample(), []
        for _ in range(round(window_s * RATE_PER_S)):
            time.sleep(1 / RATE_PER_S)
            held.append(scene.stats().held)
        after = scene.sample()
        scene.publish("manual")
        time.sleep(1.0)
        newest_id = scene.stats().newest_id
        crowd.end()
        hogging.end()
    got, its = rows(crowd, "deliveries"), within(rows(hogging, "requests"), "started_ns", before.at_ns, after.at_ns)
    latency_ns = got["received_ns"] - got["due_ns"]
    figures = {
        "held": float(sorted(held)[len(held) // 2]),
        "p99_ms": p99_ms(latency_ns),
        "memory_bytes": float(after.rss_bytes - alone.rss_bytes),
        "sockets": float(after.open_sockets - alone.open_sockets),
        "cpu": cpu_percent(before, after),
        "refused_per_s": float((its["status"] == 429).sum()) * NS_PER_S / (after.at_ns - before.at_ns),
        "lost": float(lost(got, others.clients[0], newest_id)),
    }
    return Observation(figures, [{"latency_ms": value / 1e6} for value in sorted(latency_ns.tolist())])
