"""Clocks that are really off, by an offset that the kernel adds and that is therefore known exactly."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from loadtests.records.manifest import Cell
from loadtests.records.to_parquet import collect
from loadtests.runs import runner
from loadtests.runs.commands import OURS
from loadtests.runs.target import Target, WrongServer
from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import Scenario
from reports.data.load import load
from reports.measures.measures import per_cell, summary, window
from reports.page.answer import headline
from reports.page.page import write_report
from reports.validity.checks import cautions
from servers.timing.clock import clock_id
from tests.clocks import elsewhere
from tests.loadtests.load_process import FOR_LONG, loads_on
from tests.server_process import HANG_S, ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(elsewhere.why_not()), reason=elsewhere.why_not()),
]
S = 10**9
AHEAD_S, BACK_S = 3, elsewhere.back_s(1_000)
SCENARIO = Scenario(
    name="feed",
    purpose="tests",
    clients=(6,),
    schedule="steady:20",
    warmup_s=0.2,
    window_s=1.5,
    drain_s=0.3,
    load_processes=3,
)


class Quiet:
    def starts(self, _: object) -> None: ...
    def tick(self) -> None: ...
    def ended(self, _: object) -> None: ...


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run whose three load processes read the publisher's clock, one 3 s ahead, and one 1,000 s behind it."""
    folder = tmp_path_factory.mktemp("clocks")
    turns = folder / "turns"
    turns.mkdir()
    programs = replace(OURS, load=elsewhere.command([0, AHEAD_S, BACK_S], turns, [*OURS.load]))
    plan = Plan(SCENARIO, ("sse",), 1)
    runner.begin(folder / "run", plan, {"sse": "SSE"}, "run")
    outcome = runner.run_cells(folder / "run", plan.cells(), {"sse": "SSE"}, Quiet(), programs)
    assert outcome.cells[0].problems == []
    yield folder / "run"


def cell_of(folder: Path) -> Cell:
    (file,) = folder.glob("cells/*/cell.json")
    return msgspec.json.decode(file.read_bytes(), type=Cell)


def test_the_known_offset_lies_in_the_interval_of_each_load_process(measured: Path) -> None:
    found = sorted(cell_of(measured).clocks, key=lambda known: known.low_ns)
    # What is added to an instant of a clock that is ahead is less than nothing.
    for known, offset_ns in zip(found, (-AHEAD_S * S, 0, -BACK_S * S), strict=True):
        assert known.low_ns <= offset_ns <= known.high_ns, known
        assert known.problem == ""
        assert known.same == (offset_ns == 0)
        assert known.exchanges > 0
        assert abs((known.low_ns + known.high_ns) // 2 - offset_ns) <= known.error_ns or known.same
    assert len({known.clock for known in found}) == 3
    assert {known.publisher for known in found} == {clock_id()}


def test_clients_by_clocks_that_are_off_report_the_latencies_of_those_by_the_publishers(measured: Path) -> None:
    run = load(measured)
    (cell,) = run.finished.to_dict("records")
    rows = window(run, cell).frame()
    error_ms = float(cell["clock_error_ms"])
    assert 0 < error_ms < 1_000 * AHEAD_S / 2  # or being off by that would not be seen
    assert (rows["transit_ms"] >= -error_ms).all()
    assert sorted(rows["user"].unique()) == [1, 2, 3, 4, 5, 6]
    medians = rows.groupby("user", observed=True)["latency_ms"].median()
    assert medians.max() - medians.min() < 1_000  # and nobody's is off by 3 s


def test_each_figure_says_what_the_clocks_may_make_it_wrong_by(measured: Path) -> None:
    page = write_report(measured, charts=()).read_text(encoding="utf-8")
    assert "Server and clients read different clocks." in page
    (row,) = pd.read_csv(measured / "summary.csv").to_dict("records")
    assert row["clock_error_ms"] > 0
    # Not the page's own: a busy machine has a late generator, and then no answer.
    assert "(clock)" in headline(summary(load(measured)))


def test_nothing_about_such_clocks_makes_a_run_invalid(measured: Path) -> None:
    run = load(measured)
    cells = per_cell(run)
    assert not [
        each
        for each in cautions(run, cells, summary(run, cells))
        if each.topic == "clock" and each.severity == "invalid"
    ]


@pytest.fixture
def ahead(tmp_path: Path) -> Iterator[int]:
    """A server whose clock is 3 s ahead; its port."""
    words = ["-m", "servers", "sse", "--port", "0", "--schedule", "steady:20", "--announce-json"]
    python = elsewhere.command([AHEAD_S], tmp_path, [OURS.server[0], *words])
    with subprocess.Popen(python, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(json.loads(process.stdout.readline())["http_port"])
        finally:
            process.terminate()
            process.wait(HANG_S)


def test_a_server_elsewhere_is_measured_by_hand_and_not_planned(ahead: int, tmp_path: Path) -> None:
    host = f"http://127.0.0.1:{ahead}"
    target = Target(host)
    offset = target.offset()
    assert offset.low_ns <= AHEAD_S * S <= offset.high_ns
    with pytest.raises(WrongServer, match="runs by another clock"):
        target.require_our_clock()
    with loads_on(tmp_path, host) as loads:
        load_process = loads.start("SseUser", "--headless", "-u", "2", "-r", "10", *FOR_LONG)
        loads.await_rows(load_process, users=2)
        load_process.stopped()
        found = collect(loads.cell)
        assert found.problems == []
        (known,) = found.clocks
        assert known.low_ns <= AHEAD_S * S <= known.high_ns
        deliveries = loads.table("deliveries")
        transit_ns = deliveries["received_ns"] - deliveries["published_ns"]
        assert transit_ns.min() >= -known.error_ns
        assert transit_ns.max() < S


def test_a_server_elsewhere_tells_its_time_and_name(ahead: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{ahead}/clock", timeout=HANG_S) as answer:
        told = json.load(answer)
    assert told["clock_id"] != clock_id()
    assert told["clock_id"].partition(":")[0] == clock_id().partition(":")[0]
