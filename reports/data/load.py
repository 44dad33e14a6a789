"""Run folder -> tidy frames. Reads whole files, keeps every row, and refuses what it cannot vouch for.

Text columns become categories and counters the narrowest integer that holds them: five million deliveries take about
250 MB. Of more than KEPT_BYTES those columns are in memory that are being used, and are read again when they are needed
again.
Rows of cells that did not finish stay on disk; those cells appear in `Run.cells` and in the cautions only.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec
import pandas as pd

from loadtests.records import manifest
from loadtests.records.rows import ROW_TYPES
from loadtests.records.seal import broken
from loadtests.runs.run_folder import NotARun, RunFolder
from loadtests.scenario.dimensions import COLUMNS
from loadtests.scenario.settings import SUMMARY
from loadtests.summary.kept import Summary
from reports.basics.records import records
from reports.basics.units import counted
from reports.data.clock_error import clock_errors
from reports.data.columns import Columns
from reports.data.tables import Column, check_pattern, columns_of, journal, rows_in, samples_of, summary_of
from reports.data.tables import ReportError as ReportError  # what `load` raises

KEYS: Final = ["cell", "scenario", *COLUMNS, "pattern", "repeat"]
"""The columns every frame starts with; `cell` alone identifies the others."""
TEXT: Final = {"cell", "scenario", "pattern"}
KEY_TYPES: Final = {"clients": "int32", "rtt_ms": "float64", "rate_per_s": "float64", "repeat": "int32"}


TABLES: Final = (*ROW_TYPES, "published")
NOT_KEPT: Final = ("requests", "deliveries")
"""Tables of which there may be a summary instead."""
KEPT_BYTES: Final = 512_000_000
Kept = pd.DataFrame | Column


class NothingMeasured(ReportError):
    """A run none of whose cells finished: nothing can be decided from it, whatever is asked."""


class RunRows:
    """The rows of the finished cells of a run. Of what was read so much is kept, what was not used for longest goes.

    A table is requests, deliveries or samples, the rows of arrival.py, or published: id, due_ns, published_ns.
    summaries: cell -> what there is instead of the first two, of cells that kept no more.
    """

    def __init__(self, path: Path, patterns: Mapping[str, str], summaries: Mapping[str, Summary]) -> None:
        """patterns: cell -> pattern."""
        self._path = path
        self._patterns = patterns
        self.summaries = summaries
        self._kept: dict[tuple[str, ...], Kept] = {}
        self._kept_bytes = 0
        self._lengths: dict[tuple[str, str], int] = {}

    def of(self, table: str, cell: str) -> pd.DataFrame:
        """Return the rows of one cell. Raises ReportError, also where only a summary was kept of them."""
        if table in NOT_KEPT:
            return self.columns(table, cell).frame()
        if (table, cell) not in self._kept:
            folder = self._path / "cells" / cell
            self._keep((table, cell), journal(folder) if table == "published" else samples_of(folder))
        found: pd.DataFrame = self._used((table, cell))
        return found

    def columns(self, table: str, cell: str) -> Columns:
        """Return the requests or deliveries of one cell, whose columns are read as they are asked for; raises as `of`.

        The first time all of them are read, so that what is wrong with one is said before anything rests on it.
        """
        if cell in self.summaries:
            raise ReportError(
                f"{self._path}: cell {cell} has a summary and no {table} (--keep summary), and this needs every one "
                "of them. Measure again with --keep rows."
            )
        folder, names = self._path / "cells" / cell, ROW_TYPES[table][0]._fields
        if (table, cell) not in self._lengths:
            length = rows_in(folder, table)
            check_pattern(folder, table, self._patterns[cell])
            self._read(table, cell, names)
            self._lengths[table, cell] = length

        def column(name: str) -> "pd.Series[Any]":
            key = (table, cell, name)
            if key not in self._kept:
                self._read(table, cell, [name])
            return pd.Series(self._used(key), copy=False)

        return Columns(names, self._lengths[table, cell], column)

    def check(self, table: str, cell: str) -> None:
        """Read what there is, so that what is wrong with it is said now. Raises ReportError."""
        self.columns(table, cell) if table in NOT_KEPT else self.of(table, cell)

    def _read(self, table: str, cell: str, names: Sequence[str]) -> None:
        for name, column in columns_of(self._path / "cells" / cell, table, names):
            self._keep((table, cell, name), column)

    def _keep(self, key: tuple[str, ...], found: Kept) -> None:
        self._kept[key] = found
        self._kept_bytes += _bytes(found)
        while self._kept_bytes > KEPT_BYTES and len(self._kept) > 1:
            self._kept_bytes -= _bytes(self._kept.pop(next(iter(self._kept))))

    def _used(self, key: tuple[str, ...]) -> Any:
        self._kept[key] = found = self._kept.pop(key)
        return found


def _bytes(found: Kept) -> int:
    return sum(found[name].array.nbytes for name in found) if isinstance(found, pd.DataFrame) else found.nbytes


@dataclass(frozen=True)
class Run:
    """One run. Instants are integer ns of the clock `manifest.machine.clock_id`.

    cells: one row per cell.json, its fields as columns, `problems` joined by "; ", those of `relay` as relay_*, of
    `way_up` as way_up_*;
    clock_error_ms, clock_change_ms, clock_exchanges, clock_problems: see `clock_error.py`;
    changed: the files that are not what they were when the cell ended;
    hosts: the load hosts and what machines they are, "" where the run's own drove the clients;
    <table>_rows: how many rows the load processes said they recorded, -1 where they did not say.
    requests, deliveries, samples: the rows of arrival.py, of finished cells, after the KEYS columns.
    published: id, due_ns, published_ns of every message of those cells, after the KEYS columns.
    These four are put together from all cells when they are asked for; `rows` gives those of one.
    """

    path: Path
    manifest: manifest.Run
    cells: pd.DataFrame
    rows: RunRows

    @cached_property
    def requests(self) -> pd.DataFrame:
        return self._all("requests")

    @cached_property
    def deliveries(self) -> pd.DataFrame:
        return self._all("deliveries")

    @cached_property
    def samples(self) -> pd.DataFrame:
        return self._all("samples")

    @cached_property
    def published(self) -> pd.DataFrame:
        return self._all("published")

    def _all(self, table: str) -> pd.DataFrame:
        cells = records(self.finished)
        return with_keys(self, {str(cell["cell"]): self.rows.of(table, cell["cell"]) for cell in cells})

    @property
    def summarised(self) -> bool:
        """Whether some cells kept a summary and no rows of deliveries and requests."""
        return bool(self.rows.summaries)

    @property
    def finished(self) -> pd.DataFrame:
        """The cells whose rows are in the other frames, in planned order."""
        return self.cells[self.cells["status"] == "finished"].reset_index(drop=True)


def load(run_dir: Path, only: Collection[str] | None = None) -> Run:
    """Read a run folder, or only the named cells of it.

    Raises ReportError when it is missing, unreadable or of another schema, NothingMeasured without a result.
    """
    if not run_dir.is_dir():
        raise ReportError(f"{run_dir}: no such folder. Name a run folder, as `pollbench compare` prints it.")
    try:
        opened = RunFolder.open(run_dir)
        names = [name for name in opened.run.cells if only is None or name in only]
        cells = [cell for name in names if (cell := opened.cell(name)) is not None]
    except NotARun as problem:
        raise ReportError(str(problem)) from None
    finished = [cell for cell in cells if cell.status == "finished"]
    if not finished:
        reasons = dict.fromkeys(problem for cell in cells for problem in cell.problems)
        why = f" ({next(iter(reasons))})" if reasons else ""
        raise NothingMeasured(
            f"{run_dir}: none of its {len(names)} cells finished{why}, so there is nothing to report. "
            "See what cells/ has of logs, then run it again."
        )
    keys = _key_types(cells)
    summaries = {
        cell.name: summary_of(opened.folder(cell.name)) for cell in finished if cell.settings.get("keep") == SUMMARY
    }
    rows = RunRows(run_dir, {cell.name: cell.pattern for cell in finished}, summaries)
    for cell in finished:
        for table in TABLES:
            if cell.name not in summaries or table not in NOT_KEPT:
                rows.check(table, cell.name)
    changed = {cell.name: ", ".join(broken(opened.folder(cell.name))) for cell in finished}
    return Run(path=run_dir, manifest=opened.run, cells=_cell_frame(cells, keys, changed), rows=rows)


def with_keys(run: Run, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put frames of cells, by the cells' names, into one, each after the KEYS columns of its cell."""
    cells = {cell["cell"]: cell for cell in records(run.cells)}
    keyed = [_keyed(frame, cells[name], run.cells) for name, frame in frames.items()]
    return pd.concat(keyed, ignore_index=True)


