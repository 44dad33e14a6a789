"""`pollbench capacity` from end to end: small loads, and goals that no machine's speed decides."""

import json
import shutil
from math import inf
from pathlib import Path

import pytest

from pollbench import DONE, USAGE, main
from reports.capacity import rungs
from tests.targets.test_run import PUBLISH, foreign

QUICK = ["--window", "0.6", "--warmup", "0.1", "--schedule", "steady:50", "--drain", "0.5", "--repeats", "1"]


@pytest.fixture(autouse=True)
def any_machine_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window of 30 messages beside a busy neighbour says nothing of Little's law; test_rungs.py tries that."""
    monkeypatch.setattr(rungs, "STEADY", inf)
    monkeypatch.setattr(rungs, "OURS", ())


def test_a_server_that_holds_all_that_is_tried_and_the_search_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = str(tmp_path / "search")
    asked = ["capacity", "sse", "--clients", "1", "--goal", "p50_ms < 100000", *QUICK, "--json"]
    assert main([*asked, "--most", "2", "--out", where]) == DONE
    told = json.loads(capsys.readouterr().out)
    assert [(rung["load"], rung["held"]) for rung in told["rungs"]] == [(1, True), (2, True)]
    assert told["limit"] is None
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("cell.json")}
    assert main([*asked, "--most", "3", "--resume", where]) == DONE
    assert [rung["load"] for rung in json.loads(capsys.readouterr().out)["rungs"]] == [1, 2, 3]
    assert all(file.stat().st_mtime_ns == at for file, at in kept.items())


def test_a_goal_that_nothing_meets_ends_at_one_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["capacity", "sse", "--clients", "2", "--goal", "p50_ms < 0", *QUICK, "--out", str(tmp_path / "search")]
    main(asked)
    told = json.loads((tmp_path / "search" / "capacity.json").read_text(encoding="utf-8"))
    assert [rung["load"] for rung in told["rungs"]] == [2, 1]
    answer = capsys.readouterr().out
    # A neighbour may have the machine: then nothing is known, and that is told instead.
    assert "does not hold 1 client" in answer or "is unknown" in answer


def test_a_server_that_is_not_ours_is_searched_as_ours_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with foreign() as url:
        where = ["--url", f"{url}/events", "--publish", PUBLISH, "--out", str(tmp_path / "search")]
        asked = ["capacity", "sse", "--clients", "1", "--most", "2", "--goal", "missed == 0", *QUICK, *where, "--json"]
        assert main(asked) == DONE
    told = json.loads(capsys.readouterr().out)
    assert [(rung["load"], rung["held"]) for rung in told["rungs"]] == [(1, True), (2, True)]


def test_other_options_at_a_later_load_are_refused_and_not_taken_for_this_machines_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path / "search"
    asked = ["capacity", "sse", "--clients", "1", "--most", "2", "--goal", "p50_ms < 100000", *QUICK]
    assert main([*asked, "--out", str(where)]) == DONE
    shutil.rmtree(where / "clients-000001")
    assert main([*asked, "--message-bytes", "500", "--resume", str(where)]) == USAGE
    assert "keeps to its own plan, but you ask for --message-bytes 500" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--of", "speed"], "--of 'speed' is none of: clients, rate"),
        (["--clients", "1,2"], "give one value each to --clients"),
        (["--of", "rate", "--schedule", "burst:3/1"], "--schedule burst:3/1 has no rate to raise"),
        (["--clients", "9", "--most", "3"], "--most 3 is less than the 9 the search begins with"),
        (["--goal", "p99_ms"], "--goal:1"),
        (["--resume", "/nowhere"], "--resume /nowhere is no folder of a search"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_a_line(
    options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["capacity", "sse", *options]) == USAGE
    assert told in capsys.readouterr().err
