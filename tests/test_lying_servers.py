"""Servers that deliver nothing, or lie of their clock, schedule or start: no command may decide anything from them.

Each is the example of docs/howto/own-server.md with one line changed.
"""

import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

import pollbench
from pollbench import DONE, INVALID
from reports.basics.exit_codes import ExitCode
from tests.forked import ran

pytestmark = [pytest.mark.slow, pytest.mark.apart]
ROOT = Path(pollbench.__file__).parent
EXAMPLE = (ROOT / "docs/examples/own_server.py").read_text(encoding="utf-8")
BRIEF = ["--clients", "2", "--schedule", "steady:20", "--warmup", "0.2", "--window", "1.2", "--drain", "0.4"]
GOALS = 'slo = ["missed == 0", "errors == 0", "p99_ms < 100000"]\n'
HANG_S = 120
FrontDoor = Callable[..., int]
FAILED = 1

WRITE = 'await response.write(f"id: {seen}\\ndata: {body}\\n\\n".encode())'
DUE = '"due_ns": due_ns'
OFFSETS = "parse_schedule(schedule).offsets_ns()"
EVENTS = 'headers={"Content-Type": "text/event-stream"}'
TOLD = '"start_at_ns": feed.start_at_ns'
EARLIER, LATER = -3_600 * 10**9, 86_400 * 10**9


class Lie(NamedTuple):
    """line: of the example; instead: what stands there. code: that run ends with; said: in what it and its run say."""

    line: str
    instead: str
    code: int
    said: str


LIES = {
    "sends nothing": Lie(WRITE, "pass", FAILED, "the clients received nothing of the 24 messages that were"),
    "answers with a page": Lie(EVENTS, 'headers={"Content-Type": "text/html"}', FAILED, "text/html"),
    "sends another form": Lie(WRITE, 'await response.write(b"data: <b>no</b>\\n\\n")', FAILED, "data: <b>no</b>"),
    "sets due when it publishes": Lie(
        DUE, '"due_ns": time.monotonic_ns()', INVALID, "name another due instant than the schedule's"
    ),
    "makes half of the messages": Lie(
        OFFSETS, f"itertools.islice({OFFSETS}, 0, None, 2)", INVALID, "name another due instant than the schedule's"
    ),
    "stops publishing": Lie(
        OFFSETS, f"itertools.islice({OFFSETS}, 14)", INVALID, "due by the window's end were never published"
    ),
    "counts due in microseconds": Lie(
        DUE, '"due_ns": due_ns // 1000', INVALID, "name another due instant than the schedule's"
    ),
    "began an hour ago": Lie(TOLD, f"{TOLD} + {EARLIER}", FAILED, "that it began to publish at"),
    "begins tomorrow": Lie(TOLD, f"{TOLD} + {LATER}", FAILED, "that it began to publish at"),
    "began by the wall clock": Lie(TOLD, '"start_at_ns": time.time_ns()', FAILED, "that it began to publish"),
}


def pollbench_in(folder: Path, *words: str) -> tuple[int, str]:
    done = ran(*words, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=HANG_S)
    return done.returncode, done.stdout + done.stderr


def check_that_no_goal_is_met(front_door: FrontDoor, folder: Path, goals: str) -> None:
    slo = folder / "slo.toml"
    slo.write_text(goals, encoding="utf-8")
    assert front_door("gate", str(folder / "run"), "--slo", str(slo)) in {ExitCode.SLO_MISSED, ExitCode.INVALID}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_server_that_delivers_nothing_or_lies_is_found_out_and_meets_no_goal(
    lie: Lie, tmp_path: Path, front_door: FrontDoor
) -> None:
    assert EXAMPLE.count(lie.line) == 1
    program = tmp_path / "liar.py"
    program.write_text("import itertools\n" + EXAMPLE.replace(lie.line, lie.instead), encoding="utf-8")
    server = shlex.join([sys.executable, str(program)])
    code, said = pollbench_in(tmp_path, "run", "sse", "--server", server, *BRIEF, "--out", "run")
    file = tmp_path / "run/verdict.json"
    ruling: dict[str, Any] = {"verdict": "", "cautions": []}
    if file.exists():
        ruling = json.loads(file.read_text(encoding="utf-8"))
    told = said + "; ".join(caution["cause"] for caution in ruling["cautions"])
    assert (code, lie.said in " ".join(told.split())) == (lie.code, True), said
    assert lie.code != INVALID or ruling["verdict"] in {"INVALID", "FAIL"}
    check_that_no_goal_is_met(front_door, tmp_path, GOALS)


def test_what_a_server_stops_to_deliver_is_missed_and_not_under_way(tmp_path: Path, front_door: FrontDoor) -> None:
    program = tmp_path / "liar.py"
    written = EXAMPLE.replace(WRITE, f"if seen < 14:\n                    {WRITE}")
    program.write_text(written, encoding="utf-8")
    server = shlex.join([sys.executable, str(program)])
    words = ["run", "sse", "--server", server, *BRIEF[:-2], "--poll-interval", "0.2", "--out", "run"]
    code, said = pollbench_in(tmp_path, *words)
    assert code in {DONE, INVALID}, said
    summary = pd.read_csv(tmp_path / "run/summary.csv")
    assert (summary["owed"] - summary["delivered"]).tolist() == summary["missed"].tolist() != [0]
    assert summary["in_flight"].tolist() == [0]
    check_that_no_goal_is_met(front_door, tmp_path, 'slo = ["missed == 0"]\n')
