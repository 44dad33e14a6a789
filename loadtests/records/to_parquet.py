"""Raw rows -> Parquet, after the load, in a process that drives no users.

`collect(cell_dir)` reads `cell_dir/raw` and writes requests, deliveries and samples as Parquet with the columns of
rows.py, codes turned into names and the pattern added. What the load processes say they recorded is held against
what is there; the raw files go only when both agree.
"""

import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from loadtests.records.recorder import DTYPES, Rows
from loadtests.records.rows import ERRORS, MODES, ROLES, ROW_TYPES, SCHEMA_VERSION

NAMES: Final = {"error": ERRORS, "mode": MODES, "role": ROLES}
BATCH_ROWS: Final = 500_000


@dataclass(slots=True)
class Collected:
    """rows: table -> rows written. problems: one line for each thing that does not add up."""

    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROW_TYPES, 0))
    problems: list[str] = field(default_factory=list)


def collect(cell_dir: Path, tables: Collection[str] = tuple(ROW_TYPES)) -> Collected:
    """Write the Parquet files of a cell, or only those of some tables; others are not looked for. Raises OSError."""
    raw = cell_dir / "raw"
    result = Collected()
    recorded = recorded_rows(raw)
    for table in tables:
        files = sorted(raw.glob(f"{table}-*.rows"))
        with pq.ParquetWriter(cell_dir / f"{table}.parquet", _schema(table), compression="zstd") as writer:
            result.rows[table] = _copy(writer, table, files, recorded, result.problems)
    present = {file.stem for file in raw.glob("*.rows")}
    result.problems += [
        f"{name}.rows is missing: {rows} rows"
        for name, rows in recorded.items()
        if name not in present and name.partition("-")[0] in tables
    ]
    if not recorded:
        result.problems.append("no load process reported its records: it did not end in order")
    if not result.problems:
        shutil.rmtree(raw)
    return result


def recorded_rows(raw: Path) -> Counter[str]:
    """Return how many rows load processes say they recorded, by the names of the files without their ending."""
    recorded: Counter[str] = Counter()
    for counts in sorted(raw.glob("counts-*.json")):
        recorded.update(json.loads(counts.read_text(encoding="utf-8")))
    return recorded


def _copy(writer: pq.ParquetWriter, table: str, files: list[Path], recorded: Counter[str], problems: list[str]) -> int:
    written = 0
    for file in files:
        rows_in_file = 0
        for rows in _batches(file, DTYPES[table], problems):
            writer.write_table(_arrow(table, file.stem.split("-")[1], rows))
            rows_in_file += len(rows)
        if recorded and recorded[file.stem] != rows_in_file:
            problems.append(f"{file.name} has {rows_in_file} rows, its process recorded {recorded[file.stem]}")
        written += rows_in_file
    return written


def _batches(file: Path, dtype: np.dtype[np.void], problems: list[str]) -> Iterator[Rows]:
    whole, torn = divmod(file.stat().st_size, dtype.itemsize)
    if torn:
        problems.append(f"{file.name} ends within a row: its process was killed while writing")
    for first in range(0, whole, BATCH_ROWS):
        yield np.fromfile(file, dtype, count=min(BATCH_ROWS, whole - first), offset=first * dtype.itemsize)


def _schema(table: str) -> pa.Schema:
    text = pa.dictionary(pa.int32(), pa.string())
    fields = [("pattern", text)] + [
        (name, text if name in NAMES else pa.from_numpy_dtype(DTYPES[table][name]))
        for name in DTYPES[table].names or ()
    ]
    return pa.schema(fields, metadata={"pollbench_schema": str(SCHEMA_VERSION)})


def _arrow(table: str, pattern: str, rows: Rows) -> pa.Table:
    columns = [pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(rows), np.int32)), pa.array([pattern]))]
    for name in rows.dtype.names or ():
        values = np.ascontiguousarray(rows[name])
        if name in NAMES:
            codes = pa.array(values.astype(np.int32))
            columns.append(pa.DictionaryArray.from_arrays(codes, pa.array(list(NAMES[name]))))
        else:
            columns.append(pa.array(values))
    return pa.table(columns, schema=_schema(table))
