"""The summary of a run as a table for the terminal: the same numbers as the page, in the same order."""

from pathlib import Path
from typing import Final

import pandas as pd
from rich.table import Table

from loadtests.manifest import Cell
from reports.load import load
from reports.measures import per_cell, summary

COLUMNS: Final = {
    "p50\nms": ("p50_ms", 1.0, 1),
    "p99\nms": ("p99_ms", 1.0, 1),
    "req.\n/msg": ("requests_per_delivery", 1.0, 2),
    "empty\n%": ("empty_ratio", 100.0, 0),
    "bytes\n/msg": ("http_bytes_per_delivery", 1.0, 0),
    "CPU ms\n/1,000": ("cpu_ms_per_1000", 1.0, 0),
    "kB per\nclient": ("memory_per_client_bytes", 1e-3, 1),
    "mis-\nsed": ("missed", 1.0, 0),
    "er-\nrors": ("errors", 1.0, 0),
}
"""Heading -> measure of reports.measures, factor, digits."""


def summary_table(summary: pd.DataFrame) -> Table:
    """Lay out what `measures.summary` gives: one row per situation, medians over the repeats, "" for unknown."""
    sweeps = {
        heading: name
        for heading, name in {"clients": "clients", "rtt\nms": "rtt_ms"}.items()
        if summary[name].nunique() > 1
    }
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("pattern", *sweeps, *COLUMNS):
        table.add_column(heading, justify="left" if heading == "pattern" else "right", no_wrap=True)
    for row in summary.to_dict("records"):
        values = (number(row.get(name), factor, digits) for name, factor, digits in COLUMNS.values())
        table.add_row(str(row["label"]), *(f"{row[name]:g}" for name in sweeps.values()), *values)
    return table


class Board:
    """The table of the cells that have ended so far, for who watches a run."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._seen: list[pd.DataFrame] = []

    def __call__(self, cell: Cell) -> Table:
        """Measure this cell, add it to those before it, and return the table. Raises ReportError."""
        run = load(self._run_dir, {cell.name})
        self._seen.append(per_cell(run))
        return summary_table(summary(run, pd.concat(self._seen, ignore_index=True)))


def number(value: float | None, factor: float, digits: int) -> str:
    return "" if value is None or pd.isna(value) else f"{value * factor:,.{digits}f}"
