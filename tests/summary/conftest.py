"""A made-up run, and the same one as it would be had only a summary of each cell been kept."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from loadtests.metrics.tail import Batch
from loadtests.records.manifest import Cell, Run
from loadtests.records.recorder import DTYPES
from loadtests.records.rows import ERRORS, MODES, ROLES
from loadtests.scenario.scenarios import Scenario
from loadtests.summary.kept import FILE, Summary
from loadtests.summary.reduction import Reduction, Window
from tests.synthetic import write_run

CODES = {"error": ERRORS, "mode": MODES, "role": ROLES}
INSTANT = {"requests": "ended_ns", "deliveries": "received_ns", "samples": "at_ns"}
S = 1_000_000_000
SCENARIO = Scenario(
    name="small",
    purpose="a run for tests",
    clients=(6,),
    schedule="poisson:20",
    poll_interval_s=0.4,
    warmup_s=0.2,
    window_s=8.0,
    rtt_ms=(10.0,),
)


@pytest.fixture(scope="session")
def with_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of six patterns, two repeats. Read only."""
    return write_run(tmp_path_factory.mktemp("rows"), [SCENARIO], repeats=2)


@pytest.fixture(scope="session")
def summarised(with_rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, of which only summaries were kept. Read only."""
    folder = Path(shutil.copytree(with_rows, tmp_path_factory.mktemp("summaries") / "run"))
    file = folder / "run.json"
    run = msgspec.json.decode(file.read_bytes(), type=Run)
    told = [dict(scenario) | {"keep": "summary"} for scenario in run.scenarios]
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(run, scenarios=told)))
    for file in sorted(folder.glob("cells/*/cell.json")):
        cell = msgspec.json.decode(file.read_bytes(), type=Cell)
        summary = reduced(file.parent, cell)
        (file.parent / FILE).write_bytes(msgspec.json.encode(summary))
        for table in ("requests", "deliveries"):
            (file.parent / f"{table}.parquet").unlink()
        file.write_bytes(msgspec.json.encode(msgspec.structs.replace(cell, settings={"keep": "summary"})))
    return folder


def reduced(folder: Path, cell: Cell) -> Summary:
    interval_ns = round(SCENARIO.poll_interval_s * S)
    reduction = Reduction(Window(cell.window_from_ns, cell.window_until_ns, interval_ns))
    for batch in batches(folder):
        reduction.take(batch)
    return reduction.summary()


def batches(folder: Path) -> Iterator[Batch]:
    """Yield the rows of a cell as its load process writes them: once a second, what had happened by then."""
    tables = {table: packed(pd.read_parquet(folder / f"{table}.parquet"), table) for table in INSTANT}
    seconds = sorted({int(at) for table, rows in tables.items() for at in np.unique(rows[INSTANT[table]] // S)})
    for second in seconds:
        for table in ("requests", "deliveries", "samples"):
            rows = tables[table]
            now = rows[rows[INSTANT[table]] // S == second]
            if len(now):
                yield Batch(table, "any", "2", now)


def packed(frame: pd.DataFrame, table: str) -> "np.ndarray[Any, np.dtype[np.void]]":
    """Return a table of a run as load processes record it, in order."""
    if table == "samples":
        frame = frame[frame["role"] == "generator"]
    frame = frame.sort_values(INSTANT[table], kind="stable")
    rows = np.zeros(len(frame), DTYPES[table])
    for name in DTYPES[table].names or ():
        if name in frame:
            codes = frame[name].map(CODES[name].index) if name in CODES else frame[name]
            rows[name] = codes.to_numpy()
    return rows
