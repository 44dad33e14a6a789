"""The verdict on real runs: a load generator whose core is burned measures nothing, and everything says so."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import psutil
import pytest

import pollbench
from reports.basics.exit_codes import ExitCode
from reports.validity.caution import MEANING
from reports.validity.evidence_text import side_by_side

ROOT = Path(pollbench.__file__).parent
BURNERS = 8
BURN_S = 30
"""They end by themselves, should nobody be left to end them."""
HEAVY = ["--clients", "100", "--schedule", "steady:100", "--warmup", "0.3", "--window", "2", "--drain", "0.2"]


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(ROOT / "pollbench.py"), *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, cwd=folder, env=environment, **pipes)  # type: ignore[call-overload,no-any-return]


@contextmanager
def burned(core: int) -> Iterator[None]:
    """Keep a core busy. Each burner has a session of its own, as Linux shares out cores among sessions first."""
    burn = f"import time\nend = time.monotonic() + {BURN_S}\nwhile time.monotonic() < end: pass"
    with ExitStack() as stack:
        for _ in range(BURNERS):
            burner = stack.enter_context(subprocess.Popen([sys.executable, "-S", "-c", burn], start_new_session=True))
            stack.callback(burner.kill)
            psutil.Process(burner.pid).cpu_affinity([core])
        yield


def process_of(module: str, run: "subprocess.Popen[str]", cell: Path) -> psutil.Process:
    """Return the process of a run that is `python -m module`, once the cell's users have been started."""
    while run.poll() is None:
        log = cell / "load.log"
        if log.exists() and "All users spawned" in log.read_text(encoding="utf-8"):
            children = psutil.Process(run.pid).children()
            return next(child for child in children if module in child.cmdline())
        time.sleep(0.01)
    raise AssertionError(run.communicate())


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pins processes to a core")
def test_a_burned_core_makes_the_run_invalid_on_page_charts_terminal_and_exit_code(tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    cell = tmp_path / "run/cells/feed-100-sse-1"
    with start(tmp_path, "run", "sse", *HEAVY, "--out", "run") as run:
        process_of("loadtests.locust_ui.start", run, cell).cpu_affinity([core])
        with burned(core):
            while run.poll() is None and not (cell / "cell.json").exists():
                time.sleep(0.02)
        said, complained = run.communicate(timeout=90)
    assert run.returncode == pollbench.INVALID == ExitCode.INVALID
    assert f"INVALID: {MEANING['INVALID']}" in said
    assert re.search(r"pollbench: INVALID: The load generator .* do not decide anything from run$", complained.strip())

    ruling = json.loads((tmp_path / "run/verdict.json").read_text(encoding="utf-8"))
    invalid = [caution["what"] for caution in ruling["cautions"] if caution["severity"] == "invalid"]
    assert any(what.startswith("The load generator waited for CPU") for what in invalid)
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert '<p class="verdict invalid"><b>INVALID</b>' in page
    charts = sorted((tmp_path / "run/charts").glob("*.svg"))
    assert charts
    assert all(
        "INVALID: do not decide anything from this chart" in chart.read_text(encoding="utf-8") for chart in charts
    )

    (tmp_path / "slo.toml").write_text('slo = ["missed == 0", "p99_ms < 100000"]', encoding="utf-8")
    with start(tmp_path, "gate", "run", "--junit", "gate.xml") as gate:
        said, _ = gate.communicate(timeout=60)
    assert gate.returncode == ExitCode.INVALID
    assert "run proves nothing: it is invalid" in said


@pytest.mark.slow
@pytest.mark.alone
def test_a_frozen_server_shows_from_the_due_instant_and_hides_from_a_tool_that_is_blind_to_stalls(
    tmp_path: Path,
) -> None:
    """Frozen for F of a window W, the fraction F/W of the messages waits up to F: p99 is F - 0.01 W."""
    window_s, interval_s = 4.0, 0.2
    words = ["--clients", "10", "--schedule", "steady:50", "--warmup", "0.3", "--window", "4", "--poll-interval", "0.2"]
    frozen_s = {}
    with start(tmp_path, "compare", "--pattern", "sse,short_polling", "--repeats", "1", *words, "--out", "run") as run:
        for pattern in ("sse", "short_polling"):
            server = process_of("servers", run, tmp_path / f"run/cells/feed-10-{pattern}-1")
            time.sleep(2)
            server.suspend()
            since = time.monotonic()
            time.sleep(1)
            server.resume()
            frozen_s[pattern] = time.monotonic() - since
        run.communicate(timeout=90)
    summary = pd.read_csv(tmp_path / "run/summary.csv")
    shown = dict(zip(summary["pattern"], side_by_side(summary), strict=True))
    for pattern, frozen in frozen_s.items():
        expected_ms = 1000 * (frozen - 0.01 * window_s)
        assert 0.9 < shown[pattern].due_p99 / expected_ms < 1.4
    assert shown["sse"].sent_p99 < 0.3 * shown["sse"].due_p99
    assert shown["sse"].hidden > 0.6 * shown["sse"].due_p99
    # Each user's poll waited for the server, and those that fell due meanwhile went out after it.
    assert shown["short_polling"].late_max > 1000 * (frozen_s["short_polling"] - 2 * interval_s)
    assert shown["short_polling"].unsent.startswith("0 of ")
    assert "were sent" in (tmp_path / "run/verdict.json").read_text(encoding="utf-8")
