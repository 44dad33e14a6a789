"""Parquet and CSV of a cell -> frames. A file must hold what recorder and server write: whole numbers, none missing, in
their range. Nothing is repaired.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loadtests.records.rows import ERRORS, MODES, ROLES, ROW_TYPES

NAMED: Final = {"error": ERRORS, "mode": MODES, "role": ROLES}
NARROW: Final = {"user": "int32", "pid": "int32", "connection": "int32", "status": "int16", "bytes": "int32"}
JOURNAL: Final = ["id", "due_ns", "published_ns"]
LAST_INSTANT_NS: Final = 2**62
ROW_BYTES: Final = 100
"""What a row takes in memory, about."""


class ReportError(Exception):
    """A run that cannot be reported: one line naming what, and the remedy. The command exits with 2."""


def journal(folder: Path) -> pd.DataFrame:
    """Return what the server published, the columns of JOURNAL. Raises ReportError."""
    file = folder / "published.csv"
    with _readable(file):
        frame = pd.read_csv(file, dtype="int64")[JOURNAL]
        for column in JOURNAL:
            _check_range(column, frame[column].min(), frame[column].max())
        return frame


def rows_of(folder: Path, table: str, pattern: str) -> pd.DataFrame:
    """Return the rows of a table of arrival.py, all of one pattern. Raises ReportError."""
    file = folder / f"{table}.parquet"
    kind = ROW_TYPES[table][0]
    with _readable(file):
        found = pq.ParquetFile(file)
        if found.metadata.num_rows * ROW_BYTES > _memory_bytes():
            raise ValueError(f"{found.metadata.num_rows:,} rows are more than this machine's memory holds")
        there = set(found.schema_arrow.names)
        if missing := set(kind._fields) - there - set(kind._field_defaults):
            raise ValueError(f"no column {', '.join(sorted(missing))}")
        columns = [name for name in kind._fields if name in there]
        rows = pq.read_table(file, columns=columns, read_dictionary=[name for name in columns if name in NAMED])
        _check(rows)
        if table != "samples" and "pattern" in there:
            _check_pattern(file, pattern)
        return _frame(rows, kind._fields, dict(kind._field_defaults))


def _frame(rows: pa.Table, fields: tuple[str, ...], defaults: dict[str, int]) -> pd.DataFrame:
    frame: pd.DataFrame = rows.to_pandas(split_blocks=True, self_destruct=True)
    for column in frame.columns.symmetric_difference(list(fields)):
        frame[column] = defaults[column]
    for column in frame.columns.intersection(list(NAMED)):
        if unknown := set(frame[column].unique()) - set(NAMED[column]):
            raise ValueError(f"{column} {sorted(map(str, unknown))} unknown to this version")
        frame[column] = frame[column].astype(pd.CategoricalDtype(list(NAMED[column])))
    return frame.astype({column: dtype for column, dtype in NARROW.items() if column in frame})


def _check(rows: pa.Table) -> None:
    """Refuse numbers that are none (a missing one makes a column of fractions), and those that are never recorded."""
    for name in rows.column_names:
        column = rows[name]
        if column.null_count:
            raise ValueError(f"{name}: {column.null_count} missing")
        if name in NAMED:
            continue
        if not pa.types.is_integer(column.type):
            raise ValueError(f"{name} holds {column.type}, not whole numbers")
        if len(column):
            least, most = pc.min_max(column).as_py().values()
            _check_range(name, least, most)


def _check_range(name: str, least: int, most: int) -> None:
    limit = np.iinfo(NARROW[name]).max if name in NARROW else LAST_INSTANT_NS
    if least < -1 or most > limit:
        raise ValueError(f"{name} {least if least < -1 else most} is out of range")


def _check_pattern(file: Path, pattern: str) -> None:
    others = set(pq.read_table(file, columns=["pattern"])["pattern"].unique().to_pylist()) - {pattern}
    if others:
        raise ValueError(f"its rows are of {', '.join(sorted(map(str, others)))[:60]}, not of {pattern}")


def _check_file(file: Path) -> None:
    """Refuse a pipe, which would wait forever for a writer. Raises OSError, ValueError."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise ValueError("it is no regular file")


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        _check_file(file)
        yield
    except (OSError, ValueError, KeyError, TypeError, MemoryError, pa.ArrowException) as problem:
        reason = " ".join(str(problem).split())[:300]
        raise ReportError(
            f"{file}: cannot be read ({reason}). Restore the file, or remove its cell folder and run again."
        ) from problem


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if "SC_PHYS_PAGES" in os.sysconf_names else 2**36
