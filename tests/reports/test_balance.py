"""Books that close, and every way in which records can be wrong: each must be noticed, by name."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from reports.data.load import Run
from reports.measures.measures import open_books, per_cell, summary
from reports.validity.caution import verdict
from reports.validity.checks import cautions
from tests.other_rows import with_rows

CELL = "small-6-sse-1"
Harm = Callable[[pd.DataFrame], pd.DataFrame]


def cell_of(run: Run, name: str = CELL) -> Any:
    return run.finished.set_index("cell", drop=False).loc[name].to_dict()


def harmed(run: Run, table: str, harm: Harm, *, told: bool = False) -> Run:
    """Change the rows of one cell. told: the processes also said that they recorded so many."""
    frame: pd.DataFrame = getattr(run, table)
    mine = frame["cell"] == CELL
    rows = harm(frame[mine].reset_index(drop=True))
    changed = with_rows(run, **{table: pd.concat([frame[~mine], rows], ignore_index=True).astype(frame.dtypes)})
    if not told:
        return changed
    recorded = run.cells[f"{table}_rows"].where(run.cells["cell"] != CELL, len(rows))
    return replace(changed, cells=run.cells.assign(**{f"{table}_rows": recorded}))


def drop(at: int) -> Harm:
    return lambda rows: rows.drop(index=at)


def change(column: str, by: int) -> Harm:
    def harm(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(**{column: rows[column] + by * (rows.index == len(rows) // 2)})

    return harm


def test_the_books_of_every_cell_close(run: Run) -> None:
    assert {name: open_books(run, cell_of(run, name)) for name in run.finished["cell"]} == {
        name: [] for name in run.finished["cell"]
    }


@pytest.mark.parametrize(
    ("table", "harm", "told", "says"),
    [
        ("deliveries", drop(3), False, "174 deliveries were recorded, the file has 173"),
        ("requests", drop(0), False, "6 requests were recorded, the file has 5"),
        ("samples", drop(0), False, "samples were recorded, the file has"),
        ("published", drop(5), False, "the server published 29 messages, its journal has 28 of them"),
        ("published", drop(5), False, "6 deliveries of messages that the journal does not have"),
        (
            "published",
            drop(5),
            False,
            "client 0: 16 published, but 17 delivered + 0 missed",
        ),
        ("published", drop(5), False, "and 3 clients more like that"),
        ("published", lambda rows: pd.concat([rows, rows[-1:]]), False, "its journal has 29 of them"),
        ("deliveries", change("id", 1_000), False, "1 delivery of messages that the journal does not have"),
        ("deliveries", change("due_ns", 1), False, "1 delivery with other instants than the journal has"),
        ("deliveries", change("published_ns", 1), False, "1 delivery with other instants than the journal has"),
        (
            "deliveries",
            change("due_ns", 10**12),
            False,
            "17 published, but 16 delivered + 0 missed",
        ),
        ("deliveries", change("user", 50), False, "7 clients left records, 6 were started"),
        ("deliveries", drop(3), True, "the requests of 1 client say that they brought 29 messages, 28 were recorded"),
        ("requests", change("messages", 1), False, "say that they brought 30 messages, 29 were recorded"),
    ],
)
def test_records_that_are_wrong_do_not_add_up(run: Run, table: str, harm: Harm, told: bool, says: str) -> None:
    broken = harmed(run, table, harm, told=told)
    lines = open_books(broken, cell_of(broken))
    assert says in "; ".join(lines)
    assert open_books(broken, cell_of(broken, "small-6-sse-2")) == []


def test_a_run_whose_books_do_not_close_fails_and_says_which_cell(run: Run) -> None:
    broken = harmed(run, "deliveries", drop(3))
    cells = per_cell(broken)
    found = cautions(broken, cells, summary(broken, cells))
    assert verdict(found) == "FAIL"
    assert found[0].what == "The message counts of 1 cell are inconsistent"
    assert found[0].cause.startswith(f"{CELL}: 174 deliveries were recorded, the file has 173")


def test_a_message_that_was_lost_on_the_way_is_no_fault_of_the_books(run: Run) -> None:
    """Neither recorded nor brought: missed, which is a finding about the server, and the books still close."""

    def lose(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.drop(index=rows.index[(rows["user"] == 2) & (rows["id"] == 10)])

    def brought_less(rows: pd.DataFrame) -> pd.DataFrame:
        rows.loc[rows["user"] == 2, "messages"] -= 1
        return rows

    lossy = harmed(harmed(run, "deliveries", lose, told=True), "requests", brought_less)
    assert open_books(lossy, cell_of(lossy)) == []
    counts = per_cell(lossy).set_index("cell").loc[CELL]
    assert (counts["missed"], counts["reliable_users"], counts["users"]) == (1, 5, 6)
    assert counts["owed"] == counts["received"] + counts["missed"] + counts["in_flight"]
