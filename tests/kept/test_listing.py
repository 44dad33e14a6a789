"""What is said of a folder of runs: every run, whatever state it is in, and never a traceback."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from loadtests.records import manifest
from loadtests.scenario.scenarios import Scenario
from reports.commands.app import main
from reports.kept.listing import NOT_REPORTED, UNREADABLE, Kept, listing
from reports.page.page import write_report
from reports.validity.caution import VERDICT_FILE
from tests.synthetic import write_run

SMALL = Scenario(
    name="small",
    purpose="for tests",
    clients=(4,),
    schedule="poisson:8",
    poll_interval_s=0.4,
    warmup_s=0.2,
    window_s=4.0,
)
TWO = {"short_polling": "Short polling", "sse": "SSE"}


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that passes for a measured one, with its report, but for the charts. Read only."""
    folder = write_run(tmp_path_factory.mktemp("runs") / "fine", [SMALL], repeats=2, labels=TWO)
    file = folder / "run.json"
    run = msgspec.json.decode(file.read_bytes(), type=manifest.Run)
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(run, kind="compare")))
    write_report(folder, charts=())
    return folder


@pytest.fixture
def runs(reported: Path, tmp_path: Path) -> Path:
    shutil.copytree(reported, tmp_path / "runs/fine")
    return tmp_path / "runs"


def only(runs: Path) -> Kept:
    (kept,) = listing(runs)
    return kept


def test_a_run_is_told_with_question_cells_verdict_figure_and_size(runs: Path) -> None:
    kept = only(runs)
    assert kept.what == "compare small: 2 patterns, 4 clients, poisson:8, 2 times"
    assert (kept.cells, kept.verdict, kept.problem) == ("4 of 4", "VALID", "")
    assert kept.headline.startswith("SSE: p50 ")
    files = [file for file in (runs / "fine").rglob("*") if file.is_file()]
    assert kept.size_bytes == sum(file.stat().st_size for file in files)


def test_a_run_without_a_report_says_so(runs: Path) -> None:
    (runs / "fine" / VERDICT_FILE).unlink()
    assert only(runs).verdict == NOT_REPORTED


def test_a_run_from_which_nothing_may_be_decided_has_no_figure(runs: Path) -> None:
    file = runs / "fine" / VERDICT_FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | {"verdict": "INVALID"}))
    assert (only(runs).verdict, only(runs).headline) == ("INVALID", "No answer")


@pytest.mark.parametrize("name", ["run.json", VERDICT_FILE, "summary.csv", "cells/small-4-sse-1/cell.json"])
@pytest.mark.parametrize("content", [b"", b"\xff{", b'{"schema": 999}', b"[1]"])
def test_what_is_damaged_is_named(runs: Path, name: str, content: bytes) -> None:
    (runs / "fine" / name).write_bytes(content)
    kept = only(runs)
    assert kept.verdict == UNREADABLE
    assert name in kept.problem


def test_other_folders_are_left_out_and_searches_say_what_they_found(runs: Path) -> None:
    (runs / "mine").mkdir()
    (runs / "calibration.json").write_text("{}")
    search = runs / "search"
    shutil.copytree(runs / "fine", search / "clients-000004")
    (search / "capacity.json").write_text(json.dumps({"answer": "SSE holds 4 clients."}))
    found = {kept.folder.name: kept for kept in listing(runs)}
    assert found.keys() == {"fine", "search"}
    assert (found["search"].cells, found["search"].headline) == ("1 run", "SSE holds 4 clients.")
    (search / "capacity.json").write_text("{")
    assert {kept.folder.name: kept for kept in listing(runs)}["search"].verdict == UNREADABLE


def test_the_command_lists_them_as_text_and_as_json(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(runs)]) == 0
    assert "VALID" in capsys.readouterr().out
    assert main(["runs", str(runs), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["folder"], row["verdict"]) == (str(runs / "fine"), "VALID")
    assert main(["runs", str(runs / "none")]) == 0
    assert "there is no run in" in capsys.readouterr().err.replace("\n", " ")
