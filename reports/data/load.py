"""Run folder -> tidy frames. Reads whole files, keeps every row, and refuses what it cannot vouch for.

Text columns become categories and counters the narrowest integer that holds them: five million deliveries take about
250 MB. Of more than KEPT_BYTES the rows of one cell are in memory, and are read again when it is its turn again.
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
from reports.data.tables import ReportError as ReportError  # what `load` raises
from reports.data.tables import journal, rows_of, summary_of

KEYS: Final = ["cell", "scenario", *COLUMNS, "pattern", "repeat"]
"""The columns every frame starts with; `cell` alone identifies the others."""
TEXT: Final = {"cell", "scenario", "pattern"}
KEY_TYPES: Final = {"clients": "int32", "rtt_ms": "float64", "rate_per_s": "float64", "repeat": "int32"}


TABLES: Final = (*ROW_TYPES, "published")
NOT_KEPT: Final = ("requests", "deliveries")
"""Tables of which there may be a summary instead."""
KEPT_BYTES: Final = 512_000_000


class NothingMeasured(ReportError):
    """A run none of whose cells finished: nothing can be decided from it, whatever is asked."""


class RunRows:
    """The rows of the finished cells of a run. kept: frames that are in memory, (table, cell) -> frame, oldest first.

    A table is requests, deliveries or samples, the rows of arrival.py, or published: id, due_ns, published_ns.
    summaries: cell -> what there is instead of the first two, of cells that kept no more.
    """

    def __init__(self, path: Path, patterns: Mapping[str, str], summaries: Mapping[str, Summary]) -> None:
        """patterns: cell -> pattern."""
        self._path = path
        self._patterns = patterns
        self.summaries = summaries
        self._kept: dict[tuple[str, str], pd.DataFrame] = {}
        self._kept_bytes = 0

    def of(self, table: str, cell: str) -> pd.DataFrame:
        """Return the rows of one cell. Raises ReportError, also where only a summary was kept of them."""
        if cell in self.summaries and table in NOT_KEPT:
            raise ReportError(
                f"{self._path}: cell {cell} has a summary and no {table} (--keep summary), and this needs every one "
                "of them. Measure again with --keep rows."
            )
        if (table, cell) not in self._kept:
            folder = self._path / "cells" / cell
            found = journal(folder) if table == "published" else rows_of(folder, table, self._patterns[cell])
            self._kept[table, cell] = found
            self._kept_bytes += _bytes(found)
            while self._kept_bytes > KEPT_BYTES and len(self._kept) > 1:
                self._kept_bytes -= _bytes(self._kept.pop(next(iter(self._kept))))
        return self._kept[table, cell]


def _bytes(frame: pd.DataFrame) -> int:
    return sum(frame[name].array.nbytes for name in frame)


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
                rows.of(table, cell.name)  # so that what is wrong with it is said now
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
