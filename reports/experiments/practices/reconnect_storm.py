"""A server dies under load and comes back: what its clients do to it meanwhile, by how they wait."""

import time
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from loadtests.probes.stage import NOBODY_ELSE, Stage
from loadtests.scenario.scenarios import Scenario
from reports.basics.units import quantity
from reports.charts.style import Look
from reports.experiments import Effect, Effects, Observation
from reports.experiments.effects import change_text
from reports.experiments.practices._crowds import S, bin_points, brief, lost, over_time, per_bin, rows
from servers.timing.clock import now_ns

TITLE: Final = "A reconnect storm, with and without backoff"
ADVICE: Final = (
    "Reconnect with exponential backoff and full jitter, and resume by a cursor, so that a restart is no storm."
)
MECHANISM: Final = (
    "A restart cuts all clients at the same instant. Those that try again at once keep the machine busy with attempts "
    "that cannot succeed; those that wait a fixed time come back together, again and again. Waits drawn from a range "
    "that doubles make attempts fewer with each failure and spread them. The server keeps its messages in a file "
    "(--keep) and clients name the last one they have, so nothing is lost in any arm."
)
LIMITS: Final = (
    "Over the loopback a refused connection costs microseconds and no network, and nobody does a TLS handshake or logs "
    "in, which make real storms worse. How often those without backoff try is bounded by their one process. Clients "
    "and server share two cores. Backoff costs time: the longer a server is away, the longer its clients wait after it "
    "has come back, up to the cap (here 5 s, for outages of seconds)."
)
ARMS: Final = {
    "none": "again at once",
    "fixed": "again after 1 s",
    "exponential": "exponential backoff, full jitter",
}
EFFECTS: Final = (
    Effect("attempts_per_client", "attempts to connect per client", "", "none", "exponential", expected="lower"),
    Effect("peak", "most attempts in 100 ms", "", "none", "exponential", expected="lower"),
    Effect("let_in_peak", "most let in in 100 ms, beside a fixed delay", "", "fixed", "exponential", expected="lower"),
    Effect("boot_ms", "until the server is up again", "ms", "none", "exponential", expected="lower"),
    Effect("recovery_ms", "from then until the last client is back", "ms", "none", "exponential"),
    Effect("lost", "messages lost", "", "none", "exponential", expected="same", kind="difference"),
)
RETRIES: Final = {"none": "none", "fixed": "fixed:1", "exponential": "exponential"}
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
        backoff=RETRIES[arm],
        # A client that dials a port of its own range from its own address can be connected to itself, and then holds
        # the port against the server.
        source=NOBODY_ELSE,
    )
    options = {"--keep": where / "kept", "--schedule": crowd.schedule, "--start-at-ns": now_ns()}
    with Stage(where, "sse", options) as stage:
        users = stage.crowd("load", crowd)
        time.sleep(SETTLE_S)
        killed_ns = now_ns()
        stage.kill()
        time.sleep(DOWN_S)
        started_ns = now_ns()
        stage.start()
        ready_ns = now_ns()
        while stage.stats().streams < clients and now_ns() < ready_ns + PATIENCE_S * S:
            time.sleep(0.1)
        stage.publish("manual")
        time.sleep(SETTLE_S)
        newest_id, ended_ns = stage.stats().newest_id, now_ns()
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
    return Observation(figures, bin_points(attempts, mark_s=(ready_ns - killed_ns) / S), doubts)


def verdict(effects: Effects) -> str:
    attempts, peak = effects["attempts_per_client", "exponential"], effects["let_in_peak", "exponential"]
    lost_, back = effects["lost", "exponential"], effects["recovery_ms", "exponential"]
    if not (attempts.proven and peak.proven):
        return "It is not shown that backoff changes anything here."
    nothing_lost = lost_.base == lost_.arm == 0
    return (
        f"Back off exponentially with full jitter: {brief(attempts.arm)} attempts per client instead of "
        f"{brief(attempts.base)}, and at most {brief(peak.arm)} let in in 100 ms where a fixed delay has "
        f"{brief(peak.base)} ({change_text(peak)}). It costs time: the last client is back {quantity(back.arm, 'ms')} "
        f"after the server, not {quantity(back.base, 'ms')}{'' if back.proven else ' (not proven)'}. "
        + (
            "With cursors and a server that keeps its messages, nothing was lost."
            if nothing_lost
            else "Messages WERE lost."
        )
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Attempts per 100 ms from the crash on; the scales are logarithmic, or two of three arms would be flat."""
    what = "attempts to connect per 100 ms (log)"
    return over_time(points, look, what, "since the crash", "the server is up again", log=True)
