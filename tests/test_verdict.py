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

import psutil
import pytest

import pollbench
from reports.caution import MEANING
from reports.outcome import ExitCode

ROOT = Path(pollbench.__file__).parent
BURNERS = 8
BURN_S = 30
"""They end by themselves, should nobody be left to end them."""
HEAVY = ["--clients", "100", "--schedule", "steady:100", "--warmup", "0.3", "--window", "3", "--drain", "0.2"]


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


def load_process(run: "subprocess.Popen[str]", log: Path) -> psutil.Process:
    """Return the load process of a run once its users have been started."""
    while run.poll() is None:
        if log.exists() and "All users spawned" in log.read_text(encoding="utf-8"):
            children = psutil.Process(run.pid).children()
            return next(child for child in children if "locust" in child.cmdline())
        time.sleep(0.01)
    raise AssertionError(run.communicate())


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pins processes to a core")
def test_a_burned_core_makes_the_run_invalid_on_page_charts_terminal_and_exit_code(tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    with start(tmp_path, "run", "sse", *HEAVY, "--out", "run") as run:
        load = load_process(run, tmp_path / "run/cells/feed-100-sse-1/load.log")
        load.cpu_affinity([core])
        with burned(core):
            said, complained = run.communicate(timeout=90)
    assert run.returncode == pollbench.INVALID == ExitCode.INVALID
    assert f"INVALID: {MEANING['INVALID']}" in said
    assert re.search(r"pollbench: INVALID: The load generator .* nothing may be decided from run$", complained.strip())

    ruling = json.loads((tmp_path / "run/verdict.json").read_text(encoding="utf-8"))
    invalid = [caution["what"] for caution in ruling["cautions"] if caution["severity"] == "invalid"]
    assert any(what.startswith("The load generator stood in line for a core") for what in invalid)
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert '<p class="verdict invalid"><b>INVALID</b>' in page
    charts = sorted((tmp_path / "run/charts").glob("*.svg"))
    assert charts
    assert all("INVALID: decide nothing from this chart" in chart.read_text(encoding="utf-8") for chart in charts)

    (tmp_path / "slo.toml").write_text('slo = ["missed == 0", "p99_ms < 100000"]', encoding="utf-8")
    with start(tmp_path, "gate", "run", "--junit", "gate.xml") as gate:
        said, _ = gate.communicate(timeout=60)
    assert gate.returncode == ExitCode.INVALID
    assert "run proves nothing: it is invalid" in said
