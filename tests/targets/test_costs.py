"""What is known of a server decides whose cost is reported: what is not known is not measured, and never 0."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loadtests.host.sampler import LINUX, UNKNOWN
from servers.outlet.costs import cost_of
from servers.targets.adapter import Cost
from servers.targets.variables import Misunderstood

SLEEPS = "import sys, subprocess; print('ready', flush=True); subprocess.run([*sys.argv[1:], 'input()'])"
LISTENS = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
AS_NOBODY = """
import os, sys
from loadtests.host.sampler import Sampler
os.setgroups([])
os.setuid(65534)
print(*Sampler(int(sys.argv[1]), "server").sample()[3:7])
"""
NOWHERE = ("127.0.0.1", 1)
linux_only = pytest.mark.skipif(not LINUX, reason="only Linux tells")


@contextmanager
def running(program: str, *words: str) -> Iterator[tuple[int, str]]:
    """Run Python code until the block ends; give its process and the first line that it says."""
    with subprocess.Popen(
        [sys.executable, "-c", program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.pid, process.stdout.readline().strip()
        process.kill()


def test_a_server_that_was_started_costs_what_its_process_tree_does_and_no_child_counts_twice() -> None:
    with running(SLEEPS, sys.executable, "-c") as (pid, _):
        found = cost_of(Cost(), pid, *NOWHERE)
        assert found == ([pid], "that of the process tree that pollbench started")


@linux_only
def test_a_server_that_runs_already_is_whoever_listens_on_its_port() -> None:
    with running(LISTENS) as (pid, port):
        found = cost_of(Cost(), None, "127.0.0.1", int(port))
    assert found.pids == [pid]
    assert f"that of who listens on port {port} (python" in found.known


@linux_only
def test_processes_that_are_named_are_added_to_who_listens(tmp_path: Path) -> None:
    helper = tmp_path / "pb-helper"
    shutil.copy(shutil.which("sleep") or "sleep", helper)
    with running(LISTENS) as (pid, port), subprocess.Popen([helper, "60"]) as beside:
        found = cost_of(Cost(also=["pb-helper"]), None, "127.0.0.1", int(port))
        beside.kill()
    assert set(found.pids) == {pid, beside.pid}
    assert found.known.endswith(", and of processes called pb-helper")


def test_a_cgroup_is_all_the_processes_below_it(tmp_path: Path) -> None:
    (tmp_path / "shop.service/worker").mkdir(parents=True)
    with running(LISTENS) as (one, _), running(LISTENS) as (other, _):
        (tmp_path / "shop.service/cgroup.procs").write_text(f"{one}\n", encoding="ascii")
        (tmp_path / "shop.service/worker/cgroup.procs").write_text(f"{other}\n", encoding="ascii")
        found = cost_of(Cost(cgroup="shop.service"), None, *NOWHERE, tmp_path)
    assert found == (sorted([one, other]), "that of the processes in the cgroup shop.service")


@pytest.mark.parametrize(
    ("cost", "says"),
    [
        (Cost(also=["no-such-name"]), "cost.also 'no-such-name': no process is called so"),
        (Cost(cgroup="no.such/group"), r"cost.cgroup 'no.such/group': no process is in .*name the folder of a running"),
    ],
)
def test_processes_that_are_not_there_are_named(cost: Cost, says: str) -> None:
    with pytest.raises(Misunderstood, match=says):
        cost_of(cost, None, *NOWHERE)


@pytest.mark.parametrize(
    ("cost", "where", "why"),
    [
        (Cost(measured=False), NOWHERE, "not measured, as cost.measured is false"),
        (Cost(), NOWHERE, "not measured, as no process is seen here that listens on port 1"),
        (Cost(), ("192.0.2.1", 80), "not measured, as no process is seen here that listens on port 80"),
    ],
)
def test_a_cost_that_nobody_knows_is_not_measured_and_why_is_said(cost: Cost, where: tuple[str, int], why: str) -> None:
    assert cost_of(cost, None, *where) == ([], why)


@linux_only
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_of_another_users_process_what_nobody_may_see_is_unknown_and_the_rest_is_known() -> None:
    with socket.create_server(("127.0.0.1", 0)):
        words = [sys.executable, "-c", AS_NOBODY, str(os.getpid())]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cpu_ns, rss_bytes, open_sockets, kernel_bytes = map(int, done.stdout.split())
    assert cpu_ns > 0
    assert rss_bytes > 1_000_000
    assert (open_sockets, kernel_bytes) == (UNKNOWN, UNKNOWN)
