"""The front door where stdout is closed, full, unread or not UTF-8, where a run goes to -, and Ctrl-C comes early.

None of it is a traceback, and none hides how the command itself ended.
"""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from loadtests.scenario.scenarios import Scenario
from reports.commands.exits import DONE, INTERRUPTED, INVALID, UNWRITTEN, USAGE
from tests.server_process import HANG_S, ROOT
from tests.synthetic import write_run

RUN: Final = "r ü"
POLLBENCH: Final = shlex.join([sys.executable, str(ROOT / "pollbench.py")])
REPORT: Final = f"{POLLBENCH} report '{RUN}'"
LISTS: Final = f"{POLLBENCH} scenarios"
GATE: Final = f"{POLLBENCH} gate '{RUN}' --slo slo.toml"  # a run that never happened passes none
NOBODY: Final = "| true; exit ${PIPESTATUS[0]}"
ASCII: Final = {"PYTHONIOENCODING": "ascii"}
BARE: Final = {"MPLBACKEND": "TkAgg", "DISPLAY": "", "TZ": "Asia/Kathmandu", "NO_COLOR": "1", "COLUMNS": "20"}
FULL: Final = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("streams")
    scenario = Scenario(name="small", purpose="a run for tests", clients=(2,), schedule="poisson:8", window_s=2.0)
    write_run(where / RUN, [scenario], repeats=1, labels={"sse": "SSE"})
    (where / "slo.toml").write_text('slo = ["missed == 0"]\n')
    return where


def shell(folder: Path, line: str, environment: dict[str, str]) -> tuple[int, str]:
    """Return the exit code and what came on stderr."""
    known = {name: value for name, value in os.environ.items() if name not in {"LC_ALL", "LANG", *ASCII}}
    done = subprocess.run(
        ["bash", "-c", line],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=folder,
        env=known | environment,
        timeout=120,
    )
    return done.returncode, done.stderr.decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("line", "environment", "code"),
    [
        (f"{LISTS} >&-", {}, DONE),
        (f"{LISTS} 2>&-", {}, DONE),
        (f"{LISTS} <&-", {}, DONE),
        (f"{REPORT} <&- >&- 2>&-", {}, DONE),
        (f"{LISTS} {NOBODY}", {}, DONE),
        pytest.param(f"{LISTS} > /dev/full", {}, UNWRITTEN, marks=FULL),
        pytest.param(f"{LISTS} 2> /dev/full", {}, DONE, marks=FULL),
        (f"{GATE} >&-", {}, INVALID),
        (f"{GATE} {NOBODY}", {}, INVALID),
        pytest.param(f"{GATE} > /dev/full", {}, INVALID, marks=FULL),
        (REPORT, ASCII, DONE),
        (GATE, ASCII, INVALID),
        (f"{POLLBENCH} --help", ASCII, DONE),
        (LISTS, {"LC_ALL": "C", "LANG": "C"}, DONE),
        (REPORT, BARE, DONE),
        (f"{POLLBENCH} run sse --out -", {}, USAGE),
        (f"{POLLBENCH} compare --out -", {}, USAGE),
    ],
)
def test_whatever_becomes_of_its_output_a_command_ends_as_it_would_have(
    folder: Path, line: str, environment: dict[str, str], code: int
) -> None:
    ended, said = shell(folder, line, environment)
    assert (ended, "Traceback" in said) == (code, False), said
    assert code not in {USAGE, UNWRITTEN} or (said.startswith("pollbench: ") and said.count("\n") == 1)


@pytest.mark.parametrize("module", ["typer", "loadtests.host.standard_streams", "reports.commands.app"])
def test_ctrl_c_while_it_is_still_being_imported_is_no_traceback(folder: Path, module: str) -> None:
    """-X importtime tells on stderr which modules are there: the moment that a clock could not hit."""
    code = "import pollbench, sys; sys.exit(pollbench.main())"
    words = [sys.executable, "-X", "importtime", "-c", code, "compare", "--pattern", "sse", "--out", "early"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        said = ""
        while not (line := process.stderr.readline()).rstrip().endswith(f" {module}"):
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=HANG_S)
    assert process.returncode == INTERRUPTED, rest
    assert "Traceback" not in rest
