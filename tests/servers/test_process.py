"""A server process from its command line to its last word."""

import csv
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from servers import patterns
from servers.timing.clock import clock_id, now_ns
from tests.forked import ran
from tests.http1 import connected, run
from tests.server_process import HANG_S, ROOT, ServerProcess, serving


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return ran(*arguments, module="servers", timeout=HANG_S)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["no_such_pattern"], "no_such_pattern"),
        (["--no-such-option"], "--no-such-option"),
        (["--port", "x"], "--port"),
        (["--port", "70000"], "--port"),
        (["--schedule", "now and then"], "--schedule"),
        (["--start-at-ns", "soon"], "--start-at-ns"),
        (["--history", "0"], "--history"),
        (["--hold-timeout", "1000"], "--hold-timeout"),
        (["--tls-cert", "/no/such/file", "--tls-key", "/no/such/file", "--port", "0"], "--tls-cert"),
        (["--journal", "/no/such/folder/journal.csv"], "--journal"),
        (["--journal", "/dev/full"], "--journal"),
        (["--fault", "drop:often"], "--fault"),
        (["--fault", "drop:0.1", "--fault-journal", "/no/such/folder/faults.csv", "--port", "0"], "--fault-journal"),
        (["--write-journal", "/no/such/folder/writes.csv", "--port", "0"], "--write-journal"),
        (["--keep", "/no/such/folder/kept", "--port", "0"], "--keep"),
        (["--keep", "/etc/hostname", "--port", "0"], "--keep"),
    ],
)
def test_a_wrong_option_is_one_line_that_names_it_and_exit_code_2(arguments: list[str], named: str) -> None:
    ended = command("--http2-port", "0", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: ")
    assert named in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("option", ["--port", "--http2-port"])
def test_a_taken_port_is_one_line_with_the_remedy_and_exit_code_3(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = command("--port", "0", "--http2-port", "0", option, str(port))
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == (
        f"error: cannot listen on 127.0.0.1 port {port}: Address already in use; choose with {option} (0: any free)\n"
    )


def test_help_names_every_pattern_and_says_where_it_binds() -> None:
    ended = command("--help")
    assert ended.returncode == 0
    assert all(name in ended.stdout for name in patterns.names())
    assert "reachable from this machine only" in " ".join(ended.stdout.split())


def test_people_are_told_what_is_served_where_and_that_only_they_can_reach_it() -> None:
    arguments = [sys.executable, "-m", "servers", "sse", "chunked", "--port", "0"]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGINT)
        assert process.wait(HANG_S) == 0
    assert "127.0.0.1 (this machine only)" in lines[0]
    assert "Chunked streaming" in lines[1]
    assert "/api/events" in lines[2]
    assert "/stats" in lines[3]


def test_the_ready_line_says_all_a_runner_needs() -> None:
    with serving("sse", "--token", "abc") as server:
        assert server.ready == {
            "event": "ready",
            "token": "abc",
            "pid": server.process.pid,
            "clock_id": clock_id(),
            "http_port": server.port,
            "http2_port": None,
            "patterns": {"sse": "/api/events"},
        }


def test_only_the_chosen_patterns_are_served() -> None:
    async def check(server: ServerProcess) -> None:
        async with connected(server.port) as client:
            assert (await client.ask("/api/events")).status == 200
        async with connected(server.port) as client:
            assert (await client.ask("/api/poll")).status == 404

    with serving("sse") as server:
        run(check(server))


def test_the_journal_has_every_message_published(tmp_path: Path) -> None:
    journal = tmp_path / "journal.csv"
    start_ns = now_ns() + 1_500_000_000
    with serving(
        "long_polling", "--schedule", "steady:100", "--start-at-ns", str(start_ns), "--journal", str(journal)
    ) as server:
        run(wait_for_message(server, 20))
    with journal.open(newline="") as file:
        rows = [{name: int(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= 20
    assert [row["due_ns"] for row in rows[:3]] == [start_ns + 10_000_000 * n for n in (1, 2, 3)]
    assert all(row["published_ns"] >= row["due_ns"] for row in rows)


async def wait_for_message(server: ServerProcess, last_id: int) -> None:
    async with connected(server.port) as client:
        seen = 0
        while seen < last_id:
            answer = await (await client.ask(f"/api/longpoll?last_id={seen}")).json()
            seen += answer["count"]


def test_nothing_is_published_before_the_schedule_starts() -> None:
    with serving("long_polling", "--schedule", "steady:1000", "--start-at-ns", str(now_ns() + 60 * 10**9)) as server:
        assert server.stats()["newest_id"] == 0


def test_a_disk_that_fills_up_ends_the_run_with_a_reason(tmp_path: Path) -> None:
    """A file size limit stands in for the full disk: both make `write` fail."""
    limited = (
        f"ulimit -f 1 && exec {sys.executable} -m servers sse --port 0 --schedule steady:500 --journal {tmp_path}/j"
    )
    ended = subprocess.run(
        ["bash", "-c", limited], cwd=ROOT, capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == "error: cannot go on publishing: File too large\n"


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_with_exit_code_0_when_asked_in_either_way(stop: signal.Signals) -> None:
    server = ServerProcess("sse")
    server.process.send_signal(stop)
    assert server.process.wait(HANG_S) == 0
    server.stop()


def test_a_client_that_reads_nothing_cannot_keep_it_from_stopping() -> None:
    async def check(server: ServerProcess) -> None:
        async with connected(server.port, limit=1024) as deaf, connected(server.port) as publisher:
            await deaf.ask("/api/stream")
            for _ in range(150):
                await publisher.post("x" * 100_000)
            server.tell_to_stop()
            while server.process.poll() is None:
                await publisher.reader.read(1)

    with serving("chunked", "--send-buffer", "100000000") as server:
        run(check(server))
