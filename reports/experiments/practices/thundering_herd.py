"""The same polls, together or spread: what a herd does to the peak, and what jitter does to the herd."""

import time
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from loadtests.probes.stage import Stage
from loadtests.scenario.scenarios import Scenario
from reports.basics.units import quantity
from reports.charts.style import Look
from reports.experiments import Effect, Effects, Observation
from reports.experiments.effects import change_text
from reports.experiments.practices._crowds import (
    BIN_NS,
    S,
    bin_points,
    brief,
    lost,
    over_time,
    p99_ms,
    per_bin,
    rows,
    within,
)
from servers.timing.clock import now_ns

TITLE: Final = "A thundering herd, with and without jitter"
ADVICE: Final = (
    "Spread polls over their interval and add jitter to every request, so that clients do not come together."
)
MECHANISM: Final = (
    "Requests that come in the same instant are served one after the other, so the last of N waits for N - 1 others, "
    "while the server idles for the rest of the interval. Clocks (jobs on the minute), a restart or a broadcast make "
    "clients come together, and equal intervals keep them so. Jitter lets them drift apart."
)
LIMITS: Final = (
    "How high a peak is depends on N over the interval alone; how long its last client waits, on what a request costs. "
    "Here clients and server share two cores and all clients one process, which is late too when a herd comes. Jitter "
    "on holds does nothing for the herd that a broadcast itself makes: all of its readers ask again at once."
)
ARMS: Final = {
    "together": "short polls, all by the clock",
    "jitter": "each gap up to half longer or shorter",
    "spread": "start spread over the interval",
    "held": "long polls after a broadcast",
    "held-jitter": "each hold up to 1/16 longer",
}
EFFECTS: Final = (
    Effect("peak", "most requests in 100 ms, start spread", "", "together", "spread", expected="lower"),
    Effect("p99_ms", "p99 of an answer, start spread", "ms", "together", "spread", expected="lower"),
    Effect("requests_per_s", "requests a second, start spread", "", "together", "spread", expected="same"),
    Effect("peak", "most requests in 100 ms, jitter on each gap", "", "together", "jitter", expected="lower"),
    Effect("p99_ms", "p99 of an answer, jitter on each gap", "ms", "together", "jitter", expected="lower"),
    Effect("peak", "most in 100 ms as holds end, jitter on holds", "", "held", "held-jitter", expected="lower"),
    Effect("broadcast_peak", "most in 100 ms after the broadcast, jitter on holds", "", "held", "held-jitter", "same"),
    Effect("lost", "messages lost, jitter on holds", "", "held", "held-jitter", "same", kind="difference"),
)
SHORT: Final = ("together", "jitter", "spread")
SETTLE_S: Final = 0.5
"""From the last user's start until all are held."""


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    clients = 100 if quick else 1000
    crowd = Scenario(
        name="herd",
        purpose="clients that come together",
        clients=(clients,),
        schedule="poisson:1",
        spawn_per_s=1000,
        poll_interval_s=1.0 if quick else 2.0,
        poll_start="spread" if arm == "spread" else "together",
        poll_pace="uniform:0.5" if arm == "jitter" else "rate",
        hold_timeout_s=4.0 if quick else 8.0,
    )
    if arm in SHORT:
        return _short(crowd, where, intervals=2 if quick else 3)
    return _held(crowd, where, {"--hold-jitter": ""} if arm == "held-jitter" else {})


def _short(crowd: Scenario, where: Path, intervals: int) -> Observation:
    """Whole intervals, beginning half-way between two herds, after the first one."""
    with Stage(where, "short_polling", {}) as stage:
        users = stage.crowd("load", crowd)
        interval_ns = round(crowd.poll_interval_s * S)
        from_ns = (now_ns() // interval_ns + 2) * interval_ns + interval_ns // 2
        until_ns = from_ns + intervals * interval_ns
        _until(until_ns + interval_ns // 4)
        users.end()
    asked = within(rows(users, "requests"), "due_ns", from_ns, until_ns)
    counts = per_bin(asked["started_ns"], from_ns, until_ns)
    figures = {
        "peak": float(counts.max()),
        "p99_ms": p99_ms(asked["ended_ns"] - asked["due_ns"]),
        "requests_per_s": len(asked) * S / (until_ns - from_ns),
        "failed": float((asked["error"] != "").sum()),
    }
    return Observation(figures, bin_points(counts))


def _held(crowd: Scenario, where: Path, options: dict[str, object]) -> Observation:
    """One message to everyone who waits; then nothing, until all of the holds that began with it have ended."""
    (clients,) = crowd.clients
    hold_ns = round(crowd.hold_timeout_s * S)
    with Stage(where, "long_polling", options) as stage:
        users = stage.crowd("load", crowd)
        time.sleep(SETTLE_S)
        from_ns = now_ns()
        until_ns = from_ns + hold_ns + hold_ns // 16 + 5 * BIN_NS
        stage.post("to everyone")
        _until(until_ns)
        newest_id = stage.stats().newest_id
        users.end()
    counts = per_bin(rows(users, "requests")["started_ns"], from_ns, until_ns)
    ended = hold_ns // 2 // BIN_NS
    figures = {
        "peak": float(counts[ended:].max()),
        "broadcast_peak": float(counts[:ended].max()),
        "lost": float(lost(rows(users, "deliveries"), clients, newest_id)),
    }
    return Observation(figures, bin_points(counts))


def _until(instant_ns: int) -> None:
    time.sleep(max(0, instant_ns - now_ns()) / S)


def verdict(effects: Effects) -> str:
    spread, p99 = effects["peak", "spread"], effects["p99_ms", "spread"]
    jitter, hold = effects["peak", "jitter"], effects["peak", "held-jitter"]
    if not (spread.proven and p99.proven):
        return "It is not shown that spreading polls changes anything here."
    broadcast = effects["broadcast_peak", "held-jitter"]
    return (
        f"Spread the start: the peak falls from {brief(spread.base)} to {brief(spread.arm)} requests in 100 ms, and "
        f"the slowest answers in a hundred come after {quantity(p99.arm, 'ms')} instead of {quantity(p99.base, 'ms')}; "
        f"where clients start together all the same, jitter on each gap brings {change_text(jitter)}"
        f"{'' if jitter.proven else ' (not proven)'}. Jitter on holds brings {change_text(hold)}"
        f"{'' if hold.proven else ' (not proven)'} as they end, but the {brief(broadcast.arm)} who come back after "
        "a broadcast come together as before."
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """One panel an arm, all with one scale: requests per 100 ms over time, the repeats on top of each other."""
    return over_time(points, look, "requests per 100 ms")
