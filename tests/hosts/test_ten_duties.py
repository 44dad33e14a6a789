"""What whoever distributes a load must do (k6 #140): ten duties, each shown with hosts that are real processes.

Two runs are shared by all of them: one that goes well, and one that loses a host in each of its cells.
"""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
import psutil
import pytest

from loadtests.records.manifest import Cell
from loadtests.runs.hosts.meeting import Meeting
from loadtests.runs.hosts.messages import LOST_S
from reports.data.load import load
from reports.measures.measures import open_books, per_cell, summary
from reports.validity.caution import Facts
from reports.validity.evidence_text import grounds
from tests.hosts.crews import CLIENTS, SHARED, CrewOf, load_processes

pytestmark = pytest.mark.slow


class Done:
    """A run of two hosts with two load processes each, which is over."""

    def __init__(self, crew: CrewOf) -> None:
        self.crew = crew
        for name in ("alpha", "beta"):
            crew.host(name)
        outcome, self.told = crew.measure("sse", "short_polling")
        self.cells: list[Cell] = outcome.cells
        self.codes = {name: host.wait() for name, host in crew.hosts.items()}
        self.run = load(crew.folder / "run")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    with CrewOf(tmp_path_factory.mktemp("done"), replace(SHARED, load_processes=2)) as crew:
        yield Done(crew)


def test_1_the_program_is_passed(done: Done) -> None:
    """A host knows where the run is, and a secret; pattern, users, server and settings come from there."""
    assert [(cell.status, cell.problems) for cell in done.cells] == [("finished", [])] * 2
    assert {"sse", "short_polling"} == {cell.pattern for cell in done.cells}


def test_2_it_is_set_up_once(done: Done) -> None:
    """One server a cell, as always; hosts join once for all cells."""
    for name in ("alpha", "beta"):
        assert done.crew.log(name).count("joined the run at ") == 1
        assert sum(line.startswith(f"load host {name} ") for line in done.crew.said) == 1


def test_3_nothing_starts_before_all_are_ready(done: Done) -> None:
    joined = [line.split()[2] for line in done.told.starts_with["sse"] if "has joined" in line]
    assert sorted(joined) == ["alpha", "beta"]
    for cell in done.cells:
        asked = rows_of(done, cell, "requests")
        assert asked["started_ns"].min() > 0
        assert cell.spawned_by_ns < cell.publish_from_ns


def rows_of(done: Done, cell: Cell, table: str) -> pd.DataFrame:
    return pd.read_parquet(done.crew.folder / "run" / "cells" / cell.name / f"{table}.parquet")


def test_5_rows_are_merged_exactly(done: Done) -> None:
    cells = {row["cell"]: row for row in per_cell(done.run).to_dict("records")}
    for cell in done.cells:
        row = cells[cell.name]
        assert (row["generator_processes"], row["discrepancies"], row["missed"], row["duplicated"]) == (4, 0, 0, 0)
        assert row["delivered"] == 24 * CLIENTS
        requests = rows_of(done, cell, "requests")
        assert set(requests["user"]) == set(range(1, CLIENTS + 1))
        assert requests.groupby("user", observed=True)["host"].nunique().max() == 1, "a user is on one host"
        assert set(requests["host"]) == {"alpha", "beta"}
        for table, count in cell.rows.items():
            assert len(rows_of(done, cell, table)) == count
    assert [open_books(done.run, each) for each in done.run.finished.to_dict("records")] == [[], []]


def test_7_all_hear_that_it_is_done(done: Done) -> None:
    assert done.codes == {"alpha": 0, "beta": 0}
    for name in ("alpha", "beta"):
        assert done.crew.log(name).splitlines()[-1].endswith("is done; 2 cells handed in")


def test_8_it_is_torn_down_once_and_nothing_is_left(done: Done) -> None:
    for name in ("alpha", "beta"):
        assert done.crew.left_by(name) == []
    assert [each for each in psutil.Process().children(recursive=True) if "locust" in " ".join(each.cmdline())] == []


