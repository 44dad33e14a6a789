"""Run folder -> tidy frames. Reads whole files, keeps every row, and refuses what it cannot vouch for.

Text columns become categories and counters the narrowest integer that holds them: five million deliveries take about
250 MB. Rows of cells that did not finish stay on disk; those cells appear in `Run.cells` and in the cautions only.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import pandas as pd

from loadtests.records import manifest
from loadtests.records.rows import ROW_TYPES
from loadtests.records.seal import broken
from loadtests.runs.run_folder import NotARun, RunFolder
from loadtests.scenario.dimensions import COLUMNS
from reports.data.tables import ReportError as ReportError  # what `load` raises
from reports.data.tables import journal, rows_of

KEYS: Final = ["cell", "scenario", *COLUMNS, "pattern", "repeat"]
"""The columns every frame starts with; `cell` alone identifies the others."""
KEY_TYPES: Final = {"clients": "int32", "rtt_ms": "float64", "rate_per_s": "float64", "repeat": "int32"}


class NothingMeasured(ReportError):
    """A run none of whose cells finished: nothing can be decided from it, whatever is asked."""


@dataclass(frozen=True)
class Run:
    """One run in memory. Instants are integer ns of the clock `manifest.machine.clock_id`.

    cells: one row per cell.json, its fields as columns, `problems` joined by "; ", those of `relay` as relay_*, of
    `way_up` as way_up_*;
    changed: the files that are not what they were when the cell ended;
    <table>_rows: how many rows the load processes said they recorded, -1 where they did not say.
    requests, deliveries, samples: the rows of arrival.py, of finished cells, after the KEYS columns.
    published: id, due_ns, published_ns of every message of those cells, after the KEYS columns.
    """

    path: Path
    manifest: manifest.Run
    cells: pd.DataFrame
    requests: pd.DataFrame
    deliveries: pd.DataFrame
    samples: pd.DataFrame
    published: pd.DataFrame

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
    frames = {
        table: pd.concat([_rows(run_dir, cell, table, keys) for cell in finished], ignore_index=True)
        for table in (*ROW_TYPES, "published")
    }
    changed = {cell.name: ", ".join(broken(opened.folder(cell.name))) for cell in finished}
    return Run(path=run_dir, manifest=opened.run, cells=_cell_frame(cells, keys, changed), **frames)


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
    frame["changed"] = [changed.get(cell.name, "") for cell in cells]
    for table in ROW_TYPES:
        frame[f"{table}_rows"] = [cell.rows.get(table, -1) for cell in cells]
    frame = frame.drop(columns=["server_command", "load_command", "rows", "schema", "seal"]).astype(keys)
    return frame[[*KEYS, *frame.columns.difference(KEYS, sort=False)]]


def _flat(cell: manifest.Cell) -> dict[str, object]:
    fields = msgspec.structs.asdict(cell)
    for own, account in {"relay": manifest.RelayAccount, "way_up": manifest.WayUp}.items():
        told = fields.pop(own)
        fields |= {f"{own}_{name}": getattr(told, name, float("nan")) for name in account.__struct_fields__}
    return fields


def _rows(run_dir: Path, cell: manifest.Cell, table: str, keys: dict[str, pd.CategoricalDtype]) -> pd.DataFrame:
    folder = run_dir / "cells" / cell.name
    frame = journal(folder) if table == "published" else rows_of(folder, table, cell.pattern)
    for at, key in enumerate(KEYS):
        value = cell.name if key == "cell" else getattr(cell, key)
        frame.insert(at, key, pd.Series(value, frame.index, keys.get(key) or KEY_TYPES[key]))
    return frame
