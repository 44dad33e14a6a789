"""What a machine can hold, and what is refused because it cannot."""

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.host import machine_limits
from loadtests.host.environment import machine
from loadtests.records.manifest import Machine


def room(open_files: int, ports: int) -> Machine:
    return Machine(
        system="", cpu="", cores=1, memory_bytes=1, python="", clock_id="", open_files=open_files, ports=ports
    )


@pytest.mark.parametrize(
    ("clients", "relayed", "open_files", "ports", "said"),
    [
        (900, False, 1_000, 1_000, ""),
        (901, False, 1_000, 9_999, "--clients 901 needs 1,001 open files in server and load each, .*ulimit -Hn 1001"),
        (901, False, 9_999, 1_000, "--clients 901 needs 1,001 ports, and this system has 1,000 .*ip_local_port_range"),
        (450, True, 1_000, 1_000, ""),
        (451, True, 1_000, 9_999, "--clients 451 needs 1,002 open files in the relay of --rtt, .*may have 1,000"),
        (50_000, True, 0, 0, ""),
    ],
)
def test_a_cell_that_needs_more_than_there_is_is_refused_with_a_remedy(
    clients: int, relayed: bool, open_files: int, ports: int, said: str
) -> None:
    told = machine_limits.lacking(clients, relayed, room(open_files, ports))
    assert re.fullmatch(f"{said}.*" if said else "", told)


@pytest.mark.parametrize(
    ("servers", "loads", "said"),
    [
        (2, 2, ""),
        (1, 2, "needs 1,700 open files in each process of the server, .*--server-processes"),
        (2, 1, "needs 1,700 open files in each load process, .*--load-processes"),
    ],
)
def test_processes_that_share_clients_need_files_for_their_share(servers: int, loads: int, said: str) -> None:
    told = machine_limits.lacking(1_600, relayed=False, machine=room(1_000, 9_999), servers=servers, loads=loads)
    assert re.search(said, told) if said else not told


def test_the_limits_of_this_machine_are_the_kernels() -> None:
    here = machine()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert here.open_files == (0 if hard == resource.RLIM_INFINITY else hard)
    if sys.platform.startswith("linux"):
        assert 1_000 < here.ports < 65_536


def test_a_run_that_would_run_out_of_files_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    script = (
        "import resource, sys, pollbench\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))\n"
        "sys.exit(pollbench.main(['run', 'sse', '--clients', '150', '--out', 'run']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 2
    assert "--clients 150 needs 250 open files" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
