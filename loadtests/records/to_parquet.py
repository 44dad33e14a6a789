"""Raw rows -> Parquet, after the load, in a process that drives no users.

`collect(cell_dir)` reads `cell_dir/raw` and writes requests, deliveries and samples as Parquet with the columns of
rows.py, codes turned into names, pattern and host added ("" for the run's own), and all instants brought onto the
publisher's clock (load_clocks.py). What the load processes say they recorded is held against what is there; the raw
files go only when both agree.
"""

import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from loadtests.records.load_clocks import BATCH_ROWS, Shift, problems_of, process_of, shifts, whole_rows
from loadtests.records.manifest import LoadClock
from loadtests.records.recorder import DTYPES, Rows
from loadtests.records.rows import ERRORS, EXCHANGES, MODES, ROLES, ROW_TYPES, SCHEMA_VERSION

NAMES: Final = {"error": ERRORS, "mode": MODES, "role": ROLES}


@dataclass(slots=True)
class Collected:
    """rows: table -> rows written. problems: one line for each thing that does not add up. clocks: of the processes."""

    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROW_TYPES, 0))
    problems: list[str] = field(default_factory=list)
    clocks: list[LoadClock] = field(default_factory=list)


def collect(cell_dir: Path, tables: Collection[str] = tuple(ROW_TYPES)) -> Collected:
    """Write the Parquet files of a cell, or only those of some tables; others are not looked for. Raises OSError."""
    raw = cell_dir / "raw"
    result = Collected()
    recorded = recorded_rows(raw)
    by_clock = shifts(raw)
    result.clocks = [shift.known for shift in by_clock.values()]
    result.problems += problems_of(by_clock.values())
    kept = write_exchanges(raw, cell_dir / f"{EXCHANGES}.parquet")
    said = sum(rows for name, rows in recorded.items() if name.startswith(f"{EXCHANGES}-"))
    if recorded and kept != said:
        result.problems.append(f"there are {kept} exchanges of clocks, and {said} were recorded")
    for table in tables:
        files = sorted(raw.glob(f"{table}-*.rows"))
        with pq.ParquetWriter(cell_dir / f"{table}.parquet", _schema(table), compression="zstd") as writer:
            result.rows[table] = _copy(writer, table, files, recorded, result.problems, by_clock)
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


def write_exchanges(raw: Path, file: Path) -> int:
    """Keep all exchanges as they were recorded, if there were any; return how many."""
    columns = [pa.field("process", pa.string()), *((name, pa.int64()) for name in DTYPES[EXCHANGES].names or ())]
    tables = []
    for exchanges in sorted(raw.glob(f"{EXCHANGES}-*.rows")):
        rows = whole_rows(exchanges, EXCHANGES)
        process = pa.array([process_of(exchanges)] * len(rows), pa.string())
        tables.append(pa.table([process, *(rows[name] for name in rows.dtype.names or ())], schema=pa.schema(columns)))
    if tables:
        pq.write_table(pa.concat_tables(tables), file, compression="zstd")
    return sum(map(len, tables))


def recorded_rows(raw: Path) -> Counter[str]:
    """Return how many rows load processes say they recorded, by the names of the files without their ending."""
    recorded: Counter[str] = Counter()
    for counts in sorted(raw.glob("counts-*.json")):
        recorded.update(json.loads(counts.read_text(encoding="utf-8")))
    return recorded


def _copy(
    writer: pq.ParquetWriter,
    table: str,
    files: list[Path],
    recorded: Counter[str],
    problems: list[str],
    by_clock: Mapping[str, Shift],
) -> int:
    written = 0
    for file in files:
        shift = by_clock.get(process_of(file))
        rows_in_file, host = 0, file.stem.partition("@")[2]
        for rows in _batches(file, DTYPES[table], problems):
            moved = shift.moved(table, rows) if shift is not None else rows
            writer.write_table(_arrow(table, file.stem.split("-")[1], host, moved))
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
    return pa.schema([*fields, ("host", text)], metadata={"pollbench_schema": str(SCHEMA_VERSION)})


def _arrow(table: str, pattern: str, host: str, rows: Rows) -> pa.Table:
    columns = [_everywhere(pattern, len(rows))]
    for name in rows.dtype.names or ():
        values = np.ascontiguousarray(rows[name])
        if name in NAMES:
            codes = pa.array(values.astype(np.int32))
            columns.append(pa.DictionaryArray.from_arrays(codes, pa.array(list(NAMES[name]))))
        else:
            columns.append(pa.array(values))
    return pa.table([*columns, _everywhere(host, len(rows))], schema=_schema(table))


def _everywhere(text: str, count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([text]))
