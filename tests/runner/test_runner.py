"""Runs of short cells with real processes, some of which go wrong."""

import json
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pandas as pd
import psutil
import pytest

from loadtests.host.managed_process import Child
from loadtests.records.manifest import Cell, Run
from loadtests.records.rows import SCHEMA_VERSION
from loadtests.runs import runner
from loadtests.runs.commands import Programs
from loadtests.runs.run_folder import RunRefused
from loadtests.scenario.plan import Plan, PlannedCell, remaining
from loadtests.scenario.scenarios import Scenario

pytestmark = [pytest.mark.slow, pytest.mark.apart]

LABELS = {"sse": "Server-Sent Events", "chunked": "Chunked streaming"}
Make = Callable[..., Programs]


class Watching:
    """Notes what a run tells its watcher; ends it with Ctrl-C in the named cell."""

    def __init__(self, interrupt_in: str = "") -> None:
        self.told: list[str] = []
        self._interrupt_in = interrupt_in
        self._cell = ""

    def starts(self, planned: PlannedCell) -> None:
        self._cell = planned.name

    def tick(self) -> None:
        if self._cell == self._interrupt_in:
            self._cell = ""
            signal.raise_signal(signal.SIGINT)

    def ended(self, cell: Cell) -> None:
        self.told.append(f"{cell.name} {cell.status}")


