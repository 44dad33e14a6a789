"""Should a server write all that is due to a client at once, or each message by itself?"""

from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from loadtests.experiments.observations import Observation
from reports.charts.style import Look
from reports.experiments import Effect, Effects
from reports.experiments.bars import bars
from reports.experiments.effects import said, with_doubt
from reports.experiments.whole_cells import read_cases

TITLE: Final = "Messages that are due together: one write, or one each"
ADVICE: Final = "Write what is due to a client in one go: one write per client and turn of the loop."
MECHANISM: Final = (
    "A write costs a system call and a segment, however short it is, and the client pays for a read of each. A loop "
    "that looks at what is due when its turn comes, and writes all of it at once, pays once for messages that come "
    "together. It waits for nothing, so a message that comes alone is as early as before. And it carries more when it "
    "falls behind: the longer a turn takes, the more messages share the next one. A loop that writes each by itself "
    "has no such relief: once a message costs longer than the next one takes to come, its queue grows."
)
LIMITS: Final = (
    "40 SSE streams on the two cores that server and users share; uvloop, whose writes leave at the end of the turn. "
    "Messages are published one a turn in one arm; a server that gets them from a queue or a database meets the same "
    "choice where it takes them out. Holding messages back for some milliseconds to gather more is another practice: "
    "it trades latency for writes, and is not measured here. Of long polls the same holds (one-per-response)."
)
ARMS: Final = {"each": "a write for each message", "turn": "a write per client and turn"}
CASES: Final = {
    "slow": "20 a second",
    "brisk": "200 a second",
    "fast": "800 a second",
    "burst": "20 together, ten times a second",
}
"""Run folder of each case -> its label."""
FIGURES: Final = {
    "cpu_ms": ("cpu_ms_per_1000", "server CPU per 1,000 deliveries", "ms"),
    "segments": ("segments_per_delivery", "TCP segments per delivery, both ways", ""),
    "p50_ms": ("p50_ms", "latency, median", "ms"),
    "p99_ms": ("p99_ms", "latency, p99", "ms"),
}
"""Name -> column of the measures, meaning, unit."""
ALONE: Final = ("slow", "brisk")
"""Messages mostly come alone there."""
EFFECTS: Final = (
    *(
        Effect(
            f"{case}_{name}",
            f"{label}: {meaning}",
            unit,
            "each",
            "turn",
            expected="" if case in ALONE else "lower",
        )
        for name, (_, meaning, unit) in FIGURES.items()
        for case, label in CASES.items()
    ),
    Effect("missed", "messages missed, all cases", "", "each", "turn", expected="same", kind="difference"),
)


def read(where: Path) -> Observation:
    return read_cases(where, CASES, lambda _, row: {name: float(row[found]) for name, (found, *_) in FIGURES.items()})


def verdict(effects: Effects) -> str:
    burst, burst_p50, slow, fast, fast_p99 = (
        effects[name, "turn"] for name in ("burst_cpu_ms", "burst_p50_ms", "slow_cpu_ms", "fast_cpu_ms", "fast_p99_ms")
    )
    return with_doubt(
        f"Write what is due in one go: for messages that come together it changed the server's CPU by {said(burst)} "
        f"and the median latency by {said(burst_p50)}, at 800 random messages a second by {said(fast)} and the p99 by "
        f"{said(fast_p99)}; at 20 a second, where they come alone, the CPU by {said(slow)}.",
        burst,
        burst_p50,
        fast,
        fast_p99,
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Server CPU and the slowest deliveries."""
    panels = {"cpu_ms": "server CPU per 1,000 deliveries, ms", "p99_ms": "latency, p99, ms"}
    return bars(points, look, CASES, panels, 3.2)
