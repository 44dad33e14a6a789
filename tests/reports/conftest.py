"""A small simulated run, loaded once, and frames made by hand."""

import fcntl
import os
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from loadtests.records import manifest
from loadtests.scenario.scenarios import Scenario
from reports.charts.chart_data import Scene, scenes
from reports.data.load import Run, load
from reports.measures.measures import per_cell, summary
from reports.page.page import write_report
from tests.synthetic import write_run

SMALL = Scenario(
    name="small",
    purpose="a run for tests",
    clients=(6,),
    schedule="poisson:8",
    poll_interval_s=0.4,
    warmup_s=0.2,
    window_s=2.0,
)


DISTANT = replace(SMALL, name="distant", rtt_ms=(0.0, 20.0, 80.0))
FREQUENT = replace(
    SMALL,
    name="frequent",
    clients=(3,),
    schedule="poisson:4,poisson:16,poisson:64",
    poll_interval_s=0.1,
    rtt_ms=(30.0,),
    window_s=4.0,
)
THREE = {"short_polling": "Short polling", "long_polling": "Long polling", "sse": "SSE"}


def as_measured(folder: Path) -> Path:
    """Let a made-up run pass for a measured one, whose page has answers."""
    file = folder / "run.json"
    run = msgspec.json.decode(file.read_bytes(), type=manifest.Run)
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(run, kind="compare")))
    return folder


@pytest.fixture(scope="session")
def frequent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run at three message rates, of three patterns, one repeat. Read only."""
    return write_run(tmp_path_factory.mktemp("frequent"), [FREQUENT], repeats=1, labels=THREE)


@pytest.fixture(scope="session")
def frequent_page(frequent: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report, which takes 10 s of CPU, written once for all workers. Read only."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "frequent-reported"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            copied = Path(shutil.copytree(frequent, own / "frequent"))
            write_report(as_measured(copied))
            copied.rename(folder)
    return (folder / "report.html").resolve()


@pytest.fixture(scope="session")
def distant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run at three round trips, of six patterns, one repeat. Read only."""
    return write_run(tmp_path_factory.mktemp("distant"), [DISTANT], repeats=1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of six patterns, two repeats. Read only."""
    return write_run(tmp_path_factory.mktemp("small"), [SMALL], repeats=2)


@pytest.fixture(scope="session")
def run(folder: Path) -> Run:
    return load(folder)


@pytest.fixture(scope="session")
def cells(run: Run) -> pd.DataFrame:
    return per_cell(run)


@pytest.fixture(scope="session")
def rows(run: Run, cells: pd.DataFrame) -> pd.DataFrame:
    return summary(run, cells)


@pytest.fixture(scope="session")
def scene(run: Run, rows: pd.DataFrame) -> Scene:
    return scenes(run, rows, "VALID")[0]
