"""One rung: what a run at one load says about the goals, and who was at its limit.

A rung that broke a goal is the server's fault only where our own side was fit to measure; else nothing is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Final

import pandas as pd

from reports.basics.units import percent
from reports.capacity.search import TriedLoad
from reports.ci.gates import judge
from reports.ci.slo import Goal
from reports.data.load import NothingMeasured, Run
from reports.data.situations import planned
from reports.validity.evidence import Evidence, evidence
from servers.timing import NS_PER_MS

STEADY: Final = 0.1
"""How far requests under way may be from rate x time beside what the edges of a window do."""
BUSY: Final = 0.9
OURS: Final = ("generator", "starved", "clock", "books", "sending")
"""Topics of cautions about our own side."""
SERVER_FAILED: Final = ("the server ended", "cannot be reached", "no whole answer", "roll call: ", "the server refused")
"""What a cell says that failed because its server was gone, too busy to say who it is, or took or told no messages."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A load and what was seen at it. figures: the median over the repeats of each measure that a goal names.

    server_cores, generator_cores: of the busiest second. under_way: messages under way as a multiple of rate x time,
    which is 1 where the load was held (Little's law). blame: the process at its limit, "" for none.
    """

    tried: TriedLoad
    figures: dict[str, float]
    server_cores: float = float("nan")
    generator_cores: float = float("nan")
    under_way: float = float("nan")
    blame: str = ""


def judged(run_dir: Path, load: int, goals: Sequence[Goal]) -> Rung:
    """Judge a run that measured one load. Raises ReportError: it cannot be read, or a goal means nothing."""
    try:
        found = evidence(run_dir)
    except NothingMeasured as nothing:
        ours = "" if _is_the_servers(str(nothing)) else f"the load side failed: {nothing}"
        return Rung(TriedLoad(load, (False,), ours), {}, blame=ours or f"the server: {nothing}")
    judge(goals, found.cells, planned(found.run.manifest))  # names a measure that there is not
    steady, windows_ms = under_way(found.run), _windows_ms(found.run)
    kept = tuple(
        all(goal.meets(float(row[goal.column])) for goal in goals)
        and _is_steady(steady[str(name)], float(row["mean_ms"]) / windows_ms[str(name)])
        for name, row in found.cells.set_index("cell").iterrows()
    )
    died = [str(cell["problems"]) for cell in found.run.cells.to_dict("records") if cell["status"] != "finished"]
    kept += (False,) * len(died)
    ours = _our_own(found, died)
    median = found.cells.median(numeric_only=True)
    return Rung(
        TriedLoad(load, kept, ours if not all(kept) else ""),
        {goal.column: float(median.get(goal.column, float("nan"))) for goal in goals},
        float(median.get("server_cpu_peak", float("nan"))),
        float(median.get("generator_cpu_peak", float("nan"))),
        float(pd.Series(steady).median()) if steady else float("nan"),
        "" if all(kept) else ours or _blamed(median, died),
    )


def under_way(run: Run) -> dict[str, float]:
    """Return for each finished cell the mean number of messages under way, divided by rate x mean time.

    By Little's law it is 1 where as many arrive as leave. More says that ever more were under way: the load was offered
    and not held.
    """
    found = {}
    for name, cell in run.finished.set_index("cell").iterrows():
        begin, end = int(cell["window_from_ns"]), int(cell["window_until_ns"])
        own = run.rows.of("deliveries", str(name))
        due, received = own["due_ns"].to_numpy(), own["received_ns"].to_numpy()
        overlap = received.clip(begin, end) - due.clip(begin, end)
        done = (received >= begin) & (received < end)
        busy = float((received - due)[done].sum())
        found[str(name)] = float(overlap.sum()) / busy if busy else 1.0
    return found


def _windows_ms(run: Run) -> dict[str, float]:
    cells = run.finished
    lengths_ms = (cells["window_until_ns"] - cells["window_from_ns"]) / NS_PER_MS
    return dict(zip(cells["cell"].astype(str), lengths_ms, strict=True))


def _is_steady(ratio: float, across: float) -> bool:
    """What lies across an edge of the window counts on one side and not on the other: that share of it, each time."""
    return abs(ratio - 1) <= STEADY + 2 * across


def _our_own(found: Evidence, died: Sequence[str]) -> str:
    """Say why the server cannot be blamed, "" where it can."""
    for caution in found.cautions:
        if caution.severity in ("invalid", "fail") and caution.topic in OURS:
            return f"the load generator was the limit: {caution.what}"
    if broken := [why for why in died if not _is_the_servers(why)]:
        return f"the load side failed: {broken[0]}"
    return ""


def _is_the_servers(problem: str) -> bool:
    return any(words in problem for words in SERVER_FAILED)


def _blamed(median: "pd.Series[float]", died: Sequence[str]) -> str:
    """Name what ran out, as far as it was watched."""
    if died:
        return f"the server: {died[0]}"
    for column, what in {"server_cpu_peak": "the server's core", "relay_cpu_peak": "the relay's core"}.items():
        if median.get(column, 0) >= BUSY:
            return f"{what}, {percent(float(median[column]))} of it used in the busiest second"
    if median.get("server_waited_share", 0) > 1 - BUSY:
        return "the machine: the server waited for CPU"
    if isnan(used := float(median["server_cpu_peak"])):
        return "the server (its cost was not measured)"
    return f"the server, which used only {percent(used)} of a core in its busiest second: it waits for something else"
