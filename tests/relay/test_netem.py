"""The kernel's own delay, where this machine has it; the namespace around it, where we are root."""

import os
import shutil
import socket
import subprocess
import sys
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.relay import netem
from tests.relay.running import PATIENCE_S, Stopwatch, patient, read_exactly

ECHO = """
import socket, sys
with socket.create_server((sys.argv[1], 0)) as server:
    print(server.getsockname()[1], flush=True)
    end, _ = server.accept()
    while data := end.recv(100):
        end.sendall(data)
"""


def round_trips_ms(namespace: netem.Namespace, count: int) -> list[float]:
    """Echo through the cable; the first figure includes the handshake."""
    command = namespace.inside([sys.executable, "-c", ECHO, namespace.host])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        taken_ms = []
        watch = Stopwatch()
        with patient(socket.create_connection((namespace.host, port), PATIENCE_S)) as client:
            for _ in range(count):
                client.sendall(b"ping")
                assert read_exactly(client, 4) == b"ping"
                taken_ms.append(watch.ms)
                watch = Stopwatch()
    return taken_ms


def test_the_kernels_delay_is_a_round_trip_and_one_more_to_connect() -> None:
    if reason := netem.available():
        pytest.skip(reason)
    with netem.delayed(40_000_000) as namespace:
        first, *others = round_trips_ms(namespace, 4)
    assert first >= 80
    assert min(others) >= 40


def test_a_kernel_without_netem_is_refused_with_the_reason() -> None:
    reason = netem.available()
    if reason is None:
        pytest.skip("netem works here")
    assert len(reason.splitlines()) == 1
    with pytest.raises(OSError, match="netem"), netem.delayed(40_000_000):
        pass


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip"), reason="needs Linux, root and iproute2"
)
def test_a_namespace_is_reached_over_its_cable_and_leaves_nothing_behind() -> None:
    for _ in range(2):
        with netem.cabled() as namespace:
            assert len(round_trips_ms(namespace, 2)) == 2
        assert namespace.outer not in dict(socket.if_nameindex()).values()
        assert namespace.name not in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout


@given(st.integers(0, 4_194_304))
def test_the_two_ends_of_a_cable_are_neighbours_in_the_range_for_benchmarks(number: int) -> None:
    outer, inner = (ip_address(address) for address in netem.addresses(number))
    assert int(inner) == int(outer) + 1
    assert int(outer) % 4 == 1
    assert outer in netem.BENCHMARK_NETWORK
    assert inner in netem.BENCHMARK_NETWORK
