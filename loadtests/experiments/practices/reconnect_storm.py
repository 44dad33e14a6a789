"""A server dies under load and comes back: how its clients come back, by how they wait between attempts."""

import time
from pathlib import Path
from typing import Final

from loadtests.experiments.crowd_figures import bin_points, lost, per_bin, rows
from loadtests.experiments.observations import Observation
from loadtests.experiments.server_and_crowds import ITS_OWN, ServerAndCrowds
from loadtests.scenario.scenarios import Scenario
from servers.timing import NS_PER_S
from servers.timing.clock import now_ns

ARMS: Final = {"none": "none", "fixed": "fixed:1", "exponential": "exponential"}
"""The backoff of the clients."""
RATE_PER_S: Final = 10
SETTLE_S: Final = 0.5
DOWN_S: Final = 1.3
"""Not a multiple of the fixed delay: then its clients would come back just as the server does."""
PATIENCE_S: Final = 15
"""Three of the longest waits that backoff draws."""


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    clients = 100 if quick else 500
    crowd = Scenario(
        name="storm",
        purpose="clients of a server that is restarted",
        clients=(clients,),
        schedule=f"steady:{RATE_PER_S}",
        spawn_per_s=500,
        backoff=ARMS[arm],
        # A client that dials a port of its own range from its own address can be connected to itself, and then holds
        # the port against the server.
        source=ITS_OWN,
    )
    options = {"--keep": where / "kept", "--schedule": crowd.schedule, "--start-at-ns": now_ns()}
    with ServerAndCrowds(where, "sse", options) as scene:
        users = scene.crowd("load", crowd)
        time.sleep(SETTLE_S)
        killed_ns = now_ns()
        scene.kill()
        time.sleep(DOWN_S)
        started_ns = now_ns()
        scene.start()
        ready_ns = now_ns()
        while scene.stats().streams < clients and now_ns() < ready_ns + PATIENCE_S * NS_PER_S:
            time.sleep(0.1)
        scene.publish("manual")
        time.sleep(SETTLE_S)
        newest_id, ended_ns = scene.stats().newest_id, now_ns()
        users.end()
    asked = rows(users, "requests")
    tried = asked[asked["started_ns"].between(killed_ns, ended_ns)]
    back = tried[tried["first_byte_ns"] > 0].groupby("user")["first_byte_ns"].min()
    attempts = per_bin(tried["started_ns"], killed_ns, ended_ns)
    figures = {
        "attempts_per_client": len(tried) / clients,
        "peak": float(attempts.max()),
        "let_in_peak": float(per_bin(back, killed_ns, ended_ns).max()),
        "boot_ms": (ready_ns - started_ns) / 1e6,
        "recovery_ms": float(back.max() - ready_ns) / 1e6 if len(back) else float("nan"),
        "lost": float(lost(rows(users, "deliveries"), clients, newest_id)),
        "away": float(clients - len(back)),
    }
    doubts = [f"{clients - len(back)} of {clients} clients were not back in the end"] if len(back) < clients else []
    return Observation(figures, bin_points(attempts, mark_s=(ready_ns - killed_ns) / NS_PER_S), doubts)
