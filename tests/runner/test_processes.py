"""Several processes in a planned cell, of load and of server: the same users, rows and books; none dies unnoticed."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread
from time import sleep

import pandas as pd
import psutil
import pytest

from loadtests.records.manifest import Cell
from loadtests.runs import runner
from loadtests.scenario.plan import Plan, PlannedCell, command_line
from loadtests.scenario.scenarios import SCENARIOS, Scenario
from loadtests.scenario.sharing import CLIENTS_EACH, shared_out
from reports.data.load import load
from reports.measures.measures import open_books, per_cell
from servers import patterns

LABELS = {name: patterns.facts(name).label for name in patterns.names()}
FEED = SCENARIOS["feed"]
CLIENTS = 25
"""Odd, so that they cannot be dealt out evenly. That one of two servers gets none of them: 1 to 10 million."""
SHARED = Scenario(
    name="feed",
    purpose="tests",
    clients=(CLIENTS,),
    schedule="steady:20",
    poll_interval_s=0.1,
    warmup_s=0.2,
    window_s=1.2,
    load_processes=2,
    server_processes=2,
)


class Watching:
    """Calls `each` at every tick; whoever wants to know of cells is told nothing."""

    def __init__(self, each: Callable[[], None] = lambda: None) -> None:
        self.tick = each

    def starts(self, planned: PlannedCell) -> None: ...
    def ended(self, cell: Cell) -> None: ...


def measured(folder: Path, scenario: Scenario, pattern: str = "sse", each: Callable[[], None] = lambda: None) -> Cell:
    plan, labels = Plan(scenario, (pattern,), 1), {pattern: LABELS[pattern]}
    runner.begin(folder, plan, labels, "run")
    return runner.run_cells(folder, plan.cells(), labels, Watching(each)).cells[0]


def users_of(folder: Path, cell: Cell) -> set[int]:
    return set(pd.read_parquet(folder / "cells" / cell.name / "requests.parquet", columns=["user"])["user"])


@pytest.mark.slow
@pytest.mark.parametrize("pattern", LABELS)
def test_two_load_and_two_server_processes_leave_what_one_of_each_would_have(tmp_path: Path, pattern: str) -> None:
    cell = measured(tmp_path, SHARED, pattern)
    assert (cell.status, cell.problems) == ("finished", [])
    run = load(tmp_path)
    (row,) = per_cell(run).to_dict("records")
    assert (row["generator_processes"], row["discrepancies"], row["missed"], row["duplicated"]) == (2, 0, 0, 0)
    assert row["delivered"] == 24 * CLIENTS
    assert users_of(tmp_path, cell) == set(range(1, CLIENTS + 1))
    assert [open_books(run, each) for each in run.finished.to_dict("records")] == [[]]
    loads, servers = (run.samples[run.samples["role"] == role].groupby("pid") for role in ("generator", "server"))
    seen = loads[["at_ns", "cpu_ns", "lag_ns"]].max()
    assert len(seen) == 2
    assert (seen["at_ns"] > cell.window_until_ns).all()
    assert (seen["cpu_ns"] > 0).all()
    assert (seen["lag_ns"] >= 0).all()
    used = servers["cpu_ns"].max() - servers["cpu_ns"].min()
    assert len(used) == 2
    assert (used > 0).all()
    assert 0 < row["server_cpu_share"] <= used.sum() / (cell.window_until_ns - cell.window_from_ns)
    journal = pd.read_csv(tmp_path / "cells" / cell.name / "published.csv")
    assert journal["id"].tolist() == list(range(1, cell.published + 1))


@pytest.mark.slow
def test_the_users_are_the_same_in_one_process(tmp_path: Path) -> None:
    """Phases of polls come from a user's number and the cell's name, so they are the same too."""
    cells = {
        number: measured(
            tmp_path / str(number), replace(SHARED, load_processes=number, server_processes=1), "short_polling"
        )
        for number in (1, 3)
    }
    users = {number: users_of(tmp_path / str(number), cell) for number, cell in cells.items()}
    assert users[1] == users[3] == set(range(1, CLIENTS + 1))


def workers() -> list[psutil.Process]:
    """Return the processes that were told to join another and share its users."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "--worker" in child.cmdline():
                found.append(child)
        except psutil.Error:
            continue
    return found


class Killer:
    """Kills the newest worker (SIGKILL), once, as soon as it is time."""

    def __init__(self, is_time: Callable[[], bool]) -> None:
        self._is_time = is_time
        self.killed = False

    def __call__(self) -> None:
        if not self.killed and (there := workers()) and self._is_time():
            there[-1].kill()
            self.killed = True


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["when it starts", "while messages come"])
def test_a_load_process_that_is_killed_fails_the_cell_by_name(tmp_path: Path, moment: str) -> None:
    def is_time() -> bool:
        rows = tmp_path.rglob("deliveries-*.rows")
        return moment == "when it starts" or any(file.stat().st_size for file in rows)

    kill = Killer(is_time)
    cell = measured(tmp_path, replace(SHARED, window_s=30.0), each=kill)
    assert kill.killed
    assert cell.status == "failed"
    assert any(problem.startswith("the load process ") for problem in cell.problems), cell.problems
    assert "of 2 ended by itself with signal SIGKILL" in cell.problems[0]
    assert workers() == []


@pytest.mark.slow
def test_a_load_process_that_is_killed_while_it_hands_in_fails_the_cell_by_name(tmp_path: Path) -> None:
    """It is stopped first, so that it cannot have handed in anything by the time it is killed."""
    log = tmp_path / "cells" / f"feed-{CLIENTS}-sse-1" / "load.log"

    def stop_one() -> None:
        rows = list(tmp_path.rglob("deliveries-*.rows"))
        if not stopped and len(rows) == 2:
            stopped.append(workers()[-1])
            os.kill(stopped[0].pid, signal.SIGSTOP)
            Thread(target=kill_when_asked, daemon=True).start()

    def kill_when_asked() -> None:
        while "Got SIGTERM signal" not in log.read_text(encoding="utf-8"):
            sleep(0.01)
        stopped[0].kill()

    stopped: list[psutil.Process] = []
    cell = measured(tmp_path, replace(SHARED, window_s=1.0), each=stop_one)
    assert stopped
    assert cell.status == "failed"
    assert "of 2 ended with signal SIGKILL" in cell.problems[0], cell.problems


@pytest.mark.parametrize(
    ("clients", "rtt_ms", "cores", "processes"),
    [
        (50, 0.0, 8, None),
        (CLIENTS_EACH, 0.0, 8, None),
        (CLIENTS_EACH + 1, 0.0, 2, None),
        (CLIENTS_EACH + 1, 0.0, 3, 2),
        (CLIENTS_EACH + 1, 40.0, 3, None),
        (10 * CLIENTS_EACH, 0.0, 8, 7),
        (10 * CLIENTS_EACH, 40.0, 8, 6),
    ],
)
def test_clients_are_shared_out_as_far_as_they_need_it_and_cores_allow(
    clients: int, rtt_ms: float, cores: int, processes: int | None
) -> None:
    scenario = replace(FEED, clients=(10, clients), rtt_ms=(rtt_ms,))
    assert shared_out(scenario, cores).load_processes == processes
    assert shared_out(replace(scenario, load_processes=1), cores).load_processes == 1


def test_the_command_that_repeats_a_run_names_its_load_processes() -> None:
    assert "--load-processes 2" in command_line("compare", Plan(replace(FEED, load_processes=2), ("sse",), 1))
    assert "--load-processes" not in command_line("compare", Plan(FEED, ("sse",), 1))
