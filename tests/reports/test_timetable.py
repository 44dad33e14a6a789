"""A journal held against the schedule, which was known before the run."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from itertools import islice
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from reports.data.load import Run
from reports.measures.measures import per_cell, summary
from reports.validity.caution import Facts
from reports.validity.timetable import GONE_THROUGH_MAX, departures, departures_by_hand, timetable, unknown_timetable
from servers.feed.schedule import parse_schedule
from tests.other_rows import with_rows

START_NS = 5_000_000_000
CELL: dict[Hashable, Any] = {
    "publish_from_ns": START_NS,
    "window_until_ns": START_NS + 4_000_000_000,
    "load_ended_ns": 11_000_000_000,
}
SCHEDULES = ["steady:10", "poisson:10", "poisson:10,seed=7", "burst:5/1", "stairs:5-20/4x1,random"]
Spoil = Callable[[pd.DataFrame], pd.DataFrame]


def journal(schedule: str) -> pd.DataFrame:
    """What a server writes that keeps to its schedule, a little late each time."""
    due_ns = START_NS + np.array(list(islice(parse_schedule(schedule).offsets_ns(), 60)))
    due_ns = due_ns[due_ns < 10_000_000_000]
    return pd.DataFrame({"id": range(1, len(due_ns) + 1), "due_ns": due_ns, "published_ns": due_ns + 300_000})


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_journal_that_keeps_to_its_schedule_is_nothing_to_mention(schedule: str) -> None:
    assert departures(CELL, schedule, journal(schedule)) == []


def test_an_offset_that_another_language_rounds_otherwise_is_no_departure() -> None:
    rounded = journal("poisson:10").assign(due_ns=lambda rows: rows["due_ns"] - 999)
    assert departures(CELL, "poisson:10", rounded) == []


def due_when_published(rows: pd.DataFrame) -> pd.DataFrame:
    late_ns = rows["due_ns"] + 200_300_000
    return rows.assign(due_ns=late_ns, published_ns=late_ns)


LIES: dict[str, tuple[Spoil, str]] = {
    "due = published": (due_when_published, "name another due instant than the schedule's, 200"),
    "microseconds": (lambda rows: rows // [1, 1000, 1000], "another due instant"),
    "wall clock": (lambda rows: rows.add([0, 179 * 10**16, 179 * 10**16]), "another due instant"),
    "half of them": (lambda rows: rows[::2].assign(id=range(1, len(rows[::2]) + 1)), "another due instant"),
    "least": (lambda rows: rows.assign(due_ns=-(2**63)), "another due instant"),
    "stopped": (lambda rows: rows[rows["due_ns"] < START_NS + 2 * 10**9], "the window's end were never published"),
    "nothing": (lambda rows: rows[:0], "the window's end were never published"),
    "early": (lambda rows: rows.assign(published_ns=rows["due_ns"] - 1), "published before being due"),
    "late": (lambda rows: rows.assign(published_ns=rows["published_ns"] + 10**12), "published after the end"),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("spoil", "words"), LIES.values(), ids=LIES)
def test_a_journal_that_departs_from_the_schedule_says_how(schedule: str, spoil: Spoil, words: str) -> None:
    assert words in "; ".join(departures(CELL, schedule, spoil(journal(schedule))))


def test_messages_that_nobody_scheduled_are_found() -> None:
    due_ns = START_NS + np.arange(1, 6) * 1_000_000_000
    rows = pd.DataFrame({"id": range(1, 6), "due_ns": due_ns, "published_ns": due_ns})
    found = departures(CELL, "stairs:1-1/4x1", rows)
    assert "1 message more than the schedule has" in found


def test_a_run_whose_journal_departs_is_invalid(run: Run) -> None:
    cells = per_cell(run)
    assert list(timetable(Facts(run, cells, summary(run, cells)))) == []
    moved = with_rows(run, published=run.published.assign(due_ns=run.published["due_ns"] + 5_000))
    (caution,) = timetable(Facts(moved, cells, summary(run, cells)))
    assert caution.severity == "invalid"
    assert caution.what == "The server did not publish by its schedule"


# Driven by hand

BY_HAND = CELL | {"window_from_ns": START_NS + 1_000_000_000}
WINDOW_LIES = {
    name: LIES[name][0] for name in ("due = published", "microseconds", "wall clock", "half of them", "nothing")
}


def with_posts(rows: pd.DataFrame) -> pd.DataFrame:
    """Somebody publishes by hand too, and some messages are from before the schedule."""
    posted_ns = [START_NS - 7, START_NS + 1_500_000_123, START_NS + 2_000_000_001]
    posts = pd.DataFrame({"id": 0, "due_ns": posted_ns, "published_ns": posted_ns})
    both = pd.concat([rows, posts]).sort_values("published_ns")
    return both.assign(id=range(31, 31 + len(both)))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_by_hand_a_server_may_have_a_past_and_be_published_to(schedule: str) -> None:
    assert departures_by_hand(BY_HAND, schedule, with_posts(journal(schedule))) == []
    assert departures_by_hand(BY_HAND, "manual", with_posts(journal(schedule)[:0])) == []


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("spoil", WINDOW_LIES.values(), ids=WINDOW_LIES)
def test_by_hand_what_a_schedule_wants_must_be_there(schedule: str, spoil: Spoil) -> None:
    found = "; ".join(departures_by_hand(BY_HAND, schedule, with_posts(spoil(journal(schedule)))))
    assert "that the schedule had were never published" in found


def test_by_hand_a_message_that_neither_the_schedule_nor_a_post_explains_is_found() -> None:
    strange = journal("steady:10")
    strange.loc[len(strange)] = [99, START_NS + 2_033_000_000, START_NS + 2_034_000_000]
    assert departures_by_hand(BY_HAND, "steady:10", strange) == [
        "1 message due at instants that the schedule does not have"
    ]


@pytest.mark.parametrize("start_ns", [0, START_NS - GONE_THROUGH_MAX * 10**9])
def test_by_hand_a_start_that_is_unknown_or_too_long_ago_puts_the_run_in_doubt(run: Run, start_ns: int) -> None:
    manifest = msgspec.structs.replace(run.manifest, kind="session")
    by_hand = replace(run, manifest=manifest, cells=run.cells.assign(publish_from_ns=start_ns))
    cells = per_cell(run)
    facts = Facts(by_hand, cells, summary(run, cells))
    (caution,) = unknown_timetable(facts)
    assert caution.severity == "suspect"
    assert list(timetable(facts)) == []
