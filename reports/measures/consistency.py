"""PURE. Do the books close? What the server says it published, held against what the users say they received.

losses.py sorts messages into delivered, missed and in flight by the server's journal, so there the sum always
closes. Here each side is counted from its own records: owed, missed and in flight from the journal, delivered from
the users' rows and the instants in them, and both from what the processes said of themselves when they ended. Records
that were lost, doubled or mixed up make the two sides differ.
"""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from loadtests.records.rows import ROW_TYPES
from loadtests.summary.kept import Summary
from reports.basics.units import counted
from reports.data.columns import Table
from reports.measures.losses import one_each, places, repeats

SHOWN: Final = 3
STOPPING_NS: Final = 120_000_000_000
"""Processes are given less than this to end."""
LAST: Final = {"requests": "ended_ns", "deliveries": "received_ns", "samples": "at_ns"}
CellRow = Mapping[Hashable, Any]


def discrepancies(cell: CellRow, counts: pd.DataFrame, tables: Mapping[str, Table]) -> list[str]:
    """Return what does not add up in one cell, one line each; empty when its books close.

    cell: a row of `Run.cells`. counts: what `account` returned for it. tables: all rows of the cell, by table.
    """
    return [
        *_seal(cell),
        *_journal(cell, tables["published"]),
        *_instants(cell, tables),
        *_rows(cell, {name: len(table) for name, table in tables.items()}),
        *_strangers(tables["deliveries"], tables["published"]),
        *_users(cell, counts, tables["deliveries"], tables["requests"]),
    ]


def discrepancies_of(summary: Summary, cell: CellRow, counts: pd.DataFrame, tables: Mapping[str, Table]) -> list[str]:
    """The same of a cell that kept a summary: what needs a row of each delivery is not looked at.

    tables: samples and published.
    """
    return [
        *_seal(cell),
        *_journal(cell, tables["published"]),
        *_instants(cell, tables),
        *_rows(cell, {name: len(table) for name, table in tables.items()} | _recorded(summary)),
        *_summary(summary, cell, counts, tables["published"]),
    ]


def _recorded(summary: Summary) -> dict[str, int]:
    return {"requests": summary.requests.recorded, "deliveries": summary.deliveries.recorded}


def _summary(summary: Summary, cell: CellRow, counts: pd.DataFrame, published: Table) -> Iterator[str]:
    """A summary against itself, against the journal, and against the cell."""
    users = pd.DataFrame({name: getattr(summary.users, name) for name in summary.users.__struct_fields__})
    if (summary.window_from_ns, summary.window_until_ns) != (cell["window_from_ns"], cell["window_until_ns"]):
        yield "its summary is of another window"
    if (told := summary.deliveries.latency.count) != (counted_ := int(users["delivered"].sum())):
        yield f"{told:,} latencies were counted, {counted_:,} messages delivered"
    if (sums := int(users["recorded"].sum())) != summary.deliveries.recorded:
        yield f"clients recorded {sums:,} deliveries, all together {summary.deliveries.recorded:,}"
    newest = int(published["id"].max()) if len(published) else 0
    if beyond := int((users["newest"] > newest).sum()):
        yield f"{counted(beyond, 'client')} got messages that the journal does not have"
    if wrong := int((counts["missed"] < 0).sum()):
        yield f"{counted(wrong, 'client')} got more messages of the window than the journal has"
    planned = int(cell["clients"])
    if len(users) > planned:
        yield f"{counted(len(users), 'client')} left records, {planned:,} were started"
    unlike = users[users["recorded"] != users["brought"]]
    if len(unlike):
        yield _unlike(unlike["recorded"].to_numpy(), unlike["brought"].to_numpy())


def _unlike(recorded: np.ndarray, brought: np.ndarray) -> str:
    return (
        f"the requests of {counted(len(recorded), 'client')} say that they brought {brought.sum():,} "
        f"messages, {recorded.sum():,} were recorded"
    )


def _seal(cell: CellRow) -> Iterator[str]:
    if changed := cell.get("changed"):
        yield f"changed since they were measured: {changed}"


def _journal(cell: CellRow, published: Table) -> Iterator[str]:
    ids, before, newest = published["id"].to_numpy(), int(cell["published_before"]), int(cell["published"])
    # The length first: `newest` may be any number, and so many are not counted for nothing.
    if len(ids) != newest - before or not np.array_equal(ids, np.arange(before + 1, newest + 1)):
        yield f"the server published {newest - before:,} messages, its journal has {len(np.unique(ids)):,} of them"
    due, at = (published[f"{name}_ns"].to_numpy() for name in ("due", "published"))
    if early := int((at < due).sum()):
        yield f"{counted(early, 'message')} published before {'it was' if early == 1 else 'they were'} due"
    if (np.diff(at) < 0).any():
        yield "the journal is not in the order in which messages were published"


