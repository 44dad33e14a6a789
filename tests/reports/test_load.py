"""What a run folder must be to be reported, and what becomes of its rows."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from loadtests.records.rows import ROW_TYPES
from loadtests.runs.run_folder import NotARun, newest
from reports.data.load import KEYS, ReportError, Run, load
from tests.reports.conftest import SMALL
from tests.synthetic import write_run

CELL = "small-6-sse-1"


def test_every_frame_names_its_cell_and_keeps_every_row(run: Run, folder: Path) -> None:
    for table, frame in {"requests": run.requests, "deliveries": run.deliveries, "samples": run.samples}.items():
        assert list(frame.columns) == [*KEYS, *ROW_TYPES[table][0].__annotations__]
        files = folder.glob(f"cells/*/{table}.parquet")
        assert len(frame) == sum(pq.read_metadata(file).num_rows for file in files)
    assert list(run.published.columns) == [*KEYS, "id", "due_ns", "published_ns"]


def test_no_column_of_a_large_frame_is_made_of_python_objects(run: Run) -> None:
    for frame in (run.requests, run.deliveries, run.samples, run.published):
        assert not [column for column in frame if frame[column].dtype == object]


def test_rows_of_a_failed_cell_stay_out_and_the_cell_stays_in(tmp_path: Path) -> None:
    run = load(write_run(tmp_path, [SMALL], repeats=1, failing=[CELL]))
    assert list(run.cells.loc[run.cells["status"] == "failed", "cell"]) == [CELL]
    assert CELL not in set(run.finished["cell"])
    assert CELL not in set(run.deliveries["cell"])
    assert set(run.finished["cell"]) == set(run.deliveries["cell"])


def test_a_cell_that_was_never_written_is_no_obstacle(tmp_path: Path) -> None:
    write_run(tmp_path, [SMALL], repeats=1)
    (tmp_path / "cells" / CELL / "cell.json").unlink()
    assert len(load(tmp_path).finished) == 5


def write_json(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def test_a_run_from_before_a_column_was_recorded_reads_as_not_knowing_it(tmp_path: Path) -> None:
    write_run(tmp_path, [SMALL], repeats=1, labels={"sse": "SSE"})
    file = tmp_path / f"cells/{CELL}/samples.parquet"
    pd.read_parquet(file).drop(columns="waited_ns").to_parquet(file)
    samples = load(tmp_path).samples
    assert set(samples["waited_ns"]) == {-1}
    assert list(samples.columns) == [*KEYS, *ROW_TYPES["samples"][0]._fields]


def test_a_run_from_before_the_rate_was_a_dimension_has_the_one_of_its_schedule(tmp_path: Path) -> None:
    write_run(tmp_path, [SMALL, replace(SMALL, name="rare", schedule="burst:2/1")], repeats=1, labels={"sse": "SSE"})
    for file in tmp_path.glob("cells/*/cell.json"):
        fields = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({name: fields[name] for name in fields if name != "rate_per_s"}), encoding="utf-8")
    run = load(tmp_path)
    assert run.finished.set_index("scenario")["rate_per_s"].to_dict() == {"small": 8.0, "rare": 2.0}
    assert set(run.deliveries["rate_per_s"]) == {8.0, 2.0}


def drop_column(file: Path) -> None:
    pd.read_parquet(file).drop(columns="received_ns").to_parquet(file)


def name_an_unknown_mode(file: Path) -> None:
    pd.read_parquet(file).assign(mode="telepathy").to_parquet(file)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda run: shutil.rmtree(run), "no such folder"),
        (lambda run: (run / "run.json").unlink(), "No such file"),
        (lambda run: (run / "run.json").write_text("{", encoding="utf-8"), "not what pollbench wrote"),
        (lambda run: (run / "run.json").write_text('{"schema": 2}', encoding="utf-8"), "missing required field"),
        (lambda run: write_json(run / "run.json", schema=99), "schema 99 is newer than"),
        (lambda run: write_json(run / "run.json", schema=0), "schema 0 is not"),
        (lambda run: write_json(run / f"cells/{CELL}/cell.json", schema=99), "schema 99 is newer than"),
        (lambda run: (run / f"cells/{CELL}/deliveries.parquet").unlink(), "deliveries.parquet: cannot be read"),
        (lambda run: (run / f"cells/{CELL}/samples.parquet").write_bytes(b"PAR1"), "samples.parquet: cannot be read"),
        (lambda run: (run / f"cells/{CELL}/published.csv").unlink(), "published.csv: cannot be read"),
        (lambda run: (run / f"cells/{CELL}/published.csv").write_bytes(b"a,b\n1,2\n"), "published.csv: cannot be read"),
        (lambda run: drop_column(run / f"cells/{CELL}/deliveries.parquet"), "no column received_ns"),
        (lambda run: name_an_unknown_mode(run / f"cells/{CELL}/deliveries.parquet"), "'telepathy'"),
    ],
)
def test_what_cannot_be_vouched_for_is_refused_in_one_line(
    folder: Path, tmp_path: Path, harm: Callable[[Path], object], told: str
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    harm(damaged)
    with pytest.raises(ReportError) as refusal:
        load(damaged)
    assert told in str(refusal.value)
    assert str(damaged) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_run_without_a_finished_cell_is_refused(tmp_path: Path) -> None:
    names = [f"small-6-{pattern}-1" for pattern in ("sse", "chunked")]
    write_run(tmp_path, [SMALL], repeats=1, labels={"sse": "SSE", "chunked": "Chunked"}, failing=names)
    with pytest.raises(ReportError, match="none of its 2 cells finished"):
        load(tmp_path)


def test_the_newest_run_is_the_one_that_was_started_last(tmp_path: Path) -> None:
    with pytest.raises(NotARun, match="there is no run in"):
        newest(tmp_path)
    for name, started_at in {"z-old": "2026-01-01T00:00:00Z", "a-new": "2026-02-01T00:00:00Z"}.items():
        (tmp_path / name).mkdir()
        write_run(tmp_path / name, [SMALL], repeats=1, labels={"sse": "SSE"})
        write_json(tmp_path / name / "run.json", started_at=started_at)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{", encoding="utf-8")
    assert newest(tmp_path).name == "a-new"
