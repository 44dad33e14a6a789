"""Whoever else measures is told of as a run is: the web UI, and the search of `capacity`."""

import json
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

import pollbench
from servers.web.free_port import free_port
from tests.loadtests.load_process import Load
from tests.loadtests.test_by_hand import await_that, shown, stop, swarm
from tests.metrics.listening import collecting, scraped, value
from tests.server_process import HANG_S, ROOT
from tests.webui.site import Site, workers_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
QUICK = ["--window", "0.6", "--warmup", "0.1", "--schedule", "steady:50", "--drain", "0.5", "--repeats", "1"]


def deliveries_in(folder: Path) -> int:
    return sum(len(pd.read_parquet(file)) for file in folder.glob("cells/*/deliveries.parquet"))


def has_run(started: Site, runs: int) -> bool:
    return len(started.runs()) == runs


def has_shown(started: Site, run: str, deliveries: int) -> bool:
    """Whether the tab shows this run, and so many of its deliveries: before it begins, it shows the one before."""
    return started.live()["run"] == run and shown(started, "sse") > deliveries


def await_told(port: int, wanted: float, name: str, **labels: str) -> None:
    await_that(lambda: value(scraped(port), name, pattern="sse", **labels) == wanted)


def test_the_web_ui_tells_of_the_tests_that_are_driven_from_it(tmp_path: Path) -> None:
    web_port, port = free_port(), free_port()
    words = ["ui", "--port", str(web_port), "--metrics", f"prometheus:{port}"]
    ui = Load(tmp_path / "ui.log", *words, cwd=tmp_path, command=[sys.executable, str(ROOT / "pollbench.py")])
    started = Site(f"http://127.0.0.1:{web_port}", tmp_path, [ui])
    try:
        ui.until(lambda: workers_of(started) >= 0, "its page")
        assert f"metrics http://127.0.0.1:{port}/metrics" in ui.words()
        owed, runs = 0, list[Path]()
        for users in (3, 2):
            swarm(started, users, "SseUser", schedule="steady:50", poll_interval="0.2")
            await_that(partial(has_run, started, len(runs) + 1))
            runs = started.runs()
            await_that(partial(has_shown, started, runs[-1].name, 400))
            stop(started)
            owed += deliveries_in(runs[-1])
            verdict = json.loads((runs[-1] / "verdict.json").read_bytes())["verdict"]
            await_told(port, owed, "pollbench_deliveries_total")
            await_told(port, 1, "pollbench_verdict", verdict=verdict)
        ui.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + HANG_S
        while ui.process.poll() is None:
            assert time.monotonic() < deadline, ui.words()
            with suppress(OSError):
                scraped(port)  # or it would wait for us a while, as we have asked before
            time.sleep(0.1)
        assert ui.process.returncode == 0, ui.words()
    finally:
        ui.kill()


def test_a_search_tells_of_every_load(tmp_path: Path, front_door: Callable[..., int]) -> None:
    with collecting() as collector:
        told_to = ["--metrics", f"otlp:{collector.url}", "--out", str(tmp_path / "search"), "--quiet"]
        goal = ["--goal", "p50_ms < 100000"]
        code = front_door("capacity", "sse", "--clients", "1", "--most", "2", *goal, *QUICK, *told_to)
    assert code in {pollbench.DONE, pollbench.INVALID}  # a busy machine has a late generator
    metrics = collector.told[-1]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    by_name = {metric["name"]: metric for metric in metrics}
    counted = {}
    for point in by_name["pollbench_deliveries"]["sum"]["dataPoints"]:
        labels = {each["key"]: each["value"]["stringValue"] for each in point["attributes"]}
        counted[labels["clients"]] = point["asDouble"]
    runs = sorted((tmp_path / "search").glob("clients-*"))
    assert counted == {str(int(run.name[-6:])): deliveries_in(run) for run in runs}
    assert len(runs) >= 1
