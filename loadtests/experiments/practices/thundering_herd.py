"""The same polls, together or spread: the peak that a herd makes, and jitter against it."""

import time
from pathlib import Path
from typing import Final

from loadtests.experiments.crowd_figures import BIN_NS, bin_points, lost, p99_ms, per_bin, rows, within
from loadtests.experiments.observations import Observation
from loadtests.experiments.server_and_crowds import ServerAndCrowds
from loadtests.scenario.scenarios import Scenario
from servers.timing import NS_PER_S
from servers.timing.clock import now_ns

SHORT: Final = {"together": ("together", "rate"), "jitter": ("together", "uniform:0.5"), "spread": ("spread", "rate")}
"""Arms of short polling: how the clients start, and the pace of each."""
HELD: Final[dict[str, dict[str, object]]] = {"held": {}, "held-jitter": {"--hold-jitter": ""}}
"""Arms of long polling: the options of the server."""
ARMS: Final = SHORT | HELD
SETTLE_S: Final = 0.5
"""From the last user's start until all are held."""


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    clients = 100 if quick else 1000
    start, pace = SHORT.get(arm, ("together", "rate"))
    crowd = Scenario(
        name="herd",
        purpose="clients that come together",
        clients=(clients,),
        schedule="poisson:1",
        spawn_per_s=1000,
        poll_interval_s=1.0 if quick else 2.0,
        poll_start=start,
        poll_pace=pace,
        hold_timeout_s=4.0 if quick else 8.0,
    )
    return _short(crowd, where, intervals=2 if quick else 3) if arm in SHORT else _held(crowd, where, HELD[arm])


def _short(crowd: Scenario, where: Path, intervals: int) -> Observation:
    """Whole intervals, beginning half-way between two herds, after the first one."""
    with ServerAndCrowds(where, "short_polling", {}) as scene:
        users = scene.crowd("load", crowd)
        interval_ns = round(crowd.poll_interval_s * NS_PER_S)
        from_ns = (now_ns() // interval_ns + 2) * interval_ns + interval_ns // 2
        until_ns = from_ns + intervals * interval_ns
        _until(until_ns + interval_ns // 4)
        users.end()
    asked = within(rows(users, "requests"), "due_ns", from_ns, until_ns)
    counts = per_bin(asked["started_ns"], from_ns, until_ns)
    figures = {
        "peak": float(counts.max()),
        "p99_ms": p99_ms(asked["ended_ns"] - asked["due_ns"]),
        "requests_per_s": len(asked) * NS_PER_S / (until_ns - from_ns),
        "failed": float((asked["error"] != "").sum()),
    }
    return Observation(figures, bin_points(counts))


def _held(crowd: Scenario, where: Path, options: dict[str, object]) -> Observation:
    """One message to all that wait; then nothing, until all of the holds that began with it have ended."""
    (clients,) = crowd.clients
    hold_ns = round(crowd.hold_timeout_s * NS_PER_S)
    with ServerAndCrowds(where, "long_polling", options) as scene:
        users = scene.crowd("load", crowd)
        time.sleep(SETTLE_S)
        from_ns = now_ns()
        until_ns = from_ns + hold_ns + hold_ns // 16 + 5 * BIN_NS
        scene.post("to everyone")
        _until(until_ns)
        newest_id = scene.stats().newest_id
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
    time.sleep(max(0, instant_ns - now_ns()) / NS_PER_S)
