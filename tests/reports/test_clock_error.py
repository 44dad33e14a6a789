"""The error of two clocks stands beside each figure that it touches, and differences carry only how it changed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pandas as pd
import pytest
from rich.console import Console

from loadtests.records.manifest import Cell, LoadClock
from reports.ci.questions import compare_cells
from reports.data.clock_error import CHANGE, ERROR, clock_errors, clock_told
from reports.data.load import Run, load
from reports.measures.measures import latency_of, per_cell, summary
from reports.measures.ranking import level
from reports.page.explain import explained
from reports.page.markdown import run_markdown
from reports.page.page import write_report
from reports.page.terminal import summary_table
from reports.validity.caution import Caution, Ruling
from reports.validity.checks import cautions
from tests.reports.conftest import as_measured

MS = 1_000_000
S = 1_000 * MS
FAR = LoadClock(
    process="7",
    clock="there",
    publisher="here",
    same=False,
    exchanges=90,
    low_ns=3 * S,
    high_ns=3 * S + 4 * MS,
    at_ns=9 * S,
    from_ns=9 * S,
    rho_ppm=50.0,
    error_ns=2 * MS,
)
NEAR = LoadClock(process="8", clock="here", publisher="here", same=True, exchanges=16, low_ns=-9_000, high_ns=9_000)
Clocks = Callable[[int], list[LoadClock]]


def with_clocks(folder: Path, into: Path, clocks: Clocks) -> Path:
    """Copy a run whose n-th cell was measured by these clocks."""
    copied = as_measured(Path(shutil.copytree(folder, into / "clocks")))
    for at, file in enumerate(sorted(copied.glob("cells/*/cell.json"))):
        cell = msgspec.json.decode(file.read_bytes(), type=Cell)
        file.write_bytes(msgspec.json.encode(msgspec.structs.replace(cell, clocks=clocks(at))))
    return copied


def told(run: Run) -> list[Caution]:
    cells = per_cell(run)
    return [each for each in cautions(run, cells, summary(run, cells)) if each.topic == "clock"]


@pytest.fixture
def far(folder: Path, tmp_path: Path) -> Path:
    return with_clocks(folder, tmp_path, lambda _: [FAR, NEAR])


def test_runs_from_before_clocks_were_compared_have_no_error_of_clocks(run: Run) -> None:
    row = summary(run).iloc[0]
    assert (row[ERROR], row[CHANGE]) == (0, 0)
    assert clock_told(row.to_dict(), "p50_ms") == ""


def test_one_clock_that_exchanges_agree_with_has_no_error(folder: Path, tmp_path: Path) -> None:
    run = load(with_clocks(folder, tmp_path, lambda _: [NEAR]))
    assert summary(run)[ERROR].tolist() == [0.0] * len(summary(run))
    assert not told(run)


def test_an_interval_of_a_latency_reaches_as_far_as_clocks_may_be_wrong_and_that_of_a_cost_does_not(
    far: Path, run: Run
) -> None:
    alike, doubted = summary(run), summary(load(far))
    assert doubted[ERROR].tolist() == [2.0] * len(doubted)
    assert doubted["p50_ms_high"].tolist() == pytest.approx((alike["p50_ms_high"] + 2).tolist())
    assert doubted["p99_ms_low"].tolist() == pytest.approx((alike["p99_ms_low"] - 2).tolist())
    for same in ("p50_ms", "cpu_ms_per_1000", "cpu_ms_per_1000_low", "wait_p50_ms"):
        pd.testing.assert_series_equal(doubted[same], alike[same])


def test_page_summary_terminal_markdown_and_explanation_say_it_beside_the_figure(far: Path) -> None:
    page = write_report(far, charts=()).read_text(encoding="utf-8")
    assert page.count("<small>\N{PLUS-MINUS SIGN} 2.0 (clock)</small>") >= 6 * 4
    assert "read different clocks" in page
    assert (pd.read_csv(far / "summary.csv")[ERROR] == 2.0).all()
    rows = summary(load(far))
    console = Console(width=240)
    with console.capture() as captured:
        console.print(summary_table(rows))
    assert "\N{PLUS-MINUS SIGN} 2.0 (clock)" in captured.get()
    ruling = Ruling.on([], [])
    assert "\N{PLUS-MINUS SIGN} 2.0 (clock)" in run_markdown("run", ruling, rows)
    figures = {figure.measure: figure for figure in explained(far).scenarios[0].measured[0].figures}
    assert (figures["p50_ms"].clock_error, figures["cpu_ms_per_1000"].clock_error) == (2.0, 0.0)


def test_what_seems_to_arrive_too_early_is_wrong_only_by_more_than_the_clocks_may_be() -> None:
    first = pd.DataFrame({"latency_ms": [1.0, 2.0], "transit_ms": [-1.5, 1.0], "lateness_ms": [0.0, 0.0]})
    assert (latency_of(first)["negative"], latency_of(first, 2.0)["negative"]) == (1, 0)


def test_patterns_measured_by_one_clock_differ_only_by_what_its_offset_changed(folder: Path, tmp_path: Path) -> None:
    """Errors of 20 ms, that are the same in all cells but for 50 ppm: a difference of 3 ms is a difference."""
    wide = msgspec.structs.replace(FAR, low_ns=3 * S - 20 * MS, high_ns=3 * S + 20 * MS, error_ns=20 * MS)
    run = load(
        with_clocks(
            folder, tmp_path, lambda at: [msgspec.structs.replace(wide, at_ns=(9 + at) * S, from_ns=(8 + at) * S)]
        )
    )
    rows = summary(run)
    assert rows[ERROR].max() == 20
    # Of 12 cells, each of a second: half of what the offset, and what was added, can have moved between any two.
    assert rows[CHANGE].max() == pytest.approx(50e-6 * (12 + 2) * 1_000 / 2)
    fast = {"p50_ms": 10.0, "p50_ms_low": 9.5 - 20, "p50_ms_high": 10.5 + 20, ERROR: 20.0, CHANGE: 0.3}
    slow = {"p50_ms": 13.0, "p50_ms_low": 12.5 - 20, "p50_ms_high": 13.5 + 20, ERROR: 20.0, CHANGE: 0.3}
    assert not level(slow, fast, "p50_ms")
    assert level(slow | {CHANGE: 20.0}, fast | {CHANGE: 20.0}, "p50_ms")


def cells_by(run: Run, *clocks: list[LoadClock]) -> list[float]:
    (one,) = run.path.glob("cells/*-sse-1/cell.json")
    cell = msgspec.json.decode(one.read_bytes(), type=Cell)
    found = clock_errors([msgspec.structs.replace(cell, clocks=each) for each in clocks])
    return [float(each[CHANGE]) for each in found]


def test_what_an_offset_was_seen_to_move_is_part_of_the_change(run: Run) -> None:
    moved = msgspec.structs.replace(FAR, low_ns=FAR.low_ns + 2 * MS, high_ns=FAR.high_ns + 2 * MS)
    assert cells_by(run, [FAR], [moved]) == [1.0, 1.0]


def test_of_several_clocks_nothing_is_shared(run: Run) -> None:
    other = msgspec.structs.replace(FAR, clock="elsewhere")
    assert cells_by(run, [FAR, other], [FAR, other]) == [2.0, 2.0]
    assert cells_by(run, [FAR], [other]) == [2.0, 2.0]


def test_a_clock_that_was_set_makes_a_run_invalid_with_cause_and_remedy(folder: Path, tmp_path: Path) -> None:
    was_set = msgspec.structs.replace(FAR, problem="two exchanges contradict each other by 3,000 ms")
    run = load(with_clocks(folder, tmp_path, lambda at: [was_set] if at == 3 else [FAR]))
    (invalid,) = [each for each in told(run) if each.severity == "invalid"]
    assert invalid.what == "Clocks contradict each other in 1 cell"
    assert "load process 7: two exchanges contradict each other" in invalid.cause
    assert "Do not set, suspend, migrate or clone these hosts" in invalid.remedy


def test_latencies_shorter_than_what_the_clocks_may_be_wrong_by_are_doubted(folder: Path, tmp_path: Path) -> None:
    hours = msgspec.structs.replace(FAR, error_ns=900 * S)
    run = load(with_clocks(folder, tmp_path, lambda _: [hours]))
    (doubt,) = told(run)
    assert (doubt.severity, doubt.what.startswith("Clocks may make latencies wrong by 15")) == ("suspect", True)


def test_a_change_between_two_runs_that_the_clocks_may_have_made_is_not_proven(run: Run) -> None:
    once = per_cell(run)[lambda cells: cells["repeat"] == 1]
    base = pd.concat([once.assign(repeat=repeat) for repeat in range(1, 13)], ignore_index=True)
    new = base.assign(p50_ms=base["p50_ms"] + 500)
    for error_ms, verdict in ((0.0, "worse"), (300.0, "~")):
        rows, _ = compare_cells(base.assign(**{ERROR: error_ms}), new.assign(**{ERROR: error_ms}), ["p50_ms"])
        assert {row.verdict for row in rows} == {verdict}
