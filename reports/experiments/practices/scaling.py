"""What do several servers with one feed cost, and what do clients lose when Redis restarts or a server dies?"""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from reports.basics.units import number
from reports.charts.style import BAD, MUTED, Look, ms_axis, y_title
from reports.experiments import Effect, Effects
from reports.experiments.bars import panels
from reports.experiments.effects import TILDE, ms

TITLE: Final = "Several servers, one feed, through Redis"
ADVICE: Final = "To scale out, let servers share messages through Redis; Pub/Sub is enough."
MECHANISM: Final = (
    "Each message crosses Redis once for each server, so Redis sends servers times messages, whatever the number of "
    "clients. Pub/Sub gives a message to those that listen at that moment: a message that is due while Redis is away "
    "is lost, and a server that starts anew knows nothing from before. A stream is read by id, so a server that was "
    "away reads what it lacks: late, but not lost. Clients keep their cursor and go on at another server when theirs "
    "dies."
)
LIMITS: Final = (
    "Redis, servers, nginx and users shared two cores here, so more servers did not deliver faster; four show only "
    "what four cost. 50 messages a second; Redis has --appendonly, is stopped in order and away for a second; "
    "docs/scaling.md tells what happens when it loses its memory. The server that dies is not the one that publishes."
)
ARMS: Final = {
    "memory-1": "1 server, memory",
    "stream-1": "1 server, Stream",
    "stream-2": "2 servers, Stream",
    "stream-4": "4 servers, Stream",
    "pubsub-2": "2 servers, Pub/Sub",
    "pubsub-4": "4 servers, Pub/Sub",
}
EFFECTS: Final = (
    Effect("p50_ms", "median latency: with Redis", "ms", "memory-1", "stream-1"),
    Effect("p50_ms", "median latency: 4 servers, Stream", "ms", "memory-1", "stream-4"),
    Effect("p50_ms", "median latency: Pub/Sub for Stream, 4 servers", "ms", "stream-4", "pubsub-4"),
    Effect("p99_ms", "p99 latency: 4 servers, Stream", "ms", "memory-1", "stream-4"),
    Effect("backplane_per_message", "times each message leaves Redis", "", "stream-1", "stream-4", "higher"),
    Effect("redis_cpu_ms_per_s", "CPU of Redis a second, 4 servers", "ms", "stream-1", "stream-4", "higher"),
    Effect("redis_cpu_ms_per_s", "CPU of Redis a second, Pub/Sub", "ms", "stream-4", "pubsub-4"),
    Effect("server_cpu_ms_per_1000", "CPU of servers per 1,000 deliveries", "ms", "memory-1", "stream-4"),
    Effect("missed_calm", "messages missed while nothing happened", "", "memory-1", "stream-4", "same", "difference"),
    Effect("missed_away", "messages missed: Redis restarts", "", "stream-2", "pubsub-2", "higher", "difference"),
    Effect("missed_death", "messages missed: a server dies", "", "stream-2", "pubsub-2", "", "difference"),
    Effect("missed", "messages missed in all, Stream", "", "memory-1", "stream-2", "same", "difference"),
    Effect("worst_away_ms", "longest delay while Redis was away", "ms", "pubsub-2", "stream-2"),
)
LOWEST_MS: Final = 0.3
PHASES: Final = {"away": "Redis restarts", "death": "a server dies"}


def verdict(effects: Effects) -> str:
    away, death = effects["missed_away", "pubsub-2"], effects["missed_death", "pubsub-2"]
    added, cost = effects["p50_ms", "stream-1"], effects["redis_cpu_ms_per_s", "stream-4"]
    waited = effects["worst_away_ms", "stream-2"]
    lost, kept = number(away.arm, 2), number(away.base, 2)
    if not away.proven:
        return f"{TILDE} Not shown: Redis restarted, and {lost} messages were missed with Pub/Sub."
    return (
        f"When Redis restarted, a client missed {lost} messages with Pub/Sub and {kept} with a Stream, which "
        f"brought them up to {ms(waited.arm)} late; when a server died, {number(death.arm, 2)} and "
        f"{number(death.base, 2)}. Redis made the median latency {ms(added.arm)} instead of {ms(added.base)}, "
        f"and took {ms(cost.arm)} of CPU a second for four servers, {ms(cost.base)} for one. Take the Stream."
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Each message by when it was due: the latency of its last client; red, if any client never received it."""
    shown = points[points["repeat"] == points["repeat"].min()]
    drawn, axes = panels(shown, look, 5.6)
    highest_ms = 2 * float(shown["latency_ms"].max())
    for arm, panel in axes.items():
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
    drawn.supxlabel("message due, s; red: at least one client never received it", fontsize=8.5)
    return drawn
