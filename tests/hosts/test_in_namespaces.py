"""Hosts with networks and, where the kernel has them, clocks of their own: a run that is reached by its address only,
and a cable that is pulled.
"""

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import pollbench
from loadtests.host.managed_process import Child
from loadtests.records.manifest import Cell
from loadtests.runs.hosts.messages import TOKEN
from loadtests.runs.run_folder import RunFolder
from tests.clocks import elsewhere
from tests.hosts.crews import CLIENTS, SECRET
from tests.hosts.namespaces import RUN, Net, networked, unavailable

pytestmark = pytest.mark.slow

HOSTS = ("alpha", "beta")
AHEAD_S = {"alpha": 3, "beta": elsewhere.back_s(1_000), RUN: 0} if not elsewhere.why_not() else {}
FIRST, SECOND = "sse", "chunked"
BRIEF = ["--schedule", "steady:20", "--warmup", "0.2", "--window", "1.2", "--clients", str(CLIENTS), "--repeats", "1"]
WITHIN_S = 120


class Apart:
    """A run of two cells: the first is measured by both hosts, in the second the cable of one is pulled."""

    def __init__(self, folder: Path, net: Net) -> None:
        self.net, self._folder = net, folder
        run = folder / "run"
        words = ["compare", "--pattern", f"{FIRST},{SECOND}", "--workers", "2", *BRIEF, "--out", str(run)]
        at = ["--bind", net.address, "--worker-port", "5570"]
        with (
            self._started(RUN, *words, *at) as running,
            self._started("alpha", *self._joining("alpha")) as alpha,
            self._started("beta", *self._joining("beta")) as beta,
        ):
            log = run / "cells" / f"feed-{CLIENTS}-{SECOND}-1" / "load.log"
            deadline = time.monotonic() + WITHIN_S
            while not (log.exists() and "All users spawned" in log.read_text(encoding="utf-8")):
                assert time.monotonic() < deadline, self.log(RUN)
                running.check()
                time.sleep(0.05)
            net.cut("beta")
            self.codes = {RUN: running.wait(), "alpha": alpha.wait(), "beta": beta.wait()}
        opened = RunFolder.open(run)
        self.cells: dict[str, Cell] = {}
        for name in opened.run.cells:
            cell = opened.cell(name)
            assert cell is not None
            self.cells[cell.pattern] = cell
        self.run = run

    def _started(self, host: str, *words: str) -> Child:
        command = [sys.executable, pollbench.__file__, *words]
        if AHEAD_S:
            command = elsewhere.command([AHEAD_S[host]], self._folder, command)
        command = [*self.net.inside(host), *command]
        return Child(host, command, self._folder / f"{host}.log", extra_env={TOKEN: SECRET})

    def _joining(self, name: str) -> list[str]:
        # In one word: elsewhere.py leaves whoever has a --master alone.
        return ["worker", f"--master={self.net.address}", "--name", name, "--wait", "20"]

    def log(self, host: str) -> str:
        return (self._folder / f"{host}.log").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    if reason := unavailable():
        pytest.skip(reason)
    with networked(*HOSTS) as net:
        yield Apart(tmp_path_factory.mktemp("apart"), net)


def test_hosts_with_networks_of_their_own_measure_a_cell_together(apart: Apart) -> None:
    cell = apart.cells[FIRST]
    assert (cell.status, cell.problems) == ("finished", [])
    assert {each.name: each.address for each in cell.hosts} == {name: apart.net.of(name) for name in HOSTS}
    deliveries = pd.read_parquet(apart.run / "cells" / cell.name / "deliveries.parquet")
    assert deliveries.groupby("host", observed=True)["user"].nunique().sum() == CLIENTS
    assert set(deliveries["host"]) == set(HOSTS)
    assert len(deliveries) == cell.rows["deliveries"]


@pytest.mark.skipif(not AHEAD_S, reason=elsewhere.why_not())
def test_hosts_by_clocks_that_are_off_tell_the_truth_within_the_stated_error(apart: Apart) -> None:
    cell = apart.cells[FIRST]
    for known in cell.clocks:
        offset_ns = -AHEAD_S[known.process.partition("@")[2]] * 10**9
        assert known.low_ns <= offset_ns <= known.high_ns, known
        assert (known.same, known.problem) == (False, "")
    assert sorted(known.process.partition("@")[2] for known in cell.clocks) == ["alpha", "beta"]
    error_ns = max(known.error_ns for known in cell.clocks)
    deliveries = pd.read_parquet(apart.run / "cells" / cell.name / "deliveries.parquet")
    transit_ns = deliveries["received_ns"] - deliveries["published_ns"]
    assert transit_ns.min() >= -error_ns
    assert transit_ns.max() < 10**9, "and nobody's is off by 3 s"


def test_a_cable_that_is_pulled_fails_the_cell_by_the_name_of_its_host(apart: Apart) -> None:
    cell = apart.cells[SECOND]
    assert cell.status == "failed"
    assert re.search("load host beta", cell.problems[0]), cell.problems
    assert (apart.codes["alpha"], apart.codes["beta"]) == (0, 3)
    assert apart.codes[RUN] in {pollbench.INVALID, 1}, "a busy machine has a late generator, which is worse"
    assert re.search(rf"failed feed-{CLIENTS}-{SECOND}-1: .*load host beta", apart.log(RUN))
    assert "no run answers at 10.77.1.1:5570 since 20 s" in apart.log("beta")


def test_the_token_is_written_nowhere(apart: Apart) -> None:
    assert SECRET not in apart.log(RUN)
    for file in apart.run.rglob("*"):
        if file.is_file() and file.suffix in {".json", ".log", ".csv", ".html"}:
            assert SECRET not in file.read_text(encoding="utf-8", errors="replace"), file
    assert json.loads((apart.run / "run.json").read_bytes())["scenarios"][0]["workers"] == 2
