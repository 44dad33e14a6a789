"""Several servers share one feed through Redis. First nothing happens, then Redis restarts, then a server dies."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from loadtests.experiments.observations import Observation, Points
from loadtests.probes.cluster import ClusterPlan, Left, run

PROGRAMS: Final = {"nginx": "nginx", "redis-server": "redis-server"}
ARMS: Final[Mapping[str, tuple[str, int]]] = {
    "memory-1": ("memory", 1),
    "stream-1": ("redis-stream", 1),
    "stream-2": ("redis-stream", 2),
    "stream-4": ("redis-stream", 4),
    "pubsub-2": ("redis-pubsub", 2),
    "pubsub-4": ("redis-pubsub", 4),
}
"""The feed, and how many servers share it."""
SCHEDULE: Final = "poisson:50"
CLIENTS: Final = 40


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    feed, servers = ARMS[arm]
    plan = ClusterPlan(
        feed=feed,
        servers=servers,
        clients=10 if quick else CLIENTS,
        schedule=SCHEDULE,
        calm_s=1.0 if quick else 3.0,
        away_s=0.0 if feed == "memory" else 0.5 if quick else 1.0,
        death=servers > 1,
    )
    left = run(plan, where)
    rows = deliveries(left)
    calm = rows[rows["phase"] == "calm"]
    calm_s = (left.phases["calm"][1] - left.phases["calm"][0]) / 1e9
    figures = {
        "published": float(len(left.due_ns)),
        "p50_ms": float(calm["latency_ms"].quantile(0.5)),
        "p99_ms": float(calm["latency_ms"].quantile(0.99)),
        "backplane_per_message": left.backplane_messages / left.calm_messages,
        "redis_cpu_ms_per_s": left.redis_cpu_ns / 1e6 / calm_s,
        "server_cpu_ms_per_1000": left.server_cpu_ns / 1e3 / len(calm),
        "repeated": float(rows.duplicated(["user", "id"]).sum()),
    }
    for phase, (missed, worst_ms) in account(left, rows).items():
        figures |= {f"missed_{phase}": missed, f"worst_{phase}_ms": worst_ms}
    figures["missed"] = sum(value for name, value in figures.items() if name.startswith("missed_"))
    return Observation(figures, _points(left, rows))


def deliveries(left: Left) -> pd.DataFrame:
    """Return user, id, latency_ms and phase of every delivery."""
    rows = pd.read_parquet(left.deliveries, columns=["user", "id", "due_ns", "received_ns"])
    rows["latency_ms"] = (rows["received_ns"] - rows["due_ns"]) / 1e6
    rows["phase"] = [phase_of(left, due_ns) for due_ns in rows["due_ns"]]
    return rows


def phase_of(left: Left, due_ns: int) -> str:
    """Name the phase in which a message was due; between two, the one before."""
    begun = [name for name, (from_ns, _) in left.phases.items() if from_ns <= due_ns]
    return begun[-1] if begun else next(iter(left.phases))


def account(left: Left, rows: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Return, for each phase, messages that a client missed on average, and the longest latency in ms."""
    due = pd.Series({at: phase_of(left, due_ns) for at, due_ns in left.due_ns.items()})
    got = rows.drop_duplicates(["user", "id"])
    owed, had = due.value_counts() * left.users, got["phase"].value_counts()
    worst_ms = rows.groupby("phase")["latency_ms"].max()
    return {
        phase: (float(owed.get(phase, 0) - had.get(phase, 0)) / left.users, float(worst_ms.get(phase, 0.0)))
        for phase in left.phases
    }


def _points(left: Left, rows: pd.DataFrame) -> Points:
    """Return one point a message: its worst latency, how many clients missed it, and when it was due."""
    start_ns = left.phases["calm"][0]
    got = (
        rows.drop_duplicates(["user", "id"]).groupby("id").agg(latency_ms=("latency_ms", "max"), had=("user", "count"))
    )
    return [
        {
            "due_s": (due_ns - start_ns) / 1e9,
            "phase": phase_of(left, due_ns),
            "latency_ms": float(got["latency_ms"].get(at, float("nan"))),
            "missed_by": float(left.users - got["had"].get(at, 0)) / left.users,
        }
        for at, due_ns in left.due_ns.items()
    ]
