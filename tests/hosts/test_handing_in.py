"""Rows from a host that may die at any moment, that is late, or whose store fails: all of them, or a name and none."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from loadtests.host.managed_process import Child
from loadtests.records.rows import DELIVERY
from loadtests.runs.hosts.crewing import LoadHosts
from loadtests.runs.hosts.endings import HostFailed
from loadtests.runs.hosts.meeting import Meeting
from loadtests.runs.hosts.messages import TOKEN
from loadtests.runs.hosts.pieces import counted_by, counts_of
from loadtests.scenario.plan import Plan, PlannedCell
from loadtests.summary.reduction import Window
from tests.hosts import stub_host
from tests.hosts.crews import SECRET, SHARED

PORT = 9
"""Nobody listens there, and stubs do not ask."""


class Stubbed:
    """A run of one stub for a host."""

    def __init__(self, folder: Path, stack: ExitStack, way: str, meeting: Meeting) -> None:
        self.cell = folder / "cell"
        self.cell.mkdir()
        self.hosts = stack.enter_context(LoadHosts(meeting, {TOKEN: SECRET}, lambda _: None))
        command = [sys.executable, stub_host.__file__, str(self.hosts.port), "alpha", way]
        self.child = stack.enter_context(Child("alpha", command, folder / "log", extra_env={TOKEN: SECRET}))
        self.hosts.gather(1, self.child.check)

    @property
    def planned(self) -> PlannedCell:
        return Plan(replace(SHARED, workers=1), ("sse",), 1).cells()[0]

    def start(self) -> None:
        self.hosts.start(self.planned, PORT, self.cell)

    def rows(self) -> int:
        """Return how many rows have come, in files that are whole."""
        return sum(file.stat().st_size for file in (self.cell / "raw").glob("*.rows")) // DELIVERY.size


Made = Callable[..., Stubbed]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    with ExitStack() as stack:
        yield lambda way, store="": Stubbed(tmp_path, stack, way, Meeting(worker_port=0, worker_wait_s=60, store=store))


def test_rows_come_whole(made: Made) -> None:
    run = made("many")
    run.start()
    run.hosts.await_ready(lambda: None)
    run.hosts.hand_in(run.cell, lambda: None)
    assert run.rows() == 200 * stub_host.ROWS


def test_a_host_is_used_again_and_what_it_had_is_gone(made: Made) -> None:
    run = made("good")
    for _ in range(2):
        run.start()
        run.hosts.await_ready(lambda: None)
        run.hosts.hand_in(run.cell, lambda: None)
        assert run.rows() == stub_host.ROWS
        run.hosts.release()
        shutil.rmtree(run.cell / "raw")


@pytest.mark.parametrize("files", [0, 50, 200])
def test_a_host_that_dies_at_any_moment_leaves_all_of_its_rows_or_fails_the_cell(made: Made, files: int) -> None:
    run = made("many")
    run.start()
    run.hosts.await_ready(lambda: None)

    def kill_in_time() -> None:
        if run.rows() >= files * stub_host.ROWS:
            run.child.kill()

    try:
        run.hosts.hand_in(run.cell, kill_in_time)
    except HostFailed as failed:
        assert str(failed).startswith("load host alpha was not heard of for ")
    else:
        assert run.rows() == 200 * stub_host.ROWS


def test_a_host_that_is_late_is_named_within_a_stated_time(made: Made) -> None:
    run = made("late")
    run.start()
    with pytest.raises(HostFailed, match=r"load host alpha was not ready after 0\.5 s: 0 of 1 load processes joined"):
        run.hosts.await_ready(lambda: None, within_s=0.5)


def test_a_load_process_that_ends_out_of_order_is_named_with_its_host(made: Made) -> None:
    run = made("unhappy")
    run.start()
    with pytest.raises(HostFailed, match=r"load host alpha: the load process 1 of 1 ended .*with exit code 5"):
        run.hosts.await_ready(lambda: None)
        run.hosts.hand_in(run.cell, lambda: None)


def test_a_store_that_takes_nothing_is_named_with_the_host_that_found_out(made: Made, tmp_path: Path) -> None:
    store = tmp_path / "store"
    run = made("good", str(store))
    shutil.rmtree(store)
    store.write_text("it was a folder when the run began")
    run.start()
    run.hosts.await_ready(lambda: None)
    with pytest.raises(HostFailed, match=f"load host alpha: the store {store} cannot take deliveries-sse0-"):
        run.hosts.hand_in(run.cell, lambda: None)
    assert run.rows() == 0


@pytest.mark.parametrize("by_store", [False, True])
def test_a_host_that_counts_keeps_its_rows_and_hands_in_what_they_came_to(
    made: Made, tmp_path: Path, by_store: bool
) -> None:
    run = made("good", str(tmp_path / "store") if by_store else "")
    run.start()
    run.hosts.await_ready(lambda: None)
    run.hosts.count(Window(0, 10**9, 0))
    run.hosts.hand_in(run.cell, lambda: None)
    assert [file.name for file in (run.cell / "raw").iterdir()] == ["folded@alpha.json"]
    folded = counted_by(["alpha"], run.cell / "raw")
    assert [*folded.taken.values()] == [stub_host.ROWS]
    assert folded.summary.deliveries.recorded == stub_host.ROWS


def test_what_a_host_did_not_count_is_missed_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="load host alpha did not say what its rows came to"):
        counted_by(["alpha"], tmp_path)
    counts_of("alpha", tmp_path).write_bytes(b'{"summary": 3}')
    with pytest.raises(ValueError, match=r"load host alpha did not say .*Expected `object`"):
        counted_by(["alpha"], tmp_path)
