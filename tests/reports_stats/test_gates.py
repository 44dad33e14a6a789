"""SLO files: what they may say, how they are judged, and how every mistake in one is named."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from loadtests.scenario.scenarios import SCENARIOS, Scenario
from reports.basics.exit_codes import ExitCode, Judgement
from reports.ci.comparison import Comparison
from reports.ci.gates import Gate, GoalResult, check_slo, judge
from reports.ci.questions import compare_cells
from reports.ci.slo import Goal, parse_slo
from reports.data.load import ReportError
from reports.data.situations import Situation
from tests.synthetic import write_run

MakeCells = Callable[..., pd.DataFrame]

FEED = Situation("feed", 50, 0.0, 5.0, "long_polling")
QUIET = Situation("quiet", 10, 0.0, 0.4, "sse")


def judged(line: str, cells: pd.DataFrame, *situations: Situation) -> list[GoalResult]:
    return judge(parse_slo(f"slo = ['{line}']", "slo.toml"), cells, situations or (FEED,))


def one(line: str, make_cells: MakeCells, **measures: Sequence[float]) -> GoalResult:
    (result,) = judged(line, make_cells({"long_polling": measures}))
    return result


@pytest.mark.parametrize(
    "text",
    [
        'slo = ["long_polling.latency_p99_ms < 250"]',
        '[slo]\n"long_polling.latency_p99_ms" = "< 250"',
        '[slo]\nlong_polling.latency_p99_ms = "<250"',
        '[slo.long_polling]\nlatency_p99_ms = "<  250.0"',
        '[[slo]]\n"long_polling . latency_p99_ms" = " < 2.5e2 "',
    ],
)
def test_a_goal_can_be_written_in_each_way_that_reads_well(text: str) -> None:
    (goal,) = parse_slo(text, "slo.toml")
    assert (goal.pattern, goal.measure, goal.comparison, goal.limit) == ("long_polling", "latency_p99_ms", "<", 250)
    assert (goal.scenario, goal.at) == (None, {})


def test_blocks_name_a_scenario_and_a_client_count_for_their_goals() -> None:
    first, second, third = parse_slo(
        '[[slo]]\nmissed = "== 0"\n[[slo]]\nscenario = "feed"\nclients = 50\np99_ms = "< 9"\n"*.p50_ms" = "< 5"',
        "slo.toml",
    )
    assert (first.scenario, first.at, first.where) == (None, {}, "slo.toml:2")
    assert (second.scenario, second.at, second.where) == ("feed", {"clients": 50}, "slo.toml:6")
    assert str(third) == "*.p50_ms < 5"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("p99_ms < 250", r"slo\.toml: not TOML: .*line 1.*Write goals as"),
        ("", r"slo\.toml: no goal\. Write goals as: slo = "),
        ("slo = []", r"slo\.toml: no goal"),
        ('goals = ["missed == 0"]', r"slo\.toml: `goals` is unknown here"),
        ("slo = 3", r"slo\.toml: slo holds 3\. A goal is text"),
        ('slo = ["missed == 0",\n"p99_ms = 250"]', r"slo\.toml:2: `p99_ms = 250`: = is none of <, <=, >, >=, =="),
        ('slo = ["p99_ms"]', r"slo\.toml:1: `p99_ms` is no goal\. Write: long_polling"),
        ('slo = ["p99_ms < 250ms"]', r"slo\.toml:1: `p99_ms < 250ms`: '250ms' is no number"),
        ('slo = ["p99_ms < nan"]', r"slo\.toml:1: .*'nan' is no number"),
        ("[slo]\n\np99_ms = 250", r'slo\.toml:3: `p99_ms = 250` has no comparison\. Write p99_ms = "< 250"'),
        ('[[slo]]\nscenario = "feed"', r"slo\.toml: an \[\[slo\]\] block has no goal"),
        ('[[slo]]\nscenario = 5\nmissed = "== 0"', r"slo\.toml:2: scenario 5 is no name"),
        ('[[slo]]\nclients = "50"\nmissed = "== 0"', r"slo\.toml:2: clients '50' is no number"),
        ('slo = ["p99_ms < inf"]', r"'inf' is no number"),
        ('slo = ["p99_ms > -inf"]', r"'-inf' is no number"),
        ('slo = ["p99_ms < 1e999"]', r"'1e999' is no number"),
        ("slo = inf", r"slo holds inf"),
        ("slo = [inf]", r"slo holds inf"),
        ("[slo]\np99_ms = inf", r"`p99_ms = inf` has no comparison"),
        ('[[slo]]\nclients = inf\nmissed = "== 0"', r"slo\.toml:2: clients inf is no number"),
        ('[[slo]]\nrtt_ms = -inf\nmissed = "== 0"', r"rtt_ms -inf is no number"),
        ('[[slo]]\nrate_per_s = nan\nmissed = "== 0"', r"rate_per_s nan is no number"),
        (f'[[slo]]\nclients = 1{"0" * 400}\nmissed = "== 0"', r"clients 10+… is no number"),
        (f"slo = {'[' * 5000}{']' * 5000}", r"slo\.toml: nested too deeply"),
        (f'[slo]\n{"a." * 1500}b = "< 1"', r"slo\.toml: nested too deeply"),
        (f'slo = ["{"a" * 100_000}"]', r"slo\.toml:1: `a+…` is no goal"),
        (f'slo = ["p99_ms {"<" * 100_000} 1"]', r"<… is none of"),
        (f'slo = ["p99_ms < {"9" * 100_000}"]', r"9… is none of|'9+… is no number"),
        (f"{'x' * 100_000} = 1", r"`x+…` is unknown here"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place_and_its_remedy(text: str, says: str) -> None:
    with pytest.raises(ReportError, match=says) as caught:
        parse_slo(text, "slo.toml")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            'slo = ["long_poling.p99_ms < 1"]',
            r"has no pattern long_poling\. Did you mean long_polling\? It has long_poll",
        ),
        (
            'slo = ["p98_ms < 1"]',
            r"slo\.toml:1: `\*\.p98_ms < 1`: this run has no measure p98_ms\. Did you mean p99_ms\?",
        ),
        ('slo = ["label < 1"]', r"no measure label"),
        ('[[slo]]\nscenario = "fed"\np99_ms = "< 1"', r"no scenario fed\. Did you mean feed\? It has feed, quiet\."),
        ('[[slo]]\nclients = 51\np99_ms = "< 1"', r"no client count 51\. .*It has 10, 50\."),
        ('[[slo]]\nrate_per_s = 6\np99_ms = "< 1"', r"no message rate 6\. .*It has 0\.4, 5\."),
        ('[[slo]]\nclients = 10\nscenario = "feed"\np99_ms = "< 1"', r"no cell of this run is of that"),
    ],
)
def test_a_goal_that_could_never_fail_is_refused(text: str, says: str, make_cells: MakeCells) -> None:
    cells = make_cells({"long_polling": {"p99_ms": [1.0]}})
    with pytest.raises(ReportError, match=says):
        judge(parse_slo(text, "slo.toml"), cells, [FEED, QUIET])


def test_the_median_decides_and_disagreeing_repeats_leave_it_unproven(make_cells: MakeCells) -> None:
    met = one("latency_p99_ms < 250", make_cells, p99_ms=[100, 110, 300])
    assert (met.state, met.repeats_met, met.repeats) == ("met, unproven", 2, 3)
    missed = one("p99_ms < 250", make_cells, p99_ms=[100, 310, 300])
    assert (missed.state, missed.met) == ("missed, unproven", False)


def test_repeats_that_agree_prove_it_but_one_alone_does_not(make_cells: MakeCells) -> None:
    assert one("p99_ms < 250", make_cells, p99_ms=[100, 110, 120]).state == "met"
    assert one("p99_ms < 250", make_cells, p99_ms=[300, 310, 320]).state == "missed"
    assert one("p99_ms < 250", make_cells, p99_ms=[100]).state == "met, unproven"


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("p99_ms <= 5", "met"),
        ("p99_ms < 5", "missed"),
        ("p99_ms >= 5", "met"),
        ("p99_ms > 5", "missed"),
        ("p99_ms == 5", "met"),
    ],
)
def test_limits_are_exact(line: str, state: str, make_cells: MakeCells) -> None:
    assert one(line, make_cells, p99_ms=[5.0, 5.0, 5.0]).state == state


@pytest.mark.parametrize("line", ["missed == 0", "missed < 1", "missed <= 0"])
def test_one_loss_in_one_repeat_misses_the_goal_of_none(line: str, make_cells: MakeCells) -> None:
    result = one(line, make_cells, missed=[0, 0, 1, 0, 0])
    assert (result.state, result.repeats_met) == ("missed", 4)
    assert one(line, make_cells, missed=[0, 0, 0]).state == "met"


@pytest.mark.parametrize("line", ["p99_ms < 250", "p99_ms > 1"])
def test_a_repeat_that_delivered_nothing_meets_no_goal(line: str, make_cells: MakeCells) -> None:
    nan = float("nan")
    assert one(line, make_cells, p99_ms=[100, nan, 120]).state == "met, unproven"
    assert one(line, make_cells, p99_ms=[nan, nan, 100]).state == "missed, unproven"
    assert one(line, make_cells, p99_ms=[nan, nan]).state == "not measured"


NAN = float("nan")


def test_a_goal_for_all_applies_where_its_measure_exists_and_says_where_it_does_not(make_cells: MakeCells) -> None:
    stream = FEED._replace(pattern="sse")
    cells = make_cells(
        {
            "long_polling": {"empty_ratio": [0.1, 0.2], "delivered": [9, 9]},
            "sse": {"empty_ratio": [NAN, NAN], "delivered": [9, 9]},
        }
    )
    results = judged("*.empty_ratio <= 0.5", cells, FEED, stream)
    assert [result.state for result in results] == ["met", "does not apply"]
    assert gate(results).exit_code is ExitCode.OK
    assert gate(results).headline == "2026-run_1 meets its goals"
    assert "| does not apply | sse |" in gate(results).markdown()
    cases = ET.fromstring(gate(results).junit()).iter("testcase")
    assert [case.attrib["name"] for case in cases if case.find("skipped") is not None] == ["sse.empty_ratio <= 0.5"]
    missed = judged("*.empty_ratio <= 0.05", cells, FEED, stream)
    assert gate(missed).exit_code is ExitCode.SLO_MISSED
    assert gate(missed).headline == "2026-run_1 misses 1 of 2 goals"


@pytest.mark.parametrize(
    ("line", "polls", "streams"),
    [
        ("sse.empty_ratio <= 0.5", {"empty_ratio": 0.1, "delivered": 9}, {"empty_ratio": NAN, "delivered": 9}),
        ("*.empty_ratio <= 0.5", {"empty_ratio": NAN, "delivered": 9}, {"empty_ratio": NAN, "delivered": 9}),
        ("*.empty_ratio <= 0.5", {"empty_ratio": 0.1, "delivered": 9}, {"empty_ratio": NAN, "delivered": 0}),
        ("*.p99_ms <= 0.5", {"p99_ms": 0.1, "delivered": 9}, {"p99_ms": NAN, "delivered": 9}),
        ("*.cpu_ms_per_1000 < 9", {"cpu_ms_per_1000": 1, "delivered": 9}, {"cpu_ms_per_1000": NAN, "delivered": 9}),
    ],
)
def test_what_could_have_been_measured_and_was_not_is_no_matter_of_applying(
    line: str, polls: dict[str, float], streams: dict[str, float], make_cells: MakeCells
) -> None:
    """A goal for one pattern, one that applies nowhere, a pattern that got nothing, a figure that all patterns have."""
    values = {"long_polling": polls, "sse": streams}
    cells = make_cells({name: {measure: [value] for measure, value in each.items()} for name, each in values.items()})
    results = judged(line, cells, FEED, FEED._replace(pattern="sse"))
    assert "not measured" in {result.state for result in results}
    assert gate(results).exit_code is ExitCode.INVALID


def test_under_an_invalid_run_there_is_neither_figure_nor_answer(make_cells: MakeCells) -> None:
    met = one("p99_ms < 250", make_cells, p99_ms=[100, 110, 120])
    found = gate([met], "the load generator was saturated")
    assert found.table() == [("not judged", "long_polling", FEED.scene, "p99_ms < 250", "", "")]
    assert all(figure not in found.markdown() + found.junit().decode() for figure in ("110", "3 of 3", "| met"))


@pytest.mark.parametrize("text", ["\ufeff{}", "{}", "{}\r\n"])
def test_goals_are_read_as_editors_write_them(text: str, tmp_path: Path, edit_run: Callable[..., Path]) -> None:
    scenario = Scenario(name="feed", purpose="", clients=(2,), schedule="steady:20", window_s=1)
    run = edit_run(write_run(tmp_path / "run", [scenario], repeats=1, labels={"sse": "SSE"}), kind="compare")
    (tmp_path / "slo.toml").write_bytes(text.format('slo = ["missed == 0"]').encode())
    assert [result.state for result in check_slo(run, tmp_path / "slo.toml").results] == ["met"]


def test_a_pipe_in_place_of_goals_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "slo.toml")
    with pytest.raises(ReportError, match="no regular file"):
        check_slo(tmp_path, tmp_path / "slo.toml")


def test_a_pattern_whose_cells_all_failed_makes_the_gate_invalid(make_cells: MakeCells) -> None:
    results = judged("missed == 0", make_cells({"long_polling": {"missed": [0]}}), FEED, QUIET)
    assert [result.state for result in results] == ["met", "not measured"]
    assert Gate("run", "slo.toml", tuple(results), ()).exit_code is ExitCode.INVALID


def test_two_cells_that_claim_the_same_repeat_are_not_pooled(make_cells: MakeCells) -> None:
    cells = make_cells({"long_polling": {"missed": [0]}})
    with pytest.raises(ValueError, match="two cells with the same repeat"):
        judged("missed == 0", pd.concat([cells, cells]))


def gate(results: Sequence[GoalResult], *invalid: str) -> Gate:
    return Gate("2026-run_1", "slo.toml", tuple(results), invalid)


def test_the_exit_code_says_met_missed_or_invalid(make_cells: MakeCells) -> None:
    met = one("p99_ms < 250", make_cells, p99_ms=[100, 110, 120])
    missed = one("p99_ms < 50", make_cells, p99_ms=[100, 110, 120])
    assert gate([met]).exit_code is ExitCode.OK
    assert gate([met, missed]).exit_code is ExitCode.SLO_MISSED
    assert gate([met], "the load generator was saturated").exit_code is ExitCode.INVALID


def test_the_summary_for_a_pull_request_starts_with_what_was_missed(make_cells: MakeCells) -> None:
    met = one("p99_ms < 250", make_cells, p99_ms=[100, 110, 120])
    missed = one("p99_ms < 50", make_cells, p99_ms=[100, 110, 120])
    assert gate([met, missed]).markdown() == (
        "### 2026-run\\_1 misses 1 of 2 goals\n\n"
        "|  | pattern | scenario | goal | measured | repeats that met it |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        f"| missed | long\\_polling | {FEED.scene} | p99\\_ms \\< 50 | 110 (100 to 120) | 0 of 3 |\n"
        f"| met | long\\_polling | {FEED.scene} | p99\\_ms \\< 250 | 110 (100 to 120) | 3 of 3 |\n\n"
    )
    assert "it is invalid\n\n- lag \\| 9 ms\n" in gate([met], "lag | 9 ms").markdown()


def test_junit_has_a_case_for_every_goal_and_situation(make_cells: MakeCells) -> None:
    met = one("p99_ms < 250", make_cells, p99_ms=[100, 110, 120])
    missed = one("p99_ms < 50", make_cells, p99_ms=[100, 110, 120])
    root = ET.fromstring(gate([met, missed]).junit())
    assert [case.attrib["name"] for case in root.iter("testcase")] == [
        "verdict",
        "long_polling.p99_ms < 250",
        "long_polling.p99_ms < 50",
    ]
    (failure,) = root.iter("failure")
    assert failure.attrib["message"] == "missed: measured 110 (100 to 120)"
    assert failure.text is not None
    assert "slo.toml:1" in failure.text
    assert len(list(ET.fromstring(gate([met], "saturated").junit()).iter("error"))) == 2


def test_a_goal_met_by_a_suspect_run_is_met_and_says_so_everywhere(make_cells: MakeCells) -> None:
    met = one("p99_ms < 250", make_cells, p99_ms=[100, 110, 120])
    doubtful = Gate("run", "slo.toml", (met,), doubts=("The generator was late.", "The publisher was late."))
    assert doubtful.exit_code is ExitCode.OK
    assert doubtful.headline == "run meets its goals, but is SUSPECT: 2 cautions"
    assert doubtful.markdown().endswith("3 of 3 |\n\n- The generator was late.\n- The publisher was late.\n\n")
    verdict = ET.fromstring(doubtful.junit()).find("testsuite[@name='pollbench.run']/testcase")
    assert verdict is not None
    assert (verdict.attrib["name"], verdict.findtext("system-out")) == ("verdict", "\n".join(doubtful.doubts))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, edit_run: Callable[..., Path]) -> Path:
    scenario = Scenario(name="feed", purpose="a test", clients=(4,), schedule="poisson:5", window_s=3.0)
    labels = {"short_polling": "Short polling", "sse": "SSE"}
    folder = write_run(tmp_path_factory.mktemp("runs") / "run", [scenario], labels=labels)
    return edit_run(folder, kind="compare")


def test_a_run_folder_is_held_against_a_file(run: Path, tmp_path: Path) -> None:
    slo = tmp_path / "slo.toml"
    slo.write_text('slo = ["*.missed == 0", "sse.latency_p99_ms < 20", "s*.latency_p99_ms < 20", "error_timeout == 0"]')
    gate = check_slo(run, slo)
    assert [(result.situation.pattern, result.state) for result in gate.results] == [
        ("short_polling", "missed"),
        ("short_polling", "met"),
        ("sse", "met"),
        ("sse", "met"),
        ("sse", "met"),
        ("short_polling", "met"),
        ("sse", "met"),
    ], "what is missed comes first"
    assert gate.exit_code is ExitCode.SLO_MISSED


def test_a_made_up_run_passes_no_gate(run: Path, tmp_path: Path, edit_run: Callable[..., Path]) -> None:
    made_up = edit_run(Path(shutil.copytree(run, tmp_path / "run")), kind="synthetic")
    (tmp_path / "slo.toml").write_text('slo = ["missed == 0"]')
    gate = check_slo(made_up, tmp_path / "slo.toml")
    assert gate.exit_code is ExitCode.INVALID
    assert "Nothing here was measured" in gate.markdown()


def test_an_slo_file_that_cannot_be_read_is_one_line(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"absent\.toml: cannot be read"):
        check_slo(run, tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b'slo = "\xe9"')
    with pytest.raises(ReportError, match=r"latin\.toml: cannot be read"):
        check_slo(run, tmp_path / "latin.toml")


def test_a_goal_says_which_situations_it_covers() -> None:
    goal = Goal("*poll*", "p99_ms", "<", 1, "slo.toml:1", scenario="feed")
    assert goal.covers(FEED)
    assert not goal.covers(QUIET)
    assert not goal.covers(FEED._replace(scenario="quiet"))
    often = Goal("*", "p99_ms", "<", 1, "slo.toml:1", at={"rate_per_s": 6.66667})
    assert often.covers(FEED._replace(rate_per_s=20 / 3))
    assert not often.covers(FEED)


def test_situations_that_differ_in_distance_or_rate_only_are_different_test_suites() -> None:
    assert [each.suite for each in (FEED, FEED._replace(rtt_ms=40.0), QUIET)] == [
        "pollbench.feed.50.5per_s",
        "pollbench.feed.50.40ms.5per_s",
        "pollbench.quiet.10.0.4per_s",
    ]


def test_a_gate_and_a_comparison_are_shown_in_the_same_way(make_cells: MakeCells) -> None:
    cells = make_cells({"long_polling": {"p99_ms": [100, 110, 120]}})
    rows, _ = compare_cells(cells, cells, ["p99_ms"])
    met = one("p99_ms < 250", make_cells, p99_ms=[100, 110, 120])
    judgements: list[Judgement] = [
        Gate("run", "slo.toml", (met,), doubts=("late",)),
        Comparison("base", "new", tuple(rows), ("late",)),
    ]
    for judgement in judgements:
        assert [len(row) for row in judgement.table()] == [len(judgement.header)]
        assert judgement.notes == ("late",)
        assert "late" in judgement.markdown()
        assert judgement.headline in judgement.markdown()
        assert "p99_ms" in judgement.junit().decode()


def test_the_exit_codes_are_the_documented_ones() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "USAGE": 2,
        "SLO_MISSED": 5,
        "REGRESSION": 6,
        "INVALID": 7,
        "DISAGREES": 8,
    }


@pytest.mark.parametrize("name", [name for name, each in SCENARIOS.items() if each.goals])
def test_a_run_of_what_people_build_is_held_against_the_goals_of_its_scenario(name: str, tmp_path: Path) -> None:
    """A world without faults meets them by a stream, and the poll interval leaves room for them by short polling."""
    scenario = replace(SCENARIOS[name], clients=(3,))
    labels = {"sse": "SSE", "short_polling": "Short polling"}
    run = write_run(tmp_path / "run", [scenario], repeats=1, labels=labels)
    results = check_slo(run, None).results
    assert [result.state for result in results] == ["met, unproven", "met, unproven", "met", "met"]
    assert {result.goal.scenario for result in results} == {name}


def test_a_scenario_without_goals_says_that_it_has_none(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [SCENARIOS["feed"]], repeats=1, labels={"sse": "SSE"})
    with pytest.raises(ReportError, match=r"feed has no goals of its own, and there is no slo\.toml: .* --slo"):
        check_slo(run, None)
