"""PURE. Were the messages made when the schedule wanted them? It was known before the run, so the server's word is not
needed: its journal is held against it.

Latency counts from due_ns. A server that moves it, say to when it came round to publishing, hides its own lateness; one
that leaves messages out looks faster than it is.
"""

from collections.abc import Hashable, Iterable, Mapping
from itertools import islice
from typing import Any, Final

import numpy as np
import pandas as pd

from loadtests.records.manifest import SESSION
from loadtests.scenario.scenarios import schedules
from loadtests.scenario.timetable import due_instants_ns
from reports.basics.units import counted, quantity
from reports.measures.costs import NS_PER_MS
from reports.validity.caution import Caution, Facts
from servers.feed.schedule import Manual, parse_schedule

TOLERANCE_NS: Final = 1_000
"""Another language may round an offset in another way."""
AFTER_NS: Final = 1_000_000_000
"""A message may be on its way into the journal while the end is noted."""
SHOWN: Final = 3
Cell = Mapping[Hashable, Any]


def timetable(facts: Facts) -> Iterable[Caution]:
    """Messages that are not the schedule's, or that it had and the server did not make."""
    if facts.run.manifest.kind == SESSION:
        return  # its server has a history, and may be published to by hand
    lines = [
        f"{cell['cell']}: {line}"
        for cell in facts.run.finished.to_dict("records")
        for line in departures(cell, _schedule(facts, cell), _scheduled(facts, cell))
    ]
    if lines:
        more = f"; and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
        yield Caution(
            "invalid",
            "The server did not publish by its schedule",
            "; ".join(lines[:SHOWN]) + more + ". Latency counts from when the schedule wanted a message, so it means "
            "nothing where the server says otherwise or leaves messages out.",
            "Have the server set due_ns to start_at_ns plus the schedule's offset, and publish every message "
            "(docs/howto/own-server.md); if it could not keep up, lower the rate.",
            "publisher",
        )


def departures(cell: Cell, schedule: str, published: pd.DataFrame) -> list[str]:
    """Return how the journal of one cell departs from its schedule, one line each.

    cell: a row of `Run.finished`. published: its journal.
    """
    if isinstance(parse_schedule(schedule), Manual):
        return []
    start_ns, until_ns = int(cell["publish_from_ns"]), int(cell["window_until_ns"])
    journal = published.sort_values("id")
    due_ns, published_ns = journal["due_ns"].to_numpy(), journal["published_ns"].to_numpy()
    offsets = parse_schedule(schedule).offsets_ns()
    wanted_ns = start_ns + np.fromiter(islice(offsets, len(due_ns)), np.int64)
    lines = []
    # As floats: the difference of two clocks may not fit into 64 bits.
    moved_ns = np.abs(due_ns[: len(wanted_ns)].astype(float) - wanted_ns)
    wrong = moved_ns > TOLERANCE_NS
    if wrong.any():
        lines.append(
            f"{wrong.sum():,} of {counted(len(due_ns), 'message')} name another due instant than the schedule's, "
            f"{quantity(float(np.median(moved_ns[wrong])) / NS_PER_MS, 'ms')} away in the median"
        )
    if len(wanted_ns) < len(due_ns):
        lines.append(f"{counted(len(due_ns) - len(wanted_ns), 'message')} more than the schedule has")
    made, in_window = len(due_ns), sum(1 for _ in due_instants_ns(schedule, start_ns, start_ns, until_ns))
    if made < in_window:
        lines.append(
            f"{in_window - made:,} of {counted(in_window, 'message')} due by the window's end were never published"
        )
    if early := int((published_ns < due_ns).sum()):
        lines.append(f"{counted(early, 'message')} published before being due")
    if late := int((published_ns > int(cell["load_ended_ns"]) + AFTER_NS).sum()):
        lines.append(f"{counted(late, 'message')} published after the end")
    return lines


def _setting(facts: Facts, cell: Cell) -> Mapping[str, Any]:
    (setting,) = (each for each in facts.run.manifest.scenarios if each["name"] == cell["scenario"])
    return setting


def _schedule(facts: Facts, cell: Cell) -> str:
    """Return the schedule of a cell: the one of its scenario that has the cell's rate."""
    return schedules(str(_setting(facts, cell)["schedule"]))[float(cell["rate_per_s"])]


def _scheduled(facts: Facts, cell: Cell) -> pd.DataFrame:
    """Return the journal of a cell, of a server that is not ours without the roll call, which came before."""
    published: pd.DataFrame = facts.run.published[facts.run.published["cell"] == cell["cell"]]
    if not _setting(facts, cell).get("adapter"):
        return published
    scheduled: pd.DataFrame = published[published["due_ns"] >= cell["publish_from_ns"]]
    return scheduled
