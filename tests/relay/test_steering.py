"""A relay that takes commands: what it answers, what open connections feel of it, and that it ends with its pipe."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.relay.running import PATIENCE_S, Connection, Relay, Stopwatch, command, listening, patient, read_exactly


@contextmanager
def steered(*options: str) -> Iterator[Connection]:
    """Open one connection through a new relay that listens to its stdin."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with listening() as server:
        arguments = command(server.getsockname()[1], "--steered", *options)
        with subprocess.Popen(arguments, **pipes) as process:  # type: ignore[call-overload]
            try:
                relay = Relay(process, json.loads(process.stdout.readline()))
                with relay.connect() as client, patient(server.accept()[0]) as end:
                    yield Connection(relay, client, end)
            finally:
                process.kill()


def say(link: Connection, line: str) -> dict[str, Any]:
    process = link.relay.process
    assert process.stdin and process.stdout
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return dict(json.loads(process.stdout.readline()))


def exchange(link: Connection) -> float:
    """Send a byte there and back; return the milliseconds it took."""
    watch = Stopwatch()
    for one, other in ((link.client, link.server), (link.server, link.client)):
        one.sendall(b".")
        assert read_exactly(other, 1) == b"."
    return watch.ms


def test_another_round_trip_holds_for_open_connections_and_can_be_taken_back() -> None:
    with steered("--rtt", "0") as link:
        assert exchange(link) < 200
        assert say(link, "rtt 200ms")["rtt_ns"] == 200_000_000
        assert exchange(link) >= 200
        say(link, "rtt 0")
        assert min(exchange(link) for _ in range(5)) < 200


def test_a_shorter_round_trip_overtakes_nothing_that_is_on_its_way() -> None:
    with steered("--rtt", "400ms") as link:
        link.client.sendall(b"first ")
        say(link, "rtt 0")
        link.client.sendall(b"second")
        assert read_exactly(link.server, 12) == b"first second"


def test_the_answer_counts_what_was_relayed_both_ways() -> None:
    with steered("--rtt", "0") as link:
        for _ in range(3):
            exchange(link)
        tally = say(link, "tally")
        assert tally == {"event": "tally", "rtt_ns": 0, "connections": 1, "bytes": 6}


def test_a_cut_resets_both_ends_and_leaves_room_for_new_connections() -> None:
    with steered("--rtt", "50ms") as link:
        link.client.sendall(b"lost on its way")
        say(link, "cut")
        for end in (link.client, link.server):
            with pytest.raises(ConnectionResetError):
                end.recv(1)
        with link.relay.connect() as client:
            client.sendall(b".")
            while say(link, "tally")["connections"] < 2:  # accepted in its own time
                time.sleep(0.01)


@pytest.mark.parametrize("line", ["rtt", "rtt fast", "faster", "rtt -1ms", "\xff"])
def test_a_wrong_command_is_answered_in_one_line_and_changes_nothing(line: str) -> None:
    with steered("--rtt", "0") as link:
        answer = say(link, line)
        assert answer["event"] == "wrong"
        assert answer["reason"]
        assert say(link, "tally")["rtt_ns"] == 0


def test_the_relay_ends_when_whoever_steered_it_has_gone() -> None:
    with steered("--rtt", "0") as link:
        process = link.relay.process
        assert process.stdin
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 0


def test_commands_from_a_file_are_refused_with_the_remedy() -> None:
    done = subprocess.run(
        command(1, "--rtt", "0", "--steered"), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert done.returncode in (0, 3)
    if done.returncode == 3:  # kqueue does watch /dev/null, and finds its end
        assert "--steered" in done.stderr
        assert len(done.stderr.splitlines()) == 1