def _keyed(frame: pd.DataFrame, cell: Mapping[Hashable, Any], cells: pd.DataFrame) -> pd.DataFrame:
    keys = {key: pd.Series(cell[key], frame.index, cells[key].dtype if key in TEXT else KEY_TYPES[key]) for key in KEYS}
    return pd.concat([pd.DataFrame(keys), frame.drop(columns=KEYS, errors="ignore")], axis=1)


def _key_types(cells: Sequence[manifest.Cell]) -> dict[str, pd.CategoricalDtype]:
    names = {
        "cell": [cell.name for cell in cells],
        "scenario": [cell.scenario for cell in cells],
        "pattern": sorted(cell.pattern for cell in cells),
    }
    return {key: pd.CategoricalDtype(list(dict.fromkeys(values))) for key, values in names.items()}


def _cell_frame(
    cells: Sequence[manifest.Cell], keys: dict[str, pd.CategoricalDtype], changed: Mapping[str, str]
) -> pd.DataFrame:
    frame = pd.DataFrame([_flat(cell) for cell in cells]).rename(columns={"name": "cell"})
    frame["problems"] = frame["problems"].map("; ".join)
    frame = frame.join(pd.DataFrame(clock_errors(cells)))
    frame["changed"] = [changed.get(cell.name, "") for cell in cells]
    frame["hosts"] = ["; ".join(map(_described, cell.hosts)) for cell in cells]
    for table in ROW_TYPES:
        frame[f"{table}_rows"] = [cell.rows.get(table, -1) for cell in cells]
    frame = frame.drop(columns=["server_command", "load_command", "rows", "clocks", "schema", "seal"]).astype(keys)
    return frame[[*KEYS, *frame.columns.difference(KEYS, sort=False)]]


def _described(host: manifest.LoadHost) -> str:
    return f"{host.name}: {counted(host.machine.cores, 'core')}, {host.machine.cpu or 'an unnamed CPU'}"


def _flat(cell: manifest.Cell) -> dict[str, object]:
    fields = msgspec.structs.asdict(cell)
    for own, account in {"relay": manifest.RelayAccount, "way_up": manifest.WayUp}.items():
        told = fields.pop(own)
        fields |= {f"{own}_{name}": getattr(told, name, float("nan")) for name in account.__struct_fields__}
    return fields
