"""Programs that talk too much, too slowly or in another order, that leave children behind, or lose their parent."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from loadtests.host import managed_process
from loadtests.host.managed_process import TERMINATED, Child, ChildFailed
from loadtests.host.warden import Warden
from loadtests.runs import announcements
from tests.server_process import ROOT

HANG_S = 120.0
"""Only catches hangs."""
SLEEPER = "import time; time.sleep(600)"
READY = '{"event": "ready", "pid": 7, "http_port": 80}'


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + HANG_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether a process has ended. In a container nobody may ask an orphan how, which leaves a zombie."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def numbers(file: Path, count: int) -> list[int]:
    """Wait until that many process ids are in a file."""
    until(lambda: file.exists() and len(file.read_text().split()) >= count)
    return [int(word) for word in file.read_text().split()]


@pytest.mark.parametrize(
    "line",
    [
        READY,
        '{"http_port": 80, "extra": {"deep": [1, {}]}, "pid": 7, "event": "ready"}',
        ' {"event":"ready","pid":7,"http_port":80}\r',
    ],
)
def test_the_ready_line_is_found_between_others_whatever_the_order_of_its_keys(tmp_path: Path, line: str) -> None:
    noise = ["INFO: starting", '{"event": "starting", "pid": 1}', "{", "[]", "null", '"ready"', "[" * 60_000, ""]
    said = "\n".join([*noise, line, "more"]) + "\n"
    code = f"import sys, time; sys.stdout.write({said!r}); sys.stdout.flush(); time.sleep(600)"
    with Child("server", python(code), tmp_path / "log") as server:
        ready = server.answered(announcements.ready, HANG_S)
    assert (ready.pid, ready.http_port) == (7, 80)


def test_a_ready_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """A part of it may look whole: {"event": "ready", "at": {}."""
    parts = ['{"event": "ready", "at": {}', ', "pid": 7, ', '"http_port": 80}\n']
    drip = (
        f"import sys, time\nfor part in {parts!r}:\n    sys.stdout.write(part); sys.stdout.flush(); time.sleep(0.05)\n"
    )
    with Child("server", python(f"{drip}\ntime.sleep(600)"), tmp_path / "log") as server:
        assert server.answered(announcements.ready, HANG_S).http_port == 80


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('{"event": "ready"}', "missing required field `pid`"),
        ('{"event": "ready", "pid": "7", "http_port": 80}', "Expected `int`, got `str` - at `$.pid`"),
        ('{"event": "ready", "pid": 7, "http_port": 0}', "at `$.http_port`"),
        ('{"event": "ready", "pid": 7, "http_port": 1e999}', "http_port"),
    ],
)
def test_a_ready_line_that_lacks_something_is_quoted_with_what_it_lacks(tmp_path: Path, line: str, field: str) -> None:
    code = f"import time; print({line!r}, flush=True); time.sleep(600)"
    with Child("server", python(code), tmp_path / "log") as server, pytest.raises(ChildFailed) as failed:
        server.answered(announcements.ready, 1.0 if "1e999" in line else HANG_S)
    assert field in str(failed.value)


def test_a_program_that_never_ends_a_line_is_given_up_in_time(tmp_path: Path) -> None:
    drip = "import sys, time\nwhile True: sys.stdout.write('{'); sys.stdout.flush(); time.sleep(0.01)"
    with (
        Child("server", python(drip), tmp_path / "log") as server,
        pytest.raises(ChildFailed, match=r"was not ready after 0\.5 s"),
    ):
        server.answered(announcements.ready, 0.5)


def test_a_program_that_talks_without_end_is_ended_before_it_fills_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managed_process, "LOG_MAX_BYTES", 4 * 2**20)
    with Child("server", ["yes", "x" * 100], tmp_path / "log") as server:
        with pytest.raises(ChildFailed, match="wrote more than 4 MiB to its outputs: have it say less"):
            server.answered(announcements.ready, HANG_S)
        assert set(server.last_words()) == {"x"}


def test_what_a_program_started_and_left_behind_ends_with_it_though_it_took_a_session_of_its_own(
    tmp_path: Path,
) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time\n"
        f"one = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}])\n"
        f"two = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], start_new_session=True)\n"
        f"three = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], env={{}})\n"
        f"open({str(pids)!r}, 'w').write(f'{{one.pid}} {{two.pid}} {{three.pid}}')\n"
        "time.sleep(600)\n"
    )
    with Child("server", python(code), tmp_path / "log") as server:
        left = numbers(pids, 3)
        assert all(server.owns(pid) for pid in left)
        assert not server.owns(os.getpid())
    assert server.stop() in TERMINATED
    assert all(map(gone, left))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    """Nor what its child started in turn, here behind a shell that waits for it."""
    pids, sleeper = tmp_path / "pids", f"{sys.executable} -c '{SLEEPER}'"
    shell = f"{sleeper} & echo $$ $! > {pids}; wait"
    parent = subprocess.Popen(
        python(
            "import pathlib, time\nfrom loadtests.host.managed_process import Child\n"
            f"child = Child('server', ['sh', '-c', {shell!r}], pathlib.Path({str(tmp_path / 'log')!r}))\n"
            "time.sleep(600)"
        ),
        cwd=ROOT,
    )
    left = numbers(pids, 2)
    parent.send_signal(number)
    assert parent.wait(HANG_S) == -number
    until(lambda: all(map(gone, left)))


def test_the_warden_leaves_with_the_last_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of its own: the fixtures of other tests of this process may have children for the whole session."""
    warden = Warden()
    monkeypatch.setattr(managed_process, "warden", warden)

    def wardens() -> int:
        return sum(warden.token in (each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"]))

    with Child("one", python(SLEEPER), tmp_path / "one"):
        with Child("two", python(SLEEPER), tmp_path / "two"):
            assert wardens() == 1
        assert wardens() == 1
    assert wardens() == 0
    with pytest.raises(ChildFailed, match="cannot be started"):
        Child("none", ["/nowhere"], tmp_path / "none")
    assert wardens() == 0


def test_words_are_searched_in_all_of_a_log_and_each_time_from_its_beginning(tmp_path: Path) -> None:
    code = "import time; print('version 1'); print('ready', flush=True); time.sleep(600)"
    with Child("server", python(code), tmp_path / "log") as server:
        assert server.heard(re.compile("ready"), HANG_S)[0] == "ready"
        assert server.heard(re.compile(r"version \d"), HANG_S)[0] == "version 1"
    assert server.said(re.compile("ready"))
    assert server.said(re.compile("steady")) is None
