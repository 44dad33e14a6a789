"""PURE. The summary as rows of text: the numbers, the best ones, the header."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
import pandas as pd

from loadtests.scenario.dimensions import COLUMNS
from reports.basics.records import records
from reports.basics.units import NONE, number
from reports.data.clock_error import clock_told
from reports.data.situations import differing
from reports.measures.measures import MEASURES, Measure
from reports.measures.ranking import SummaryRow, ranking

COUNTED: Final = (
    Measure(
        "missed", "Lost", "missed", "", "deliveries that were overtaken by newer ones, or had not arrived at the end"
    ),
    Measure("duplicated", "Lost", "twice", "", "deliveries that arrived more than once"),
    Measure("errors", "Lost", "errors", "", "requests that failed"),
)


@dataclass(frozen=True, slots=True)
class TableCell:
    """A number and its interval as text. `best`: no pattern is measurably better, and one is worse.

    clock: by how much two clocks may make it wrong, "" for not at all.
    """

    value: str
    interval: str = ""
    best: bool = False
    bad: bool = False
    clock: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: a pattern. where: clients, round trip and rate, as far as the table has several."""

    pattern: str
    label: str
    where: str
    cells: Sequence[TableCell]


@dataclass(frozen=True, slots=True)
class Table:
    """groups: (title, number of columns), left to right."""

    groups: Sequence[tuple[str, int]]
    columns: Sequence[Measure]
    lines: Sequence[TableRow]


def table(
    rows: pd.DataFrame,
    measures: Sequence[Measure] = MEASURES,
    counts: Sequence[Measure] = COUNTED,
    *,
    ranked: bool = True,
) -> Table:
    """Lay out the summary of one scenario; columns that were measured for no pattern are left out.

    ranked: mark what is best in a column.
    """
    measured = [measure for measure in measures if _worth_showing(rows[measure.name], measure)]
    columns = [*measured, *counts]
    groups = [(title, len(list(group))) for title, group in groupby(columns, key=lambda column: column.group)]
    lines = []
    for _, scene in rows.groupby(COLUMNS, sort=False):
        where = ", ".join(differing(scene.iloc[0].to_dict(), rows))
        best = {measure.name: _best(scene, measure.name) if ranked else set() for measure in measured}
        for row in records(scene):
            cells = [_measured(row, measure, best[measure.name]) for measure in measured]
            cells += [_counted(row, count.name) for count in counts]
            lines.append(TableRow(row["pattern"], row["label"], where, cells))
    return Table(groups, columns, lines)


def _worth_showing(values: "pd.Series[float]", measure: Measure) -> bool:
    return bool(values.notna().any() and not (measure.optional and (values.fillna(0) == 0).all()))


def _best(rows: pd.DataFrame, name: str) -> set[str]:
    first, rest = ranking(rows, name)
    return {row["pattern"] for row in first} if rest else set()


def _measured(row: SummaryRow, measure: Measure, best: set[str]) -> TableCell:
    value, low, high = (row[f"{measure.name}{edge}"] / measure.scale for edge in ("", "_low", "_high"))
    if not np.isfinite(value):
        return TableCell(NONE)
    if np.isnan(low):
        # A single repeat has no interval of chance, but one of its instrument.
        low, high = row.get(f"{measure.name}_floor", np.nan) / measure.scale, value
    ends = [number(low), number(high)]
    interval = "" if np.isnan(low) or ends[0] == ends[1] else "\N{EN DASH}".join(ends)
    return TableCell(number(value), interval, row["pattern"] in best, clock=clock_told(row, measure.name, unit=""))


def _counted(row: SummaryRow, name: str) -> TableCell:
    count = int(row[name]) + (int(row["in_flight"]) if name == "missed" else 0)
    return TableCell(f"{count:,}", bad=count > 0)
