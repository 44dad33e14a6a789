"""`pollbench worker` and `--workers` where something is wrong: one line that says what, and a stated exit code."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.host.managed_process import Child
from loadtests.runs.hosts.crewing import LoadHosts
from loadtests.runs.hosts.endings import HostsMissing
from loadtests.runs.hosts.meeting import Meeting
from loadtests.runs.hosts.messages import TOKEN
from tests.hosts import stub_host
from tests.hosts.crews import SECRET, SHARED, CrewOf

Door = Callable[..., int]


@pytest.mark.parametrize(
    ("words", "token", "said"),
    [
        ([], SECRET, "--master is missing: say where the run is"),
        (["--master", "host:0"], SECRET, "--master 'host:0' is not an address"),
        (["--master", "h", "--name", "../x"], SECRET, "--name ../x is out of range: it must be up to 60 letters"),
        (["--master", "h", "--wait", "soon"], SECRET, "--wait 'soon' is not a duration"),
        (["--master", "h"], "", f"{TOKEN} is not set"),
        (["--master", "h"], "short", f"{TOKEN} is no token"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_asked(
    front_door: Door,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: list[str],
    token: str,
    said: str,
) -> None:
    monkeypatch.setenv(TOKEN, token)
    assert front_door("worker", *words) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert said in " ".join(shown.err.split())
    assert SECRET not in shown.err


def test_a_master_that_is_not_there_is_looked_for_only_so_long(
    front_door: Door, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
    assert front_door("worker", "--master", f"127.0.0.1:{port}", "--wait", "0.5") == 3
    assert f"no run answers at 127.0.0.1:{port} since 0.5 s" in capfd.readouterr().err


def test_a_host_that_is_told_to_end_says_good_bye(tmp_path: Path) -> None:
    with CrewOf(tmp_path, SHARED) as crew:
        host = crew.host("alpha")
        crew.office.gather(1, host.check)
        os.kill(host.pid, signal.SIGTERM)
        assert host.wait() == 130
        assert crew.log("alpha").splitlines()[-1] == "interrupted: this host has left the run"
        assert crew.said[-1] == "load host alpha left: interrupted there"


def test_a_host_of_another_version_ends_with_the_reason(tmp_path: Path) -> None:
    said: list[str] = []
    with LoadHosts(Meeting(worker_port=0), {TOKEN: SECRET}, said.append) as hosts:
        command = [sys.executable, stub_host.__file__, str(hosts.port), "alpha", "other"]
        with Child("alpha", command, tmp_path / "log", extra_env={TOKEN: SECRET}) as host:
            assert host.wait() == 2
    assert "refused this host: this host has pollbench 0 instead of " in (tmp_path / "log").read_text(encoding="utf-8")
    assert said[0].startswith("load host alpha at 127.0.0.1 was refused: pollbench 0 instead of ")


def test_a_wrong_token_ends_a_host_with_the_remedy(tmp_path: Path) -> None:
    with CrewOf(tmp_path, SHARED) as crew:
        host = crew.host("alpha", "--wait", "0", token="another-token")
        assert host.wait() == 2
        assert f"does not take our token: set {TOKEN} to the one that it printed" in crew.log("alpha")
        assert crew.said == []


@pytest.mark.parametrize(
    ("meeting", "said"),
    [
        (Meeting(bind="0.0.0.0"), "--bind '?0.0.0.0'? is every address, and load hosts need one"),
        (Meeting(bind="203.0.113.1"), "--bind 203.0.113.1: .*; name an address of this machine"),
        (Meeting(bind="nobody.invalid"), "--bind nobody.invalid: .*; name an address of this machine"),
        (Meeting(store="gs://x"), "--store 'gs://x' is no place for rows"),
        (Meeting(store="/dev/null/x"), "--store: the store /dev/null/x cannot be written to"),
    ],
)
def test_a_run_refuses_what_its_hosts_could_not_use(meeting: Meeting, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LoadHosts(meeting, {}, print)


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"--worker-port {port}: Address already in use at 127.0.0.1"):
            LoadHosts(Meeting(worker_port=port), {}, print)


def test_a_run_makes_a_token_where_it_has_none_and_waits_only_so_long() -> None:
    said: list[str] = []
    with LoadHosts(Meeting(worker_port=0, worker_wait_s=0), {}, said.append) as hosts:
        with pytest.raises(HostsMissing, match=r"0 of 2 load hosts are there, after 0 s \(--worker-wait\)"):
            hosts.gather(2, lambda: None)
        assert f"{TOKEN}={hosts.token} pollbench worker --master 127.0.0.1:{hosts.port}" in said[0]
    with LoadHosts(Meeting(worker_port=0, worker_wait_s=0), {TOKEN: SECRET}, said.append) as hosts:
        with pytest.raises(HostsMissing):
            hosts.gather(1, lambda: None)
        assert SECRET not in said[1], "who has it already need not be told, and others may read along"


def test_options_of_load_hosts_need_load_hosts(front_door: Door, capfd: pytest.CaptureFixture[str]) -> None:
    assert front_door("run", "sse", "--bind", "10.0.0.1") == 2
    assert "--bind 10.0.0.1 is for load hosts, and this run has none: add --workers N" in capfd.readouterr().err
    assert front_door("run", "sse", "--workers", "2", "--network", "netem") == 2
    assert "--workers 2 is out of range: it must be 0 with --network netem" in capfd.readouterr().err