def test_9_the_summary_is_of_all_hosts_and_names_them(done: Done) -> None:
    cells = per_cell(done.run)
    facts = Facts(done.run, cells, summary(done.run, cells))
    told = next(each.answer for each in grounds(facts, []) if each.question == "Did the load generator keep up?")
    assert told.startswith("4 processes on load hosts (alpha: "), told
    assert "; beta: " in told
    hosts = done.cells[0].hosts
    assert [(each.name, each.processes) for each in hosts] == [("alpha", 2), ("beta", 2)]
    assert all(each.machine.cores > 0 and each.machine.clock_id for each in hosts)
    assert facts.whose(cells, "generator_cpu_peak") in {" on load host alpha", " on load host beta"}
    samples = rows_of(done, done.cells[0], "samples")
    assert samples.groupby("host", observed=True)["role"].agg(set).to_dict() == {
        "": {"server"},
        "alpha": {"generator"},
        "beta": {"generator"},
    }


class Losing:
    """A run that loses a host in each of its cells but one, which it finishes with a late one, and is interrupted."""

    PATTERNS = ("sse", "websocket", "chunked", "http2_push", "short_polling", "long_polling")

    def __init__(self, crew: CrewOf) -> None:
        self.crew, self._done = crew, set[str]()
        crew.host("alpha")
        crew.host("beta")
        self.outcome, _ = crew.measure(*self.PATTERNS, each=self._each, brief="short_polling")
        self.cells = {cell.pattern: cell for cell in self.outcome.cells}
        self.codes = {name: crew.hosts[name].wait() for name in ("alpha", "late")}
        self.last_words = {name: crew.log(name).splitlines()[-1] for name in self.codes}

    def _each(self, pattern: str) -> None:
        """Do to a host what is to be done in this cell, once its users have received something."""
        hosts = self.crew.hosts
        name = {"http2_push": "gamma", "long_polling": "late"}.get(pattern, "beta")
        if pattern in self._done or pattern == "short_polling" or not self.crew.receives(name):
            return
        self._done.add(pattern)
        match pattern:
            case "sse":
                os.kill(load_processes(hosts["beta"])[0], signal.SIGKILL)
            case "websocket":
                os.kill(load_processes(hosts["beta"])[0], signal.SIGSTOP)
            case "chunked":
                os.kill(hosts["beta"].pid, signal.SIGSTOP)
                self.crew.host("gamma")
            case "http2_push":
                hosts["gamma"].kill()
                self.crew.host("late")
            case "long_polling":
                raise KeyboardInterrupt


@pytest.fixture(scope="module")
def losing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Losing]:
    folder = tmp_path_factory.mktemp("losing")
    meeting = Meeting(worker_port=0, worker_wait_s=60, store=str(folder / "store"))
    with CrewOf(folder, replace(SHARED, window_s=60.0), meeting) as crew:
        yield Losing(crew)


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("sse", r"load host beta: the load process 1 of 1 ended by itself with signal SIGKILL"),
        ("websocket", r"load host beta is lost: Locust's master has not heard of a load process there for 3 s"),
        ("chunked", rf"load host beta was not heard of for {LOST_S:g} s"),
        ("http2_push", r"load host gamma (is lost|was not heard of)"),
    ],
    ids=["a load process is killed", "a load process hangs", "the host hangs", "the host is killed"],
)
def test_4_a_host_that_fails_fails_the_cell_by_name(losing: Losing, pattern: str, problem: str) -> None:
    cell = losing.cells[pattern]
    assert cell.status == "failed"
    assert re.search(problem, cell.problems[0]), cell.problems
    assert cell.rows == {}, "rows of which some are missing are no rows"


def test_6_an_abort_reaches_every_host(losing: Losing) -> None:
    assert losing.outcome.interrupted
    assert losing.codes == {"alpha": 130, "late": 130}
    for words in losing.last_words.values():
        assert "is over: it was interrupted" in words


def test_rows_that_went_by_a_store_are_the_same_rows_and_nothing_is_left_there(losing: Losing) -> None:
    cell = losing.cells["short_polling"]
    deliveries = pd.read_parquet(losing.crew.folder / "run" / "cells" / cell.name / "deliveries.parquet")
    assert len(deliveries) == cell.rows["deliveries"] > 0
    assert set(deliveries["user"]) == set(range(1, CLIENTS + 1))
    assert [each for each in (losing.crew.folder / "store").rglob("*") if each.is_file()] == []


def test_10_a_host_that_joins_late_takes_part_from_the_next_cell_on(losing: Losing) -> None:
    cell = losing.cells["short_polling"]
    assert (cell.status, cell.problems) == ("finished", [])
    assert [each.name for each in cell.hosts] == ["alpha", "late"]
    for earlier in ("sse", "websocket", "chunked"):
        assert [each.name for each in losing.cells[earlier].hosts] == ["alpha", "beta"]
