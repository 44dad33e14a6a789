"""PURE. Were the messages made when the schedule wanted them? It was known before the run, so the server's word is not
needed: its journal is held against it.

Latency counts from due_ns. A server that moves it, say to when it came round to publishing, hides its own lateness; one
that leaves messages out looks faster than it is.
"""

from collections.abc import Hashable, Iterable, Mapping
from itertools import islice, takewhile
from typing import Any, Final

import numpy as np
import pandas as pd

from loadtests.records.manifest import SESSION
from loadtests.scenario.settings import schedules
from loadtests.scenario.timetable import due_instants_ns
from reports.basics.records import records
from reports.basics.units import counted, examples, quantity
from reports.validity.caution import Caution, Facts
from servers.feed.schedule import Manual, parse_schedule
from servers.timing import NS_PER_MS, NS_PER_S

TOLERANCE_NS: Final = 1_000
"""Another language may round an offset in another way."""
AFTER_NS: Final = 1_000_000_000
"""A message may be on its way into the journal while the end is noted."""
GONE_THROUGH_MAX: Final = 5_000_000
"""Messages since the start of a schedule; so many take 2 s to be gone through."""
SHOWN: Final = 3
CellRow = Mapping[Hashable, Any]


def timetable(facts: Facts) -> Iterable[Caution]:
    """Messages that the schedule does not have, or that it has and the server did not publish."""
    told = departures_by_hand if facts.run.manifest.kind == SESSION else departures
    lines = [
        f"{cell['cell']}: {line}"
        for cell in records(facts.run.finished)
        for line in told(cell, _schedule(facts, cell), _scheduled(facts, cell))
    ]
    if lines:
        yield Caution(
            "invalid",
            "The server did not publish by its schedule",
            f"{examples(lines, SHOWN)}. Latency counts from the instant that the schedule gives a message, so it is "
            "wrong where the server gives another instant or leaves messages out.",
            "Have the server set due_ns to start_at_ns plus the schedule's offset, and publish every message "
            "(docs/howto/own-server.md); if it could not keep up, lower the rate.",
            "publisher",
        )


def departures(cell: CellRow, schedule: str, published: pd.DataFrame) -> list[str]:
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
    return lines + _untimely(cell, due_ns, published_ns)


def departures_by_hand(cell: CellRow, schedule: str, published: pd.DataFrame) -> list[str]:
    """The same of a test driven by hand, whose server has a past and may be published to by hand as well.

    What is posted is due when it is published. So a schedule's instants must all be there, and what else there is must
    have come when it was due.
    """
    start_ns, until_ns = int(cell["publish_from_ns"]), int(cell["window_until_ns"])
    if not start_ns or _begun_long_ago(cell, schedule):
        return []
    due_ns, published_ns = published["due_ns"].to_numpy(), published["published_ns"].to_numpy()
    inside = (due_ns >= cell["window_from_ns"]) & (due_ns < until_ns)
    offsets = takewhile(lambda offset_ns: start_ns + offset_ns < until_ns, parse_schedule(schedule).offsets_ns())
    wanted_ns = start_ns + np.fromiter(offsets, np.int64)
    wanted_ns = wanted_ns[wanted_ns >= cell["window_from_ns"]]
    absent, extra = _unlike(wanted_ns, np.sort(due_ns[inside]))
    posted = int((due_ns[inside] == published_ns[inside]).sum())
    lines = []
    if absent:
        lines.append(f"{absent:,} of {counted(len(wanted_ns), 'message')} that the schedule had were never published")
    if extra > posted:
        lines.append(f"{counted(extra - posted, 'message')} due at instants that the schedule does not have")
    return lines + _untimely(cell, due_ns, published_ns)


def unknown_timetable(facts: Facts) -> Iterable[Caution]:
    """A test driven by hand whose messages cannot be compared with a schedule."""
    if facts.run.manifest.kind != SESSION:
        return
    for cell in records(facts.run.finished):
        schedule = _schedule(facts, cell)
        if not cell["publish_from_ns"] or _begun_long_ago(cell, schedule):
            yield Caution(
                "suspect",
                "The due instants of the messages are unknown",
                f"the server shares a feed that others publish to, or began {schedule} too long ago, so its "
                "journal was not compared with the schedule.",
                "Start a new schedule for each test (--schedule, or the form's field).",
                "publisher",
            )
            return


def _begun_long_ago(cell: CellRow, schedule: str) -> bool:
    past_s = (int(cell["window_until_ns"]) - int(cell["publish_from_ns"])) / NS_PER_S
    return parse_schedule(schedule).rate_per_s * past_s > GONE_THROUGH_MAX


def _unlike(wanted_ns: np.ndarray, due_ns: np.ndarray) -> tuple[int, int]:
    """Return how many of one, and of the other, have no like within the tolerance. Both ascend."""
    at = met = 0
    for instant_ns in wanted_ns:
        while at < len(due_ns) and due_ns[at] < instant_ns - TOLERANCE_NS:
            at += 1
        if at < len(due_ns) and due_ns[at] <= instant_ns + TOLERANCE_NS:
            at, met = at + 1, met + 1
    return len(wanted_ns) - met, len(due_ns) - met


def _untimely(cell: CellRow, due_ns: np.ndarray, published_ns: np.ndarray) -> list[str]:
    lines = []
    if early := int((published_ns < due_ns).sum()):
        lines.append(f"{counted(early, 'message')} published before being due")
    if late := int((published_ns > int(cell["load_ended_ns"]) + AFTER_NS).sum()):
        lines.append(f"{counted(late, 'message')} published after the end")
    return lines


def _setting(facts: Facts, cell: CellRow) -> Mapping[str, Any]:
    (setting,) = (each for each in facts.run.manifest.scenarios if each["name"] == cell["scenario"])
    return setting


def _schedule(facts: Facts, cell: CellRow) -> str:
    """Return the schedule of a cell: the one of its scenario that has the cell's rate."""
    return schedules(str(_setting(facts, cell)["schedule"]))[float(cell["rate_per_s"])]


def _scheduled(facts: Facts, cell: CellRow) -> pd.DataFrame:
    """Return the journal of a cell, of a server that is not ours without the roll call, which came before."""
    published: pd.DataFrame = facts.run.rows.of("published", cell["cell"])
    if not _setting(facts, cell).get("adapter"):
        return published
    scheduled: pd.DataFrame = published[published["due_ns"] >= cell["publish_from_ns"]]
    return scheduled
