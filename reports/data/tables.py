"""Parquet and CSV of a cell -> frames. A file must hold what recorder and server write: whole numbers, none missing, in
their range. Nothing is repaired.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loadtests.records.rows import ERRORS, MODES, ROLES, ROW_TYPES
from loadtests.summary.kept import FILE as SUMMARY_FILE
from loadtests.summary.kept import Summary

NAMED: Final = {"error": ERRORS, "mode": MODES, "role": ROLES}
NARROW: Final = {"user": "int32", "pid": "int32", "connection": "int32", "status": "int16", "bytes": "int32"}
JOURNAL: Final = ["id", "due_ns", "published_ns"]
LAST_INSTANT_NS: Final = 2**62
PIDS: Final = 2**32
"""More than any system has."""
ROW_BYTES: Final = 100
"""What a row takes in memory, about."""

Column = np.ndarray | pd.Categorical


class ReportError(ValueError):
    """A run that cannot be reported: one line naming what, and the remedy. The command exits with 2."""


def journal(folder: Path) -> pd.DataFrame:
    """Return what the server published, the columns of JOURNAL. Raises ReportError."""
    file = folder / "published.csv"
    with _readable(file):
        frame = pd.read_csv(file, dtype="int64")[JOURNAL]
        for column in JOURNAL:
            _check_range(column, frame[column].min(), frame[column].max())
        return frame


def summary_of(folder: Path) -> Summary:
    """Return what was kept of a cell instead of rows. Raises ReportError."""
    file = folder / SUMMARY_FILE
    with _readable(file):
        summary = msgspec.json.decode(file.read_bytes(), type=Summary)
        columns = [getattr(summary.users, name) for name in summary.users.__struct_fields__]
        if len({len(column) for column in columns}) > 1:
            raise ValueError("its columns of clients differ in length")
        return summary


def rows_in(folder: Path, table: str) -> int:
    """Return how many rows a table of arrival.py has. Raises ReportError, also for more than memory could hold."""
    file = folder / f"{table}.parquet"
    with _readable(file):
        rows = int(pq.read_metadata(file).num_rows)
        if rows * ROW_BYTES > _memory_bytes():
            raise ValueError(f"{rows:,} rows are more than this machine's memory holds")
        return rows


def columns_of(folder: Path, table: str, names: Sequence[str]) -> Iterator[tuple[str, Column]]:
    """Read columns of a table of arrival.py, one after the other. Raises ReportError.

    From one open file, since to open it for each column takes ten times as long as to read that.
    """
    file = folder / f"{table}.parquet"
    kind = ROW_TYPES[table][0]
    with _readable(file), _opened(file) as found:
        there = set(found.schema_arrow.names)
        if missing := set(names) - there - set(kind._field_defaults):
            raise ValueError(f"no column {', '.join(sorted(missing))}")
        for name in names:
            if name in there:
                yield name, _column(found, name)
            else:
                yield name, np.full(found.metadata.num_rows, kind._field_defaults[name], NARROW.get(name, "int64"))


def check_pattern(folder: Path, table: str, pattern: str) -> None:
    """Raises ReportError where the rows of a table are not all of one pattern."""
    file = folder / f"{table}.parquet"
    with _readable(file):
        if "pattern" not in pq.read_schema(file).names:
            return
        others = set(pq.read_table(file, columns=["pattern"])["pattern"].unique().to_pylist()) - {pattern}
        if others:
            raise ValueError(f"its rows are of {', '.join(sorted(map(str, others)))[:60]}, not of {pattern}")


def samples_of(folder: Path) -> pd.DataFrame:
    """Return the samples of a cell, and where load hosts took part the `host` of each. Raises ReportError."""
    columns = dict(columns_of(folder, "samples", ROW_TYPES["samples"][0]._fields))
    file = folder / "samples.parquet"
    with _readable(file), _opened(file) as found:
        columns |= _hosts(found, columns["pid"], "host" in found.schema_arrow.names)
    return pd.DataFrame(columns, copy=False)


def _hosts(file: pq.ParquetFile, pids: Column, known: bool) -> dict[str, Column]:
    """Return whose samples they are, and by which numbers their processes are told apart: two hosts may have one pid.

    Nothing, where all are the run's own.
    """
    names = file.read(["host"])["host"].to_pandas().astype(str) if known else pd.Series(dtype=str)
    if not names.any():
        return {}
    hosts = pd.Categorical(names)
    return {"host": hosts, "pid": np.asarray(pids, "int64") + hosts.codes.astype("int64") * PIDS}


def process_names(samples: pd.DataFrame) -> dict[int, str]:
    """Return what load processes call themselves (`recorder.process_name`), by the numbers that samples have."""
    if "host" not in samples:
        return {int(pid): str(pid) for pid in samples["pid"].unique()}
    pairs = samples[["pid", "host"]].drop_duplicates().itertuples(index=False)
    return {int(pid): f"{int(pid) % PIDS}@{host}" for pid, host in pairs}


def _opened(file: Path) -> pq.ParquetFile:
    there = pq.read_schema(file).names
    return pq.ParquetFile(file, read_dictionary=[name for name in NAMED if name in there])


def _column(file: pq.ParquetFile, name: str) -> Column:
    """Read one column. Raises ValueError for numbers that are none, and such as nobody records."""
    rows = file.read([name])[name]
    if rows.null_count:
        raise ValueError(f"{name}: {rows.null_count} missing")
    if name in NAMED:
        return _named(rows, NAMED[name], name)
    if not pa.types.is_integer(rows.type):
        raise ValueError(f"{name} holds {rows.type}, not whole numbers")
    if len(rows):
        least, most = pc.min_max(rows).as_py().values()
        _check_range(name, least, most)
    return np.asarray(rows.to_numpy(), NARROW.get(name, rows.type.to_pandas_dtype()))


def _named(rows: pa.ChunkedArray, names: Sequence[str], column: str) -> pd.Categorical:
    if unknown := set(rows.unique().to_pylist()) - set(names):
        raise ValueError(f"{column} {sorted(map(str, unknown))} unknown to this version")
    return pd.Categorical(rows.to_pandas(), categories=list(names))


def _check_range(name: str, least: int, most: int) -> None:
    limit = np.iinfo(NARROW[name]).max if name in NARROW else LAST_INSTANT_NS
    if least < -1 or most > limit:
        raise ValueError(f"{name} {least if least < -1 else most} is out of range")


def _check_file(file: Path) -> None:
    """Refuse a pipe, which would wait forever for a writer. Raises OSError, ValueError."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise ValueError("it is no regular file")


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        _check_file(file)
        yield
    except (OSError, ValueError, KeyError, TypeError, MemoryError, pa.ArrowException, msgspec.DecodeError) as problem:
        reason = " ".join(str(problem).split())[:300]
        raise ReportError(
            f"{file}: cannot be read ({reason}). Restore the file, or remove its cell folder and run again."
        ) from problem


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if "SC_PHYS_PAGES" in os.sysconf_names else 2**36
