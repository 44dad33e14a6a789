"""Run folder -> tidy frames. Reads whole files, keeps every row, and refuses what it cannot vouch for.

Text columns become categories and counters the narrowest integer that holds them: five million deliveries take about
250 MB. Rows of cells that did not finish stay on disk; those cells appear in `Run.cells` and in the cautions only.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from loadtests import manifest
from loadtests.arrival import ERRORS, MODES, ROLES, ROW_TYPES, SCHEMA_VERSION
from loadtests.dimensions import COLUMNS
from servers.schedule import parse_schedule

KEYS: Final = ["cell", "scenario", *COLUMNS, "pattern", "repeat"]
"""The columns every frame starts with; `cell` alone identifies the others."""
KEY_TYPES: Final = {"clients": "int32", "rtt_ms": "float64", "rate_per_s": "float64", "repeat": "int32"}
NAMED: Final = {"error": ERRORS, "mode": MODES, "role": ROLES}
NARROW: Final = {"user": "int32", "pid": "int32", "connection": "int32", "status": "int16", "bytes": "int32"}

T = TypeVar("T")


class ReportError(Exception):
    """A run that cannot be reported: one line naming what, and the remedy. The command exits with 2."""


class NothingMeasured(ReportError):
    """A run none of whose cells finished: nothing can be decided from it, whatever is asked."""


@dataclass(frozen=True)
class Run:
    """One run in memory. Instants are integer ns of the clock `manifest.machine.clock_id`.

    cells: one row per cell.json, its fields as columns, `problems` joined by "; ", those of `relay` as relay_*;
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
    run = _decode(run_dir / "run.json", manifest.Run)
    names = [name for name in run.cells if only is None or name in only]
    files = [run_dir / "cells" / name / "cell.json" for name in names]
    cells = [_with_rate(_decode(file, manifest.Cell), run) for file in files if file.is_file()]
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
    return Run(path=run_dir, manifest=run, cells=_cell_frame(cells, keys), **frames)


def newest(runs_dir: Path) -> Path:
    """Return the run folder under `runs_dir` that was started last and has a cell. Raises ReportError if none has."""
    started: list[tuple[str, Path]] = []
    for file in runs_dir.glob("*/run.json"):
        if not any(file.parent.glob("cells/*/cell.json")):
            continue
        try:
            started.append((_decode(file, manifest.Run).started_at, file.parent))
        except ReportError:
            continue
    if not started:
        raise ReportError(f"{runs_dir}: no run here yet. Make one with `pollbench compare`.")
    return max(started)[1]


class _Versioned(msgspec.Struct):
    schema: int = 0


def _decode(file: Path, kind: type[T]) -> T:
    try:
        content = file.read_bytes()
        schema = msgspec.json.decode(content, type=_Versioned).schema
        if schema != SCHEMA_VERSION:
            age = "newer than" if schema > SCHEMA_VERSION else "not"
            raise ReportError(
                f"{file}: schema {schema} is {age} the {SCHEMA_VERSION} that this pollbench reads. "
                "Report it with the pollbench that made it, or update this one."
            )
        return msgspec.json.decode(content, type=kind)
    except OSError as problem:
        raise ReportError(f"{file}: {problem.strerror}. A run folder has a readable run.json.") from problem
    except msgspec.DecodeError as problem:
        raise ReportError(f"{file}: not what pollbench wrote ({problem}). Run it again.") from problem


def _with_rate(cell: manifest.Cell, run: manifest.Run) -> manifest.Cell:
    """Give a cell from before the rate was a dimension the one that its scenario has."""
    if cell.rate_per_s is not None:
        return cell
    (schedule,) = (str(scenario["schedule"]) for scenario in run.scenarios if scenario["name"] == cell.scenario)
    return msgspec.structs.replace(cell, rate_per_s=parse_schedule(schedule).rate_per_s)


def _key_types(cells: Sequence[manifest.Cell]) -> dict[str, pd.CategoricalDtype]:
    names = {
        "cell": [cell.name for cell in cells],
        "scenario": [cell.scenario for cell in cells],
        "pattern": sorted(cell.pattern for cell in cells),
    }
    return {key: pd.CategoricalDtype(list(dict.fromkeys(values))) for key, values in names.items()}


def _cell_frame(cells: Sequence[manifest.Cell], keys: dict[str, pd.CategoricalDtype]) -> pd.DataFrame:
    frame = pd.DataFrame([_flat(cell) for cell in cells]).rename(columns={"name": "cell"})
    frame["problems"] = frame["problems"].map("; ".join)
    for table in ROW_TYPES:
        frame[f"{table}_rows"] = [cell.rows.get(table, -1) for cell in cells]
    frame = frame.drop(columns=["server_command", "load_command", "rows", "schema"]).astype(keys)
    return frame[[*KEYS, *frame.columns.difference(KEYS, sort=False)]]


def _flat(cell: manifest.Cell) -> dict[str, object]:
    fields = msgspec.structs.asdict(cell)
    relay = fields.pop("relay")
    accounts = manifest.RelayAccount.__struct_fields__
    return fields | {f"relay_{name}": getattr(relay, name, float("nan")) for name in accounts}


def _rows(run_dir: Path, cell: manifest.Cell, table: str, keys: dict[str, pd.CategoricalDtype]) -> pd.DataFrame:
    folder = run_dir / "cells" / cell.name
    frame = _published(folder) if table == "published" else _table(folder, table)
    for at, key in enumerate(KEYS):
        value = cell.name if key == "cell" else getattr(cell, key)
        frame.insert(at, key, pd.Series(value, frame.index, keys.get(key) or KEY_TYPES[key]))
    return frame


def _published(folder: Path) -> pd.DataFrame:
    file = folder / "published.csv"
    try:
        return pd.read_csv(file, dtype="int64")[["id", "due_ns", "published_ns"]]
    except (OSError, ValueError, KeyError) as problem:
        raise _unreadable(file, problem) from problem


def _table(folder: Path, table: str) -> pd.DataFrame:
    file = folder / f"{table}.parquet"
    kind = ROW_TYPES[table][0]
    try:
        there = set(pq.read_schema(file).names)
        if missing := set(kind._fields) - there - set(kind._field_defaults):
            raise _unreadable(file, f"no column {', '.join(sorted(missing))}")
        columns = [name for name in kind._fields if name in there]
        rows = pq.read_table(file, columns=columns, read_dictionary=[name for name in columns if name in NAMED])
    except (OSError, pa.ArrowException) as problem:
        raise _unreadable(file, problem) from problem
    frame: pd.DataFrame = rows.to_pandas(split_blocks=True, self_destruct=True)
    for column in set(kind._fields) - there:
        frame[column] = kind._field_defaults[column]
    for column in frame.columns.intersection(list(NAMED)):
        if unknown := set(frame[column].unique()) - set(NAMED[column]):
            raise _unreadable(file, f"{column} {sorted(map(str, unknown))} unknown to this version")
        frame[column] = frame[column].astype(pd.CategoricalDtype(list(NAMED[column])))
    return frame.astype({column: dtype for column, dtype in NARROW.items() if column in frame})


def _unreadable(file: Path, problem: object) -> ReportError:
    reason = " ".join(str(problem).split())
    return ReportError(f"{file}: cannot be read ({reason}). Restore the file, or remove its cell folder and run again.")
