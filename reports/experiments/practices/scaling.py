"""What do several servers with one feed cost, and what do clients lose when Redis restarts or a server dies?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from loadtests.probes.cluster import Left, Plan, run
from reports.basics.units import number, quantity
from reports.charts.style import BAD, MUTED, Look, figure, ms_axis, y_title
from reports.experiments import Effect, Effects, Observation
from reports.experiments.effects import TILDE

TITLE: Final = "Several servers, one feed, through Redis"
ADVICE: Final = "To scale out, let servers share messages through Redis; Pub/Sub is enough."
MECHANISM: Final = (
    "Each message crosses Redis once to each server, so Redis hands out servers times messages, whatever the number of "
    "clients. Pub/Sub gives a message to those who listen at that moment: what is due while Redis is away is gone, and "
    "a server that starts anew knows nothing from before. A stream is read by id, so who was away reads "
    "what it lacks: late, not never. Clients keep their cursor and go on at another server when theirs dies."
)
LIMITS: Final = (
    "Redis, servers, nginx and users shared two cores here, so more servers did not deliver faster, and four only show "
    "what four cost. 50 messages a second; Redis has --appendonly, is stopped in order and away for a second; what "
    "happens when it loses its memory is in docs/scaling.md. The server that dies is not the one that publishes."
)
PROGRAMS: Final = {"nginx": "nginx", "redis-server": "redis-server"}
SETTINGS: Final[Mapping[str, tuple[str, int]]] = {
    "memory-1": ("memory", 1),
    "stream-1": ("redis-stream", 1),
    "stream-2": ("redis-stream", 2),
    "stream-4": ("redis-stream", 4),
    "pubsub-2": ("redis-pubsub", 2),
    "pubsub-4": ("redis-pubsub", 4),
}
ARMS: Final = {
    "memory-1": "1 server, memory",
    "stream-1": "1 server, Stream",
    "stream-2": "2 servers, Stream",
    "stream-4": "4 servers, Stream",
    "pubsub-2": "2 servers, Pub/Sub",
    "pubsub-4": "4 servers, Pub/Sub",
}
EFFECTS: Final = (
    Effect("p50_ms", "median latency: Redis between", "ms", "memory-1", "stream-1"),
    Effect("p50_ms", "median latency: 4 servers, Stream", "ms", "memory-1", "stream-4"),
    Effect("p50_ms", "median latency: Pub/Sub for Stream, 4 servers", "ms", "stream-4", "pubsub-4"),
    Effect("p99_ms", "p99 latency: 4 servers, Stream", "ms", "memory-1", "stream-4"),
    Effect("backplane_per_message", "times each message leaves Redis", "", "stream-1", "stream-4", "higher"),
    Effect("redis_cpu_ms_per_s", "CPU of Redis a second, 4 servers", "ms", "stream-1", "stream-4", "higher"),
    Effect("redis_cpu_ms_per_s", "CPU of Redis a second, Pub/Sub", "ms", "stream-4", "pubsub-4"),
    Effect("server_cpu_ms_per_1000", "CPU of servers per 1,000 deliveries", "ms", "memory-1", "stream-4"),
    Effect("missed_calm", "messages missed in peace", "", "memory-1", "stream-4", "same", "difference"),
    Effect("missed_away", "messages missed: Redis restarts", "", "stream-2", "pubsub-2", "higher", "difference"),
    Effect("missed_death", "messages missed: a server dies", "", "stream-2", "pubsub-2", "", "difference"),
    Effect("missed", "messages missed in all, Stream", "", "memory-1", "stream-2", "same", "difference"),
    Effect("worst_away_ms", "longest wait while Redis was away", "ms", "pubsub-2", "stream-2"),
)
SCHEDULE: Final = "poisson:50"
CLIENTS: Final = 40
LOWEST_MS: Final = 0.3
PHASES: Final = {"away": "Redis restarts", "death": "a server dies"}


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    feed, servers = SETTINGS[arm]
    plan = Plan(
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


def _points(left: Left, rows: pd.DataFrame) -> list[dict[str, float | str]]:
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


def verdict(effects: Effects) -> str:
    away, death = effects["missed_away", "pubsub-2"], effects["missed_death", "pubsub-2"]
    added, cost = effects["p50_ms", "stream-1"], effects["redis_cpu_ms_per_s", "stream-4"]
    waited = effects["worst_away_ms", "stream-2"]
    lost, kept = number(away.arm, 2), number(away.base, 2)
    if not away.proven:
        return f"{TILDE} Not shown: Redis restarted, and {lost} messages were missed with Pub/Sub."
    return (
        f"When Redis restarted, a client missed {lost} messages with Pub/Sub and {kept} with a Stream, which "
        f"brought them up to {_ms(waited.arm)} late; when a server died, {number(death.arm, 2)} and "
        f"{number(death.base, 2)}. Redis made the median latency {_ms(added.arm)} instead of {_ms(added.base)}, "
        f"and took {_ms(cost.arm)} of CPU a second for four servers, {_ms(cost.base)} for one. Take the Stream."
    )


def _ms(value: float) -> str:
    return quantity(value, "ms")


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Each message by when it was due: how late its last client had it, and below, what share of them never did."""
    shown = points[points["repeat"] == points["repeat"].min()]
    arms = [arm for arm in look.labels if arm in set(shown["arm"])]
    drawn = figure(5.6)
    axes = drawn.subplots(2, (len(arms) + 1) // 2, sharex=True, sharey=True, squeeze=False).flatten()
    highest_ms = 2 * float(shown["latency_ms"].max())
    for panel, arm in zip(axes, arms, strict=False):
        rows = shown[shown["arm"] == arm]
        had = rows[rows["missed_by"] < 1]
        lost = rows[rows["missed_by"] > 0]
        panel.plot(had["due_s"], had["latency_ms"].clip(lower=LOWEST_MS), ".", ms=2.5, color=look.line(arm))
        panel.plot(lost["due_s"], [1.4 * LOWEST_MS] * len(lost), "x", ms=4, mew=1, color=BAD)
        for (phase, title), below in zip(PHASES.items(), (1.0, 0.55), strict=True):
            begin = rows[rows["phase"] == phase]["due_s"].min()
            if begin == begin:
                panel.axvline(begin, color=MUTED, lw=0.6, ls=":")
                panel.text(begin, highest_ms * below, f" {title}", size=7, color=MUTED, va="top")
        y_title(panel, f"{look.labels[arm]}: {len(lost)} missed")
        ms_axis(panel.yaxis, LOWEST_MS, highest_ms)
    for panel in axes[len(arms) :]:
        panel.set_visible(False)
    drawn.supxlabel("message due, s; red: at least one client never had it", fontsize=8.5)
    return drawn