def _instants(cell: CellRow, tables: Mapping[str, Table]) -> Iterator[str]:
    """Rows from a time when there was no load: all of a cell ends when it does, give or take what stopping takes."""
    latest_ns = int(cell["load_ended_ns"]) + STOPPING_NS
    for table, column in LAST.items():
        if table not in tables:
            continue
        beyond = int((~tables[table][column].between(1, latest_ns)).sum())
        if beyond:
            yield f"{counted(beyond, 'row')} of {table} from after the load had ended, or from before all time"
    asked = tables.get("requests")
    if asked is not None and (wrong := int((asked["ended_ns"] < asked["started_ns"]).sum())):
        yield f"{counted(wrong, 'request')} ended before {'it was' if wrong == 1 else 'they were'} sent"


def _rows(cell: CellRow, rows: Mapping[str, int]) -> Iterator[str]:
    for table in ROW_TYPES:
        said, there = int(cell[f"{table}_rows"]), rows[table]
        if said != there:
            told = f"{said:,}" if said >= 0 else "an unknown number"
            yield f"{told} {table} were recorded, the file has {there:,}"


def _strangers(deliveries: Table, published: Table) -> Iterator[str]:
    """Deliveries that name a message the journal does not have, or has with other instants."""
    journal = published[["id", "due_ns", "published_ns"]].drop_duplicates("id").sort_values("id")
    ids, named = journal["id"].to_numpy(), deliveries["id"].to_numpy()
    at = np.searchsorted(ids, named)
    known = at < len(ids)
    known[known] = ids[at[known]] == named[known]
    if not known.all():
        yield f"{counted((~known).sum(), 'delivery', 'deliveries')} of messages that the journal does not have"
    other = np.zeros(known.sum(), bool)
    for instant in ("due_ns", "published_ns"):
        other |= journal[instant].to_numpy()[at[known]] != deliveries[instant].to_numpy()[known]
    if other.any():
        yield f"{counted(other.sum(), 'delivery', 'deliveries')} with other instants than the journal has"


def _users(cell: CellRow, counts: pd.DataFrame, deliveries: Table, requests: Table) -> Iterator[str]:
    """The identity, for each user and in total; and what each user's requests brought against its deliveries."""
    by, of = deliveries["user"].to_numpy(), requests["user"].to_numpy()
    users = np.union1d(np.unique(by), np.unique(of))
    got, asked = places(users, by), places(users, of)
    recorded = np.bincount(got, minlength=len(users))
    brought = np.bincount(asked, weights=requests["messages"], minlength=len(users)).astype(np.int64)
    planned = int(cell["clients"])
    if len(users) > planned:
        yield f"{counted(len(users), 'client')} left records, {planned:,} were started"
    due_ns = deliveries["due_ns"].to_numpy()
    inside = (due_ns >= cell["window_from_ns"]) & (due_ns < cell["window_until_ns"])
    delivered = _distinct(got[inside], deliveries["id"].to_numpy()[inside], len(users))
    counts = counts.assign(by_users=pd.Series(delivered, users).reindex(counts.index, fill_value=0))
    elsewhere = counts["missed"] + counts["superseded"] + counts["in_flight"]
    open_books = counts[counts["owed"] != counts["by_users"] + elsewhere]
    for user, row in open_books.head(SHOWN).iterrows():
        superseded = f"{row['superseded']:,} superseded + " if row["superseded"] else ""
        yield (
            f"client {user}: {row['owed']:,} published, but {row['by_users']:,} delivered + "
            f"{row['missed']:,} missed + {superseded}{row['in_flight']:,} in flight"
        )
    if len(open_books) > SHOWN:
        yield f"and {counted(len(open_books) - SHOWN, 'client')} more like that"
    unlike = recorded != brought
    if unlike.any():
        yield _unlike(recorded[unlike], brought[unlike])


def _distinct(who: np.ndarray, ids: np.ndarray, users: int) -> np.ndarray:
    """Return how many ids each of some users has, of which some may be there more than once."""
    pairs = one_each(who, ids)
    return np.bincount(who[~repeats(pairs)], minlength=users)
