"""Two runs side by side: what is called better or worse, what is not proven, and which runs are refused."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree as ET

import msgspec
import numpy as np
import pandas as pd
import pytest

from loadtests.records import manifest
from loadtests.scenario.scenarios import Scenario
from reports.basics.exit_codes import ExitCode
from reports.ci.compare_runs import compare_runs, differences, refusals
from reports.ci.comparison import HEADER, Comparison, Difference
from reports.ci.questions import JUDGED, compare_cells
from reports.data.load import ReportError
from tests.synthetic import write_run
from tests.synthetic_patterns import World

MakeCells = Callable[..., pd.DataFrame]
LOW = [10.0, 10.1, 10.2, 10.3, 10.4, 10.5]
HIGH = [11.0, 11.1, 11.2, 11.3, 11.4, 11.5]


def rows_of(base: pd.DataFrame, new: pd.DataFrame, *measures: str) -> list[Difference]:
    return compare_cells(base, new, measures)[0]


@pytest.mark.parametrize(
    ("measure", "verdict"), [("p99_ms", "worse"), ("missed", "worse"), ("delivered", "better"), ("hold_ms", "changed")]
)
def test_a_rise_is_good_or_bad_as_the_measure_has_it(measure: str, verdict: str, make_cells: MakeCells) -> None:
    low, high = make_cells({"sse": {measure: LOW}}), make_cells({"sse": {measure: HIGH}})
    (risen,) = rows_of(low, high, measure)
    assert risen.verdict == verdict
    assert risen.shift is not None
    assert risen.percent(risen.shift.amount) == pytest.approx(100 / 10.25)
    (fallen,) = rows_of(high, low, measure)
    assert fallen.verdict == {"worse": "better", "better": "worse", "changed": "changed"}[verdict]


def test_a_run_against_itself_differs_in_nothing(make_cells: MakeCells) -> None:
    cells = make_cells({"sse": {"p99_ms": LOW, "missed": [0] * 6}})
    rows, cautions = compare_cells(cells, cells, ["p99_ms", "missed"])
    assert {row.verdict for row in rows} == {"~"}
    assert cautions == []


def test_a_proven_shift_too_small_to_matter_is_not_a_difference(make_cells: MakeCells) -> None:
    base = make_cells({"sse": {"p99_ms": [1000 + value for value in range(6)]}})
    new = make_cells({"sse": {"p99_ms": [1010 + value for value in range(6)]}})
    (row,) = rows_of(base, new, "p99_ms")
    assert (row.p < 0.01, row.verdict) == (True, "~")


def test_a_rise_from_zero_counts_however_small(make_cells: MakeCells) -> None:
    (row,) = rows_of(make_cells({"sse": {"missed": [0] * 6}}), make_cells({"sse": {"missed": [1] * 6}}), "missed")
    assert row.verdict == "worse"
    assert row.cells()[-4:-1] == ("+1", "+1 to +1", "+1.00")
    assert Comparison("base", "new", (row,)).frame()["shift_percent"].item() == math.inf


def test_a_fall_from_below_zero_is_a_fall(make_cells: MakeCells) -> None:
    base = make_cells({"sse": {"memory_per_client_bytes": [-value for value in LOW]}})
    new = make_cells({"sse": {"memory_per_client_bytes": [-value for value in HIGH]}})
    (row,) = rows_of(base, new, "memory_per_client_bytes")
    assert row.verdict == "better"
    assert row.cells()[-4].startswith("-")


def test_the_effect_says_how_consistently_the_new_run_is_above_the_base(make_cells: MakeCells) -> None:
    """10.05 is above one of the six and 10.15 above two, the other four above all: (-4 - 2 + 4 * 6) / 36."""
    mixed = make_cells({"sse": {"p99_ms": [10.05, 10.15, 10.6, 10.7, 10.8, 10.9]}})
    (row,) = rows_of(make_cells({"sse": {"p99_ms": LOW}}), mixed, "p99_ms")
    assert dict(zip(HEADER, row.cells(), strict=True))["delta"] == "+0.50"


def test_asking_more_makes_each_answer_harder_to_prove(make_cells: MakeCells) -> None:
    """Six repeats give p = 2/924 at best: enough for one question at 0.01, not for five."""
    patterns = ["a", "b", "c", "d", "e"]
    base = make_cells({pattern: {"p99_ms": LOW} for pattern in patterns})
    new = make_cells({pattern: {"p99_ms": HIGH if pattern == "a" else LOW[::-1]} for pattern in patterns})
    rows, cautions = compare_cells(base, new, ["p99_ms"])
    assert {row.verdict for row in rows} == {"~"}
    assert "cannot prove even the clearest of 5 possible differences" in cautions[0]
    assert "Measure 7 repeats of each run" in cautions[0]
    (alone,) = rows_of(base[base["pattern"] == "a"], new[new["pattern"] == "a"], "p99_ms")
    assert alone.verdict == "worse"


def test_what_never_varies_in_either_run_is_no_question_asked(make_cells: MakeCells) -> None:
    base = make_cells({"sse": {"p99_ms": LOW, **{measure: [0] * 6 for measure in JUDGED[2:]}}})
    new = make_cells({"sse": {"p99_ms": HIGH, **{measure: [0] * 6 for measure in JUDGED[2:]}}})
    rows = rows_of(base, new, "p99_ms", *JUDGED[2:])
    assert rows[0].verdict == "worse"
    assert rows[0].p == pytest.approx(2 / math.comb(12, 6))


def test_three_repeats_prove_nothing_and_the_remedy_is_named(make_cells: MakeCells) -> None:
    base, new = make_cells({"sse": {"p99_ms": [1, 2, 3]}}), make_cells({"sse": {"p99_ms": [101, 102, 103]}})
    rows, cautions = compare_cells(base, new, ["p99_ms"])
    assert rows[0].verdict == "~"
    assert "Measure 5 repeats of each run" in cautions[0]


def test_what_only_one_run_has_is_said(make_cells: MakeCells) -> None:
    base = make_cells({"sse": {"p99_ms": LOW}, "chunked": {"p99_ms": LOW}})
    new = make_cells({"sse": {"p99_ms": LOW}, "websocket": {"p99_ms": LOW}})
    rows, cautions = compare_cells(base, new, ["p99_ms"])
    assert {row.situation.pattern: row.verdict for row in rows} == {
        "sse": "~",
        "chunked": "only in base",
        "websocket": "only in new",
    }
    assert cautions == [
        "Only in base: chunked (feed, 50 clients, 5 messages a second).",
        "Only in new: websocket (feed, 50 clients, 5 messages a second).",
    ]


def test_repeats_without_a_value_are_left_out_aloud(make_cells: MakeCells) -> None:
    base = make_cells({"sse": {"p99_ms": [*LOW, math.nan]}})
    rows, cautions = compare_cells(base, make_cells({"sse": {"p99_ms": HIGH}}), ["p99_ms"])
    assert rows[0].verdict == "worse"
    assert cautions[0].startswith("feed, 50 clients, 5 messages a second, sse: 1 repeats have no p99_ms")


def test_a_measure_that_no_platform_told_is_not_asked_about(make_cells: MakeCells) -> None:
    cells = make_cells({"sse": {"p99_ms": LOW, "cpu_ms_per_1000": [math.nan] * 6}})
    rows, cautions = compare_cells(cells, cells, ["p99_ms", "cpu_ms_per_1000"])
    assert [row.measure for row in rows] == ["p99_ms"]
    assert cautions == []


def test_unknown_measures_and_runs_without_anything_in_common_are_refused(make_cells: MakeCells) -> None:
    cells = make_cells({"sse": {"p99_ms": LOW}})
    with pytest.raises(ReportError, match=r"no measure 'p98_ms' to compare\. Choose from: p99_ms"):
        compare_cells(cells, cells, ["p98_ms"])
    with pytest.raises(ReportError, match="nothing to compare"):
        compare_cells(cells, make_cells({"sse": {"p99_ms": LOW}}, clients=51), ["p99_ms"])


def test_whole_comparisons_of_like_runs_rarely_prove_a_difference(make_cells: MakeCells) -> None:
    """40 comparisons of six patterns and two measures, 8 repeats each, on a machine whose mood varies by 3 %."""
    rng = np.random.default_rng(11)
    patterns = ["a", "b", "c", "d", "e", "f"]

    def cells() -> pd.DataFrame:
        return make_cells({name: {m: rng.lognormal(3, 0.03, 8) for m in ("p50_ms", "p99_ms")} for name in patterns})

    alarms = sum(any(row.verdict != "~" for row in rows_of(cells(), cells(), "p50_ms", "p99_ms")) for _ in range(40))
    assert alarms <= 0.05 * 40


def test_whole_comparisons_find_one_pattern_that_became_ten_percent_slower(make_cells: MakeCells) -> None:
    """The same with 10 repeats, where the median latency of one of the six rose: found, and nothing else accused."""
    rng = np.random.default_rng(12)
    patterns = ["a", "b", "c", "d", "e", "f"]

    def cells(factor: float = 1.0) -> pd.DataFrame:
        values = {name: {m: rng.lognormal(3, 0.03, 10) for m in ("p50_ms", "p99_ms")} for name in patterns}
        values["c"]["p50_ms"] *= factor
        return make_cells(values)

    found = wrong = 0
    for _ in range(40):
        accused = {
            (row.situation.pattern, row.measure)
            for row in rows_of(cells(), cells(1.1), "p50_ms", "p99_ms")
            if row.verdict == "worse"
        }
        found += ("c", "p50_ms") in accused
        wrong += bool(accused - {("c", "p50_ms")})
    assert found >= 0.8 * 40
    assert wrong <= 0.05 * 40


@pytest.fixture
def comparison(make_cells: MakeCells) -> Comparison:
    base = make_cells({"sse": {"p50_ms": LOW, "p99_ms": LOW}, "chunked": {"p50_ms": LOW, "p99_ms": LOW}})
    new = make_cells({"sse": {"p50_ms": LOW, "p99_ms": HIGH}, "websocket": {"p50_ms": LOW, "p99_ms": LOW}})
    rows, cautions = compare_cells(base, new, ["p50_ms", "p99_ms"])
    return Comparison("run_a", "run_b", tuple(rows), tuple(cautions))


def test_the_rows_read_as_text(comparison: Comparison) -> None:
    worst = dict(zip(HEADER, comparison.table()[0], strict=True))
    assert worst == {
        "": "worse",
        "pattern": "sse",
        "scenario": "feed, 50 clients, 5 messages a second",
        "measure": "p99_ms",
        "base": "10.25 (10.0 to 10.5)",
        "new": "11.25 (11.0 to 11.5)",
        "shift": "+9.8 %",
        "interval": "+6.8 to +12.7 %",
        "delta": "+1.00",
        "p": "0.0043",
    } | {key: worst[key] for key in ("base", "new", "interval")}
    assert comparison.headline == (
        "run_b against run_a: 1 worse (sse p99_ms +9.8 %), no difference proven in 1 other question"
    )


def test_the_frame_has_a_row_for_every_question(comparison: Comparison) -> None:
    frame = comparison.frame().set_index(["pattern", "measure"])
    assert len(frame) == 6
    assert frame["verdict"].value_counts().to_dict() == {"worse": 1, "~": 1, "only in base": 2, "only in new": 2}
    assert frame["low_percent"].loc["sse", "p99_ms"] == pytest.approx(100 * 0.7 / 10.25)
    assert frame["p"].loc[["chunked", "websocket"]].isna().all()


def test_the_comment_for_a_pull_request_folds_away_what_is_not_proven(comparison: Comparison) -> None:
    text = comparison.markdown()
    shown, _, folded = text.partition("<details>")
    assert shown.startswith("### run\\_b against run\\_a: 1 worse (sse p99\\_ms +9.8 %), no difference")
    assert "| worse | sse | feed, 50 clients, 5 messages a second | p99\\_ms |" in shown
    assert "p50\\_ms" not in shown
    assert "| \\~ | sse | feed, 50 clients, 5 messages a second | p50\\_ms |" in folded


def test_junit_fails_what_got_worse_and_skips_what_only_one_run_has(comparison: Comparison) -> None:
    root = ET.fromstring(comparison.junit())
    (failure,) = root.iter("failure")
    assert failure.attrib["message"] == "p99_ms is worse by 9.8 %"
    assert len(list(root.iter("skipped"))) == 4
    assert len(list(root.iter("testcase"))) == 6


def test_a_regression_and_an_invalid_run_have_exit_codes_of_their_own(comparison: Comparison) -> None:
    assert comparison.exit_code is ExitCode.REGRESSION
    assert replace(comparison, rows=comparison.rows[1:]).exit_code is ExitCode.OK
    invalid = replace(comparison, invalid=("New: nothing was measured",))
    assert invalid.exit_code is ExitCode.INVALID
    assert len(list(ET.fromstring(invalid.junit()).iter("error"))) == 6
    assert "- New: nothing was measured\n" in invalid.markdown()


FEED = Scenario(name="feed", purpose="a test", clients=(4,), schedule="poisson:5", window_s=3.0)


MakeRun = Callable[..., Path]
EditRun = Callable[..., Path]


@pytest.fixture(scope="module")
def make_run(edit_run: EditRun) -> MakeRun:
    """Return make(folder, **world): six repeats of SSE that pass for measured ones; made-up runs are invalid."""

    def make(folder: Path, **world: Any) -> Path:
        return edit_run(
            write_run(folder, [FEED], repeats=6, labels={"sse": "SSE"}, world=World(**world)), kind="compare"
        )

    return make


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, make_run: MakeRun) -> Path:
    return make_run(tmp_path_factory.mktemp("base") / "base")


def test_two_run_folders_are_compared(base: Path, tmp_path: Path, make_run: MakeRun) -> None:
    slower = compare_runs(base, make_run(tmp_path / "slower", seed=2, one_way_ns=300_000), ["p50_ms"])
    assert [row.verdict for row in slower.rows] == ["worse"]
    assert slower.exit_code is ExitCode.REGRESSION
    alike = compare_runs(base, make_run(tmp_path / "alike", seed=3), ["p50_ms"])
    assert alike.exit_code is ExitCode.OK


def test_a_made_up_run_proves_nothing(base: Path, tmp_path: Path, make_run: MakeRun, edit_run: EditRun) -> None:
    made_up = edit_run(make_run(tmp_path / "made-up", seed=2), kind="synthetic")
    comparison = compare_runs(base, made_up, ["p50_ms"])
    assert comparison.exit_code is ExitCode.INVALID
    assert comparison.invalid[0].startswith("New: Nothing here was measured")


def test_runs_of_different_questions_are_refused_by_name(
    base: Path, tmp_path: Path, make_run: MakeRun, edit_run: EditRun
) -> None:
    other = make_run(tmp_path / "other")
    scenario = {**msgspec.json.decode((other / "run.json").read_bytes())["scenarios"][0], "schedule": "steady:5"}
    with pytest.raises(ReportError, match="scenario feed: schedule poisson:5 in base, steady:5 in new") as caught:
        compare_runs(base, edit_run(other, scenarios=[{**scenario, "message_bytes": 40}]))
    assert "message_bytes 200 in base, 40 in new" in str(caught.value)
    assert (
        refusals(
            manifest_of(base),
            msgspec.structs.replace(
                manifest_of(other), scenarios=[{**scenario, "schedule": "poisson:1,poisson:5,poisson:20"}]
            ),
        )
        == []
    )
    assert "\n" not in str(caught.value)


def manifest_of(folder: Path) -> manifest.Run:
    return msgspec.json.decode((folder / "run.json").read_bytes(), type=manifest.Run)


def test_client_counts_patterns_repeats_and_commits_may_differ(base: Path) -> None:
    run = manifest_of(base)
    scenario = {
        **run.scenarios[0],
        "clients": [10, 50],
        "rtt_ms": [0, 40],
        "schedule": "poisson:5,poisson:9",
        "purpose": "something else",
    }
    other = msgspec.structs.replace(run, scenarios=[scenario], patterns={}, repeats=99, commit="f00", command="other")
    assert refusals(run, other) == []
    assert differences(run, other) == []


def test_what_was_known_of_the_machine_when_a_run_began_may_differ(base: Path) -> None:
    run = manifest_of(base)
    known = manifest.Calibration(measured_at="then", machine=run.machine, versions={}, clients=1, patterns={})
    advice = manifest.Advice(title="T", verdict="Do.", command="pollbench experiment x", measured_at="then")
    assert refusals(run, msgspec.structs.replace(run, calibration=known, advice={"x": advice})) == []


def test_a_condition_that_run_json_learns_later_is_compared_too(base: Path) -> None:
    later = msgspec.defstruct("Later", [("loss_ratio", float)], bases=(manifest.Run,), frozen=True, kw_only=True)
    fields = msgspec.structs.asdict(manifest_of(base))
    near, far = (cast("manifest.Run", later(**fields, loss_ratio=ratio)) for ratio in (0.0, 0.5))
    assert refusals(near, far) == ["loss_ratio 0.0 in base, 0.5 in new"]


def test_another_machine_or_other_libraries_are_a_caution(base: Path) -> None:
    run = manifest_of(base)
    machine = msgspec.structs.replace(run.machine, cores=64, memory_bytes=1, clock_id="another boot")
    other = msgspec.structs.replace(run, machine=machine, versions={**run.versions, "aiohttp": "4", "pollbench": "9"})
    about_machine, about_libraries = differences(run, other)
    assert "(cores 2 in base, 64 in new)" in about_machine
    assert run.command in about_machine
    assert "(aiohttp absent in base, 4 in new)" in about_libraries