def one_cell(folder: Path, scenario: Scenario, programs: Programs) -> Cell:
    plan = Plan(scenario, ("sse",), 1)
    runner.begin(folder, plan, LABELS, "run")
    return runner.run_cells(folder, plan.cells(), LABELS, Watching(), programs).cells[0]


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Hold every test here to it: what was running before (a server that other tests share) is not ours to stop."""
    before = set(started())
    yield
    assert [each for each in started() if each not in before and not before & set(parents(each))] == []


def parents(process: psutil.Process) -> list[psutil.Process]:
    """Return whose child it is, and whose that is: a browser that was there before starts processes when it likes."""
    try:
        return process.parents()
    except psutil.NoSuchProcess:
        return []


def started() -> list[psutil.Process]:
    """Return our processes, but for the tracker that multiprocessing, once used by any test, keeps to the end."""
    return [child for child in psutil.Process().children(recursive=True) if not is_tracker_or_ended(child)]


def is_tracker_or_ended(process: psutil.Process) -> bool:
    try:
        return "multiprocessing.resource_tracker" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # a zombie too, which its parent has not asked after yet
        return True


def test_a_cell_leaves_its_record_its_rows_its_journal_and_its_logs(
    tmp_path: Path, brief: Scenario, programs: Make
) -> None:
    cell = one_cell(tmp_path, brief, programs())
    folder = tmp_path / "cells" / "feed-2-sse-1"
    assert (cell.status, cell.problems) == ("finished", [])
    assert {file.name for file in folder.iterdir()} == {
        "cell.json",
        "requests.parquet",
        "deliveries.parquet",
        "samples.parquet",
        "published.csv",
        "server.log",
        "load.log",
    }
    assert msgspec.json.decode((folder / "cell.json").read_bytes(), type=Cell) == cell
    journal = (folder / "published.csv").read_text(encoding="ascii").splitlines()
    assert journal[0] == "id,due_ns,published_ns"
    assert len(journal) - 1 == cell.published
    assert cell.window_until_ns - cell.window_from_ns == 400_000_000
    assert cell.spawned_by_ns < cell.publish_from_ns < cell.window_from_ns < cell.window_until_ns < cell.load_ended_ns
    assert cell.rows == {"requests": 0, "deliveries": 2 * cell.published, "samples": 5}


@pytest.mark.parametrize(
    ("server", "load", "problem"),
    [
        ("ends at once", "good", "the server ended by itself with exit code 1: error: no such luck"),
        ("says nothing", "good", "the server was not ready after 1 s: it printed nothing"),
        ("server: another token", "good", "is another server: its token is 'somebody-else'"),
        ("server: dies", "good", "the server ended by itself with exit code 9"),
        ("server: ends badly", "good", "the server ended with exit code 5 when told to stop: error: could not close"),
        ("", "ends at once", "the load ended by itself with exit code 1: error: no such luck"),
        ("", "says nothing", "the load was not ready after"),
        ("", "too few users", "1 users were started instead of 2"),
        ("", "unhappy", "the load ended with exit code 4: the load is unhappy"),
        ("", "silent about rows", "the load ended without reporting its records"),
        ("", "lost a row", "requests-sse-1.rows is missing: 1 rows"),
        (
            "",
            "hears HTML",
            "the server answered HTTP/1.1 200 OK; Content-Type: text/html, whose body began with b'<h1>It works</h1>'",
        ),
    ],
)
def test_a_failed_cell_says_why_and_leaves_no_process(
    tmp_path: Path, brief: Scenario, programs: Make, server: str, load: str, problem: str
) -> None:
    scenario = replace(brief, window_s=2.0) if server == "server: dies" else brief
    # Where the load says nothing, the server must still have been ready, on however busy a machine.
    ready_s = 1 if server == "says nothing" else 20 if load == "says nothing" else 30
    cell = one_cell(tmp_path, scenario, programs(server, load, ready_s=ready_s))
    assert cell.status == "failed"
    assert problem in "; ".join(cell.problems)
    assert runner.finished_cells(tmp_path, ["feed-2-sse-1"]) == {}


@pytest.mark.parametrize(
    ("program", "ready_s", "problem"),
    [
        (
            "import argparse; argparse.ArgumentParser().parse_args()",
            60,
            "the server ended by itself with exit code 2: ",
        ),
        (
            "import time; print('Uvicorn running', flush=True); time.sleep(600)",
            1,
            "the server was not ready after 1 s: ",
        ),
    ],
)
def test_a_server_that_knows_nothing_of_us_is_answered_with_what_is_expected(
    tmp_path: Path, brief: Scenario, programs: Make, program: str, ready_s: int, problem: str
) -> None:
    """As `uvicorn app:app` is: it refuses options that it does not know, or runs and says so in words of its own."""
    server = shlex.join([sys.executable, "-c", program])
    cell = one_cell(tmp_path, replace(brief, server=server), programs(ready_s=ready_s))
    assert cell.status == "failed"
    assert problem in cell.problems[0]
    assert "--server takes a program that accepts the options it is given here, and says when" in cell.problems[0]


def test_a_single_client_that_received_nothing_fails_the_cell(tmp_path: Path, brief: Scenario, programs: Make) -> None:
    drained = replace(brief, drain_s=None, poll_interval_s=0.1)
    cell = one_cell(tmp_path, drained, programs(load="one hears nothing"))
    assert cell.problems == ["1 of 2 clients received nothing of the 8 messages that were due: no answer came"]


def test_each_cell_of_a_sweep_is_published_to_at_its_own_rate(tmp_path: Path, brief: Scenario, programs: Make) -> None:
    scenario = replace(brief, schedule="steady:20,steady:100")
    planned = Plan(scenario, ("sse",), 1).cells()
    cells = runner.run_cells(tmp_path, planned, {"sse": "SSE"}, Watching(), programs(load="")).cells
    assert [(cell.name, cell.rate_per_s, cell.problems) for cell in cells] == [
        ("feed-2-20per_s-sse-1", 20.0, []),
        ("feed-2-100per_s-sse-1", 100.0, []),
    ]
    for cell, messages in zip(cells, (8, 40), strict=True):
        due_ns = pd.read_csv(tmp_path / "cells" / cell.name / "published.csv")["due_ns"]
        assert due_ns.between(cell.window_from_ns, cell.window_until_ns, "left").sum() == messages


@pytest.mark.parametrize("pattern", ["sse", "http2_push"])
def test_a_round_trip_stands_between_users_and_server(
    tmp_path: Path, brief: Scenario, programs: Make, pattern: str
) -> None:
    scenario = replace(brief, rtt_ms=(60.0,))
    planned = Plan(scenario, (pattern,), 1).cells()
    cell = runner.run_cells(tmp_path, planned, {pattern: pattern}, Watching(), programs(load="")).cells[0]
    assert cell.problems == []
    assert (cell.name, cell.rtt_ms) == (f"feed-2-60ms-{pattern}-1", 60.0)
    folder = tmp_path / "cells" / cell.name
    deliveries = pd.read_parquet(folder / "deliveries.parquet")
    seen = deliveries[deliveries["due_ns"].between(cell.window_from_ns, cell.window_until_ns)]
    assert seen["user"].nunique() == scenario.clients[0]
    assert (seen["received_ns"] - seen["published_ns"]).min() >= 30_000_000
    samples = pd.read_parquet(folder / "samples.parquet")
    assert {"server", "relay", "generator"} <= set(samples["role"])
    assert cell.relay is not None
    assert cell.relay.connections >= scenario.clients[0]
    assert cell.relay.bytes > deliveries["bytes"].sum()
    assert 0 < cell.relay.late_mean_ms <= cell.relay.late_max_ms
    assert cell.relay.cpu_s > 0


def test_jitter_and_bandwidth_stand_there_too_also_without_a_round_trip(
    tmp_path: Path, brief: Scenario, programs: Make
) -> None:
    """20 kB take 16 ms at 10 Mbit/s, and jitter only ever adds."""
    narrow = replace(brief, bandwidth_bits_per_s=10_000_000, jitter_ms=2.0, message_bytes=20_000, drain_s=0.5)
    cell = one_cell(tmp_path, narrow, programs(load=""))
    assert cell.problems == []
    assert cell.relay is not None
    deliveries = pd.read_parquet(tmp_path / "cells" / cell.name / "deliveries.parquet")
    assert (deliveries["received_ns"] - deliveries["published_ns"]).min() >= 16_000_000


@pytest.mark.parametrize(
    ("relay", "problem"),
    [
        ("ends at once", "the relay ended by itself with exit code 1: error: no such luck"),
        ("relay: says nothing at its end", "the relay ended without saying how late it was"),
    ],
)
def test_a_relay_that_fails_fails_the_cell(
    tmp_path: Path, brief: Scenario, programs: Make, relay: str, problem: str
) -> None:
    cell = one_cell(tmp_path, replace(brief, rtt_ms=(60.0,)), programs(relay=relay))
    assert problem in "; ".join(cell.problems)


def test_a_faulty_server_leaves_its_record_and_the_load_is_told(
    tmp_path: Path, brief: Scenario, programs: Make
) -> None:
    planned = Plan(replace(brief, fault="drop:0.5"), ("sse",), 1).cells()
    ours = replace(programs(load=""), journal_writes=True)
    cell = runner.run_cells(tmp_path, planned, LABELS, Watching(), ours).cells[0]
    assert cell.problems == []
    folder = tmp_path / "cells" / cell.name
    assert "FAULTY ON PURPOSE (drop:0.5)" in (folder / "load.log").read_text(encoding="utf-8")
    record, writes = (pd.read_csv(folder / name) for name in ("faults.csv", "writes.csv"))
    assert set(record["copies"]) == {0, 1}
    assert len(writes) == record["copies"].sum() * 2
    assert set(pd.read_parquet(folder / "deliveries.parquet")["id"]) == set(record["id"][record["copies"] == 1])


class Freezing(Watching):
    """Ends the run with Ctrl-C as soon as the server is frozen. guards: whoever froze it."""

    guards: list[psutil.Process]

    def tick(self) -> None:
        ours = started()
        if not self._interrupt_in and any(child.status() == psutil.STATUS_STOPPED for child in ours):
            self.guards = [child for child in ours if "servers.faults.freeze" in child.cmdline()]
            self._interrupt_in = "now"
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_while_a_server_is_frozen_leaves_neither_it_nor_its_guard(
    tmp_path: Path, brief: Scenario, programs: Make
) -> None:
    planned = Plan(replace(brief, fault="freeze:0,60", window_s=30.0), ("sse",), 1).cells()
    watching = Freezing()
    outcome = runner.run_cells(tmp_path, planned, LABELS, watching, programs())
    assert outcome.interrupted

    assert len(watching.guards) == 1
    assert psutil.wait_procs(watching.guards, 20)[1] == []


def test_a_frozen_process_hears_that_it_is_to_stop(tmp_path: Path, programs: Make) -> None:
    child = Child("server", [*programs().server, "sse", "--port", "0", "--announce-json"], tmp_path / "server.log")
    child.heard(re.compile("ready"), 10)
    psutil.Process(child.pid).suspend()
    assert child.stop() == 0


def test_a_run_goes_on_after_a_failed_cell(tmp_path: Path, brief: Scenario, programs: Make) -> None:
    plan = Plan(brief, ("sse", "nonsense", "chunked"), 1)
    labels = {**LABELS, "nonsense": "Nonsense"}
    runner.begin(tmp_path, plan, labels, "compare")
    watching = Watching()
    outcome = runner.run_cells(tmp_path, plan.cells(), labels, watching, programs())
    assert watching.told == ["feed-2-sse-1 finished", "feed-2-nonsense-1 failed", "feed-2-chunked-1 finished"]
    assert [cell.name for cell in outcome.failed] == ["feed-2-nonsense-1"]
    assert "nonsense" in outcome.failed[0].problems[0]


def test_ctrl_c_keeps_what_is_finished_and_resuming_measures_only_the_rest(
    tmp_path: Path, brief: Scenario, programs: Make
) -> None:
    plan = Plan(brief, ("sse", "chunked"), 1)
    runner.begin(tmp_path, plan, LABELS, "compare")
    outcome = runner.run_cells(tmp_path, plan.cells(), LABELS, Watching("feed-2-chunked-1"), programs())
    assert outcome.interrupted
    names = [cell.name for cell in plan.cells()]
    finished = runner.finished_cells(tmp_path, names)
    assert list(finished) == ["feed-2-sse-1"]
    assert (tmp_path / "cells" / "feed-2-chunked-1").is_dir()

    saved = runner.reopen(tmp_path)
    assert saved == plan
    runner.check_resumable(tmp_path, plan)
    watching = Watching()
    again = runner.run_cells(tmp_path, remaining(saved, finished), LABELS, watching, programs())
    assert watching.told == ["feed-2-chunked-1 finished"]
    assert not again.interrupted
    assert list(runner.finished_cells(tmp_path, names)) == names


def test_a_failed_cell_is_measured_again_when_resuming(tmp_path: Path, brief: Scenario, programs: Make) -> None:
    assert one_cell(tmp_path, brief, programs(load="unhappy")).status == "failed"
    plan = runner.reopen(tmp_path)
    again = runner.run_cells(tmp_path, remaining(plan, {}), LABELS, Watching(), programs())
    assert [cell.status for cell in again.cells] == ["finished"]


def test_a_disk_that_takes_nothing_more_halts_the_run_and_says_so(
    tmp_path: Path, brief: Scenario, programs: Make
) -> None:
    plan = Plan(brief, ("sse",), 1)
    runner.begin(tmp_path, plan, LABELS, "run")
    (tmp_path / "cells").write_text("in the way", encoding="ascii")
    outcome = runner.run_cells(tmp_path, plan.cells(), LABELS, Watching(), programs())
    assert outcome.cells == []
    assert outcome.halted.startswith(f"cannot write {tmp_path}")


def test_a_process_that_will_not_stop_is_ended_all_the_same(tmp_path: Path, programs: Make) -> None:
    child = Child("load", programs(load="deaf").load, tmp_path / "load.log")
    child.heard(re.compile("deaf"), 10)
    assert child.stop(grace_s=0.1) == -9
    assert not psutil.pid_exists(child.pid)


def test_the_run_says_what_was_asked_of_which_machine(tmp_path: Path, brief: Scenario) -> None:
    runner.begin(tmp_path / "new", Plan(brief, ("sse", "chunked"), 2), LABELS, "compare")
    run = msgspec.json.decode((tmp_path / "new" / "run.json").read_bytes(), type=Run)
    assert run.schema == SCHEMA_VERSION
    assert run.patterns == LABELS
    assert run.command.startswith("pollbench compare --scenario feed --pattern sse,chunked --clients 2 ")
    assert run.machine.cores >= 1
    assert run.machine.memory_bytes > 0
    assert run.versions["locust"]
    assert run.versions["pollbench"]


def test_a_folder_with_something_in_it_is_not_taken_for_a_new_run(tmp_path: Path, brief: Scenario) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="ascii")
    with pytest.raises(RunRefused, match=r"is not empty.*--resume"):
        runner.begin(tmp_path, Plan(brief, ("sse",), 1), LABELS, "run")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"schema": SCHEMA_VERSION + 1}, "schema"),
        ({"cells": ["feed-2-sse-1", "feed-2-sse-9"]}, "run.json was edited"),
        ({"repeats": 0}, "`int` >= 1"),
        ({"scenarios": []}, "length >= 1"),
        ({"scenarios": [{"name": "feed"}]}, "missing required field"),
        ({"versions": {"sources": "0123456789ab"}}, "its sources version was 0123456789ab"),
        ({"versions": {"locust": "1.0"}}, "its locust version was 1.0"),
        ({"kind": 7}, "not what pollbench wrote"),
    ],
)
def test_a_run_that_new_cells_could_not_join_is_not_resumed(
    tmp_path: Path, brief: Scenario, change: dict[str, object], problem: str
) -> None:
    runner.begin(tmp_path, Plan(brief, ("sse",), 1), LABELS, "run")
    written = json.loads((tmp_path / "run.json").read_bytes())
    (tmp_path / "run.json").write_text(json.dumps(written | change), encoding="utf-8")
    with pytest.raises(RunRefused, match=problem):
        runner.check_resumable(tmp_path, runner.reopen(tmp_path))


def test_a_run_json_that_is_missing_or_torn_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunRefused, match="Name a run folder"):
        runner.reopen(tmp_path / "nowhere")
    (tmp_path / "run.json").write_text('{"schema": 1, "comm', encoding="ascii")
    with pytest.raises(RunRefused, match="not what pollbench wrote"):
        runner.reopen(tmp_path)


def test_a_cell_json_that_cannot_be_read_counts_as_not_finished(tmp_path: Path) -> None:
    folder = tmp_path / "cells" / "feed-2-sse-1"
    folder.mkdir(parents=True)
    (folder / "cell.json").write_text("{", encoding="ascii")
    assert runner.finished_cells(tmp_path, ["feed-2-sse-1"]) == {}
