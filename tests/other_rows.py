"""A run with other rows than its files have, as tests need it that ask what a report makes of them."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from reports.data.columns import Columns
from reports.data.load import Run, RunRows


class OtherRows(RunRows):
    """The rows of a run, but for some tables, which have the cell of each row."""

    def __init__(self, rows: RunRows, tables: Mapping[str, pd.DataFrame]) -> None:
        self._rows = rows
        self._tables = tables
        self.summaries = rows.summaries

    def of(self, table: str, cell: str) -> pd.DataFrame:
        if table not in self._tables:
            return self._rows.of(table, cell)
        frame = self._tables[table]
        return frame[frame["cell"] == cell].reset_index(drop=True)

    def columns(self, table: str, cell: str) -> Columns:
        if table not in self._tables:
            return self._rows.columns(table, cell)
        frame = self.of(table, cell)
        return Columns([str(name) for name in frame], len(frame), frame.__getitem__)


def with_rows(run: Run, **tables: pd.DataFrame) -> Run:
    return replace(run, rows=OtherRows(run.rows, tables))
