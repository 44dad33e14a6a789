"""The command line: what it announces, how it ends, and how it refuses."""

import signal
import socket
import subprocess
import sys

import pytest

from tests.relay.running import PATIENCE_S, listening, relay_to


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "servers.relay", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_the_first_line_says_where_it_listens_and_what_it_does() -> None:
    with listening() as server, relay_to(server, "--rtt", "40ms", "--jitter", "5", "--bandwidth", "10mbit") as relay:
        port = relay.ready.pop("port")
        assert 0 < port < 65_536
        assert relay.ready == {
            "event": "ready",
            "pid": relay.process.pid,
            "rtt_ms": 40.0,
            "jitter_ms": 5.0,
            "bandwidth_mbit": 10.0,
        }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_asked_and_says_what_it_did(number: signal.Signals) -> None:
    with listening() as server, relay_to(server, "--rtt", "0") as relay:
        relay.process.send_signal(number)
        out, err = relay.process.communicate(timeout=PATIENCE_S)
        assert relay.process.returncode == 0
        assert '"event": "stopped"' in out
        assert not err


def test_without_json_it_speaks_to_people() -> None:
    with listening() as server:
        port = server.getsockname()[1]
        command = [sys.executable, "-m", "servers.relay", "--to", f"127.0.0.1:{port}", "--rtt", "40"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert f"to 127.0.0.1:{port}, round trip 40ms, jitter 0, bandwidth 0" in process.stdout.readline()
            process.terminate()
            assert "relayed 0 connections" in process.stdout.read()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "127.0.0.1:1"], "--rtt"),
        (["--rtt", "40ms"], "--to"),
        (["--to", "8080", "--rtt", "40ms"], "--to '8080' is not an address"),
        (["--to", "127.0.0.1:1", "--rtt", "40x"], "--rtt '40x' is not a duration"),
        (["--to", "127.0.0.1:1", "--rtt", "0", "--jitter", "-1ms"], "--jitter"),
        (["--to", "127.0.0.1:1", "--rtt", "0", "--bandwidth", "10"], "--bandwidth '10' is not a bandwidth"),
        (["--to", "127.0.0.1:1", "--rtt", "0", "--port", "x"], "--port 'x' is not a port"),
        (["--to", "127.0.0.1:1", "--rtt", "0", "--loss", "1%"], "--loss"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_taken_port_is_refused_with_its_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--to", "127.0.0.1:1", "--rtt", "0", "--port", str(port))
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: --port {port}: ")
    assert "choose another" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_host_that_does_not_resolve_is_refused_with_its_remedy() -> None:
    done = run("--to", "no-such-host.invalid:80", "--rtt", "0")
    assert done.returncode == 3
    assert "--to no-such-host.invalid" in done.stderr
    assert len(done.stderr.splitlines()) == 1
