"""A measure over runs: what is called a change, what is said beside it, and which runs do not count."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from loadtests.records import manifest
from loadtests.records.manifest import Cell
from loadtests.scenario.scenarios import Scenario
from reports.basics.statistics import ALPHA, change_points, median_interval, series_needed
from reports.commands.app import main
from reports.data.load import ReportError
from reports.kept.history import changes, history
from tests.reports.test_clock_error import FAR
from tests.synthetic import write_run
from tests.synthetic_patterns import World

SMALL = Scenario(name="small", purpose="for tests", clients=(3,), schedule="steady:40", warmup_s=0.2, window_s=1.0)


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six runs over 5 ms, then six over 8 ms, with another aiohttp from the ninth on."""
    runs = tmp_path_factory.mktemp("runs")
    for number in range(12):
        world = World(seed=number, one_way_ns=5_000_000 if number < 6 else 8_000_000)
        folder = write_run(runs / f"run-{number:02}", [SMALL], repeats=1, world=world, labels={"sse": "SSE"})
        change(
            folder, started_at=f"2026-11-{number + 1:02}T00:00:00Z", versions={"aiohttp": "3" if number < 9 else "4"}
        )
    return runs


def change(folder: Path, **fields: object) -> None:
    file = folder / "run.json"
    run = msgspec.json.decode(file.read_bytes(), type=manifest.Run)
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(run, kind="run", **fields)))


def test_a_step_is_found_where_it_is_and_noise_is_none() -> None:
    random = np.random.default_rng(5)
    noise = random.lognormal(2, 0.05, 30)
    assert change_points(noise) == []
    ((place, p),) = change_points(np.where(np.arange(30) < 18, noise, noise * 1.3))
    assert (place, p < 0.01) == (18, True)
    up_and_down = np.where((np.arange(30) >= 10) & (np.arange(30) < 20), noise * 2, noise)
    rises, falls = (place for place, _ in change_points(up_and_down))
    assert (abs(rises - 10) <= 1, abs(falls - 20) <= 1) == (True, True)


def test_noise_is_seldom_called_a_change() -> None:
    random = np.random.default_rng(6)
    alarms = sum(bool(change_points(random.lognormal(2, 0.1, 20))) for _ in range(100))
    assert alarms <= 3


def test_fewer_runs_than_needed_prove_nothing() -> None:
    needed = series_needed()
    half = needed // 2
    assert change_points([*range(half - 1), *range(100, 100 + half)]) == []
    assert change_points([*range(half), *range(100, 100 + half)]) != []


def test_the_change_is_told_with_the_run_and_other_versions_with_theirs(twelve: Path) -> None:
    found = history(twelve, twelve / "run-11", "p50_ms")
    (told,) = found.told()
    assert told.startswith("SSE (small, 3 clients, 40 messages a second): p50_ms worse by +")
    assert "since run-06" in told
    assert "aiohttp" not in told
    assert {step.run: step.marks for step in found.steps if step.marks} == {"run-09": ("aiohttp 3 -> 4",)}


def test_a_change_that_the_clocks_of_several_hosts_may_have_made_is_none() -> None:
    values = [median_interval([5.0 + 0.01 * at + 3.0 * (at >= 7)]) for at in range(14)]
    bare, doubted = ([*changes(values, [error_ms] * 14, "p50_ms", ALPHA)] for error_ms in (0.0, 1.0))
    assert [each.at for each in bare] == [each.at for each in doubted] == [7]
    base = values[3].median
    assert doubted[0].percent == bare[0].percent
    assert doubted[0].low_percent == pytest.approx(bare[0].low_percent - 100 * 2.0 / base)
    assert doubted[0].high_percent == pytest.approx(bare[0].high_percent + 100 * 2.0 / base)
    assert [*changes(values, [1.6] * 14, "p50_ms", ALPHA)] == []
    one_run_of_another_clock = [0.0] * 13 + [3.2]
    assert [*changes(values, one_run_of_another_clock, "p50_ms", ALPHA)] == []


def test_a_value_says_what_its_clocks_may_make_it_wrong_by(twelve: Path, tmp_path: Path) -> None:
    for name in ("run-00", "run-01"):
        shutil.copytree(twelve / name, tmp_path / name)
    for file in (tmp_path / "run-01").glob("cells/*/cell.json"):
        cell = msgspec.json.decode(file.read_bytes(), type=Cell)
        file.write_bytes(msgspec.json.encode(msgspec.structs.replace(cell, clocks=[FAR])))
    found = history(tmp_path, tmp_path / "run-01", "p50_ms")
    ((_, _, rows),) = found.tables()
    assert ["(clock)" in row[2] for row in rows] == [False, True]
    assert rows[1][2].endswith("\N{PLUS-MINUS SIGN} 2.0 (clock)")
    assert found.lines[0].clock_errors == (0.0, 2.0)


def test_runs_of_other_questions_are_not_in_it_and_damaged_ones_are_named(twelve: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for name in ("run-00", "run-01"):
        (runs / name).parent.mkdir(exist_ok=True)
        (runs / name).symlink_to(twelve / name)
    other = replace(SMALL, message_bytes=9)
    change(write_run(runs / "other", [other], repeats=1, labels={"sse": "SSE"}))
    write_run(runs / "made-up", [SMALL], repeats=1, labels={"sse": "SSE"})
    (runs / "broken").mkdir()
    (runs / "broken/run.json").write_text("{")
    found = history(runs, runs / "run-00", "p99_ms")
    assert [step.run for step in found.steps] == ["run-00", "run-01"]
    assert [line.split(":")[0] for line in found.left_out] == [str(runs / "broken/run.json"), "made-up"]
    assert found.told() == [f"p99_ms: 2 runs cannot prove a change; {found.needed} can."]
    with pytest.raises(ReportError, match="no measure 'p98_ms' in these runs"):
        history(runs, runs / "run-00", "p98_ms")
    with pytest.raises(ReportError, match="no pattern 'ssee' in these runs"):
        history(runs, runs / "run-00", "p99_ms", ["ssee"])


def test_the_command_says_the_change_first_and_has_all_as_json(
    twelve: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["history", str(twelve / "run-11"), "--runs", str(twelve), "--measure", "p50_ms"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert said.startswith("SSE (small")
    assert "<- worse" in said
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (line,) = told["lines"]
    assert [change["at"] for change in line["changes"]] == [6]
    assert len(line["values"]) == len(told["steps"]) == 12
