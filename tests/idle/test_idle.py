"""Some hundred clients wait, as a hundred thousand would: two processes a side, several addresses, one message."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.host.managed_process import Child, ChildFailed
from loadtests.idle.measured import CONNECTED, commands
from servers.web.free_port import free_port

CLIENTS = 300


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["sse", "websocket", "long_polling"])
def test_all_that_wait_are_counted_and_reached_by_one_message(
    pattern: str, front_door: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--clients", str(CLIENTS), "--server-processes", "2", "--load-processes", "2", "--rest", "1"]
    assert front_door("idle", pattern, *words, "--heartbeat", "0.4", "--source", "127.3.0.0/28", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["clients"], found["heard"], found["lost"]) == (CLIENTS, CLIENTS, 0)
    assert (found["server_processes"], found["load_processes"]) == (2, 2)
    assert 0 < found["p50_ms"] <= found["last_ms"]
    assert found["server_bytes"] > 500
    assert found["server_cpu_us_per_s"] >= 0
    assert found["connect_s"] > 0


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    (command,) = commands("sse", 3, 1, "127.3.0.0/28", free_port())
    refused = pytest.raises(ChildFailed, match=r"error: .*connection.*: Connection refused")
    with Child("clients-1", command, tmp_path / "clients.log") as child, refused:
        child.answered(CONNECTED, 60)


def test_clients_are_dealt_out_evenly_and_have_numbers_of_their_own() -> None:
    dealt = [command[-3:-1] for command in commands("sse", 10, 3, "127.3.0.0/28", 1)]
    assert dealt == [["4", "1"], ["3", "5"], ["3", "8"]]


def test_a_pattern_whose_clients_do_not_wait_is_no_choice(
    front_door: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert front_door("idle", "short_polling") == 2
    assert "none of: chunked, long_polling, sse, websocket" in capsys.readouterr().err
