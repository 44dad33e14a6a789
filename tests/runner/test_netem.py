"""The kernel's own delay, where this machine has it; the private network around it, where we are root."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from loadtests.host import netem
from loadtests.runs import runner
from loadtests.runs.commands import Programs
from loadtests.runs.run_folder import RunRefused
from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import Scenario
from loadtests.scenario.settings import NETEM
from servers.timing.clock import now_ns
from tests.runner.test_runner import LABELS, Watching, one_cell

MESSAGE = b"m" * 200
needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip"), reason="needs Linux, root and iproute2"
)


def here() -> int:
    """The number of the network that this thread is in."""
    return netem.OURS.stat().st_ino


def network_of_the_host() -> str:
    shown = [["ip", "-brief", "address"], ["ip", "netns"], ["tc", "qdisc", "show"]]
    return "".join(subprocess.run(each, capture_output=True, text=True, check=True).stdout for each in shown)


@pytest.fixture
def untouched() -> Iterator[None]:
    """The host's network is afterwards what it was, and we are in it again."""
    before, was_in = network_of_the_host(), here()
    yield
    assert here() == was_in
    assert network_of_the_host() == before


def round_trip_ms(client: socket.socket, server: socket.socket) -> float:
    started_ns = now_ns()
    for sender, receiver in ((client, server), (server, client)):
        sender.sendall(MESSAGE)
        assert receiver.recv(len(MESSAGE), socket.MSG_WAITALL) == MESSAGE
    return (now_ns() - started_ns) / 1e6


def test_the_kernels_delay_is_a_round_trip_and_one_more_to_connect() -> None:
    if reason := netem.unavailable():
        pytest.skip(reason)
    with netem.delayed(40.0), socket.create_server(("127.0.0.1", 0)) as server:
        started_ns = now_ns()
        with socket.create_connection(server.getsockname(), 20) as client:
            assert now_ns() - started_ns >= 40_000_000
            with server.accept()[0] as end:
                assert min(round_trip_ms(client, end) for _ in range(3)) >= 40


def test_half_of_a_round_trip_is_put_on_every_packet_and_none_is_dropped_for_room() -> None:
    assert netem.netem(20.0125) == [
        *("tc", "qdisc", "add", "dev", "lo", "root"),
        *("netem", "delay", "20012.500us", "limit", "1000000"),
    ]


@needs_root
@pytest.mark.usefixtures("untouched")
def test_where_the_kernel_cannot_it_is_refused_with_the_reason(tmp_path: Path, brief: Scenario) -> None:
    reason = netem.unavailable()
    if not reason:
        pytest.skip("netem works here")
    assert len(reason.splitlines()) == 1
    with pytest.raises(netem.NetworkFailed, match="netem"), netem.delayed(40.0):
        pass
    with pytest.raises(RunRefused, match=r"--network netem: .*; use --network relay"):
        runner.begin(tmp_path / "run", Plan(replace(brief, network=NETEM), ("sse",), 1), LABELS, "run")
    assert not (tmp_path / "run").exists()


@needs_root
@pytest.mark.usefixtures("untouched")
def test_a_private_network_is_a_loopback_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with netem.private():
            assert [name for _, name in socket.if_nameindex()] == ["lo"]
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(server.getsockname(), 20)
            with socket.create_server(server.getsockname()) as own:
                socket.create_connection(own.getsockname(), 20).close()
        socket.create_connection(server.getsockname(), 20).close()


@needs_root
@pytest.mark.usefixtures("untouched")
def test_a_private_network_is_left_whatever_happens_in_it() -> None:
    with pytest.raises(ZeroDivisionError), netem.private():
        raise ZeroDivisionError


@needs_root
@pytest.mark.usefixtures("untouched")
def test_a_cell_goes_through_what_tc_put_on_its_loopback(
    tmp_path: Path, brief: Scenario, programs: Callable[..., Programs], monkeypatch: pytest.MonkeyPatch
) -> None:
    """This `tc` slows the loopback down by bandwidth, which every kernel can, where it is asked for netem.

    20 kB take 20 ms at 8 Mbit/s, less the 3 kB that may go at once.
    """
    slow = f"exec {shutil.which('tc')} qdisc add dev lo root tbf rate 8mbit burst 3000 limit 1000000"
    (tmp_path / "tc").write_text(f"#!/bin/sh\nip link set lo mtu 1500\n{slow}\n", encoding="ascii")
    (tmp_path / "tc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    if reason := netem.unavailable():
        pytest.skip(f"not even tbf: {reason}")
    scenario = replace(brief, network=NETEM, rtt_ms=(40.0,), schedule="steady:5", message_bytes=20_000, window_s=1.0)
    cell = one_cell(tmp_path / "run", scenario, programs(load=""))
    assert (cell.problems, cell.relay, cell.rtt_ms) == ([], None, 40.0)
    deliveries = pd.read_parquet(tmp_path / "run" / "cells" / cell.name / "deliveries.parquet")
    assert deliveries["user"].nunique() == 2
    assert (deliveries["received_ns"] - deliveries["published_ns"]).min() >= 17_000_000


@needs_root
@pytest.mark.usefixtures("untouched")
def test_a_network_that_cannot_be_made_fails_the_cell_and_not_the_run(
    tmp_path: Path, brief: Scenario, programs: Callable[..., Programs]
) -> None:
    if not netem.unavailable():
        pytest.skip("netem works here")
    planned = Plan(replace(brief, network=NETEM, rtt_ms=(40.0,)), ("sse",), 1).cells()
    outcome = runner.run_cells(tmp_path, planned, LABELS, Watching(), programs())
    assert "netem" in "; ".join(outcome.cells[0].problems)
    assert not outcome.halted
