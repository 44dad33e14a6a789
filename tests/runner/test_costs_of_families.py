"""Cost columns belong to the process that serves: not to a wrapper around it, and with all that it has started."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from loadtests.host.sampler import LINUX, Family
from loadtests.runs.commands import OURS, Programs
from loadtests.scenario.scenarios import Scenario
from reports.measures.costs import between, sample_costs
from tests.runner.test_runner import no_process_is_left, one_cell

__all__ = ["no_process_is_left"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not LINUX, reason="elsewhere CPU time comes in ticks of 10 ms")]

BUSY_NS = 80_000_000
TICKS_NS = 20_000_000
"""What ended children used in user and system mode is told in ticks of 10 ms each."""
WRAPPER = f'{sys.executable} -c "while True: pass" & "$@"; code=$?; kill $!; exit $code'
"""A shell that waits for the server, and burns a core meanwhile."""
WITH_A_WORKER = """
import runpy, subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", "while True: sum(range(100_000))"])
sys.argv[0] = "servers"
try:
    runpy.run_module("servers", run_name="__main__", alter_sys=True)
finally:
    worker.kill()
    worker.wait()
"""
BURN_ON_DEMAND = f"""
import sys, time
for line in sys.stdin:
    until = time.process_time_ns() + {BUSY_NS}
    while time.process_time_ns() < until: pass
    print(flush=True)
"""
PARENT = f"""
import subprocess, sys
command, kept = [sys.executable, "-c", {BURN_ON_DEMAND!r}], None
for line in sys.stdin:
    if line.startswith("end"):
        subprocess.run(command, input=b"go", stdout=subprocess.PIPE, check=True)
    else:
        kept = kept or subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        kept.stdin.write(b"go\\n")
        kept.stdin.flush()
        kept.stdout.readline()
    print(flush=True)
"""


def seen(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "cells/feed-2-sse-1/samples.parquet")


def servers_in(folder: Path) -> set[int]:
    samples = seen(folder)
    return set(samples[samples["role"] == "server"]["pid"])


def test_what_a_wrapper_around_the_server_costs_is_not_counted(tmp_path: Path, brief: Scenario) -> None:
    wrapped = Programs(server=("sh", "-c", WRAPPER, "sh", *OURS.server))
    cell = one_cell(tmp_path, brief, wrapped)
    assert (cell.status, cell.problems) == ("finished", [])
    assert servers_in(tmp_path) == {cell.server_pid}


def test_what_the_servers_workers_cost_is_counted(tmp_path: Path, brief: Scenario) -> None:
    cell = one_cell(tmp_path, brief, Programs(server=(sys.executable, "-c", WITH_A_WORKER)))
    assert (cell.status, cell.problems) == ("finished", [])
    samples = seen(tmp_path)
    (worker,) = servers_in(tmp_path) - {cell.server_pid}
    edges = cell.window_from_ns, cell.window_until_ns
    received = samples["at_ns"].head(0)
    whole, alone = (
        sample_costs(rows, between(received), *edges, 8, 2) for rows in (samples, samples[samples["pid"] != worker])
    )
    assert whole["cpu_ms_per_1000"] > alone["cpu_ms_per_1000"]
    assert whole["server_cpu_peak"] > alone["server_cpu_peak"] or whole["server_cpu_share"] > alone["server_cpu_share"]


class Parent:
    """A process that has others work for it, when it is told to."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.family = Family(process.pid, "server")

    def used_ns(self) -> int:
        return sum(row.cpu_ns for row in self.family.sample())

    def have(self, what: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        self._process.stdout.readline()


@contextmanager
def a_parent() -> Iterator[Parent]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", PARENT], text=True, **pipes) as process:  # type: ignore[call-overload]
        yield Parent(process)


@pytest.mark.parametrize("what", ["end one", "keep one"])
def test_what_a_child_used_is_its_familys_whether_it_lives_or_has_ended_between_two_looks(what: str) -> None:
    with a_parent() as parent:
        before_ns = parent.used_ns()
        parent.have(what)
        once_ns = parent.used_ns()
        parent.have(what)
        assert once_ns - before_ns >= BUSY_NS - TICKS_NS
        assert parent.used_ns() - once_ns >= BUSY_NS - TICKS_NS
