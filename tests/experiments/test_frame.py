"""The frame of all experiments, on one that is made up: turns, saving and resuming, effects, pages and exit codes."""

import json
from collections.abc import Sequence
from math import isnan
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from loadtests import experiments as measuring
from loadtests.experiments.arm_runner import ArmsOutcome, Job, enter, missing_program, observe
from loadtests.experiments.observations import OBSERVATIONS, read_observations
from loadtests.runs.run_folder import RunRefused
from reports import experiments
from reports.basics.exit_codes import ExitCode
from reports.experiments.experiment_page import judge, write_index
from reports.experiments.result import Result, Results
from reports.schemas import schema
from tests.experiments.made_up import Figures, MadeUp, halves


class Watching:
    def __init__(self) -> None:
        self.started: list[str] = []
        self.problems: list[str] = []

    def starts(self, name: str) -> None:
        self.started.append(name)

    def ended(self, problem: str = "") -> None:
        self.problems.append(problem)


def begin(folder: Path, made: MadeUp, repeats: int | None = None, *, quick: bool = False) -> Job:
    return enter("made-up", made, folder, quick=quick, repeats=repeats)


def judged(folder: Path, figures: Figures = halves, repeats: int | None = None) -> Result:
    job = begin(folder, MadeUp(figures), repeats)
    assert observe([job], Watching()) == ArmsOutcome()
    return judge("made-up", job.folder, MadeUp())


def test_arms_take_turns_and_every_observation_is_saved_with_all_it_said(tmp_path: Path) -> None:
    made, watching = MadeUp(), Watching()
    job = begin(tmp_path, made, 3)
    assert observe([job], watching) == ArmsOutcome()
    assert [arm for arm, _ in made.measured] == ["off", "on"] * 3
    assert watching.started == [f"made-up {arm}-{repeat}" for repeat in (1, 2, 3) for arm in ("off", "on")]
    last = read_observations(tmp_path, ("off", "on"))[-1]
    assert (last.arm, last.repeat, last.figures) == ("on", 3, {"cost_ms": 15.0, "missed": 0.0, "untold": None})
    assert last.points == [{"at_s": 3.0, "who": "one", "gap": None}]
    assert isnan(last.known()["untold"])
    assert (tmp_path / "observations/on-3/log").exists()


@pytest.mark.parametrize(("quick", "repeats"), [(False, 5), (True, 2)])
def test_quick_means_fewer_repeats_and_reaches_the_measurement(tmp_path: Path, *, quick: bool, repeats: int) -> None:
    made = MadeUp()
    observe([begin(tmp_path, made, quick=quick)], Watching())
    assert made.measured == [("off", quick), ("on", quick)] * repeats


def test_what_was_cut_short_goes_on_where_it_was_and_can_be_given_more_repeats(tmp_path: Path) -> None:
    observe([begin(tmp_path, MadeUp(), 2)], Watching())
    saved = tmp_path / OBSERVATIONS
    whole = saved.read_bytes()
    saved.write_bytes(whole[:-20])
    made = MadeUp()
    job = enter("made-up", made, tmp_path, quick=False, repeats=3, resume=tmp_path)
    assert job.lacking() == [("on", 2), ("off", 3), ("on", 3)]
    observe([job], Watching())
    assert [(each.arm, each.repeat) for each in read_observations(tmp_path, ("off", "on"))] == [
        (arm, repeat) for repeat in (1, 2, 3) for arm in ("off", "on")
    ]
    assert saved.read_bytes().startswith(whole[: whole.rindex(b'{"arm"')])


def test_a_run_of_an_arm_that_raises_is_told_and_the_others_are_kept(tmp_path: Path) -> None:
    def fails_once(arm: str, run: int) -> dict[str, float]:
        if (arm, run) == ("on", 1):
            raise OSError("no\nport")
        return halves(arm, run)

    job, watching = begin(tmp_path, MadeUp(fails_once), 2), Watching()
    outcome = observe([job], watching)
    assert outcome.failed == ["made-up on-1: no port"]
    assert watching.problems == ["", "no port", "", ""]
    assert "Traceback" in (tmp_path / "observations/on-1/problem.txt").read_text()
    assert job.lacking() == [("on", 1)]
    assert judge("made-up", job.folder, MadeUp()).effects["cost_ms", "on"].repeats == 1


def test_an_interrupt_ends_it_with_everything_kept_and_no_next_experiment(tmp_path: Path) -> None:
    def interrupted(arm: str, run: int) -> dict[str, float]:
        if (arm, run) == ("off", 2):
            raise KeyboardInterrupt
        return halves(arm, run)

    after = MadeUp()
    jobs = [begin(tmp_path / "first", MadeUp(interrupted)), begin(tmp_path / "second", after)]
    outcome = observe(jobs, Watching())
    assert outcome.interrupted
    assert not after.measured
    assert jobs[0].comparable
    assert not jobs[1].comparable


def test_a_folder_in_use_and_one_of_another_experiment_are_refused(tmp_path: Path) -> None:
    begin(tmp_path / "one", MadeUp())
    with pytest.raises(RunRefused, match="is not empty"):
        begin(tmp_path / "one", MadeUp())
    with pytest.raises(RunRefused, match="its experiment was made-up, here it is other"):
        enter("other", MadeUp(), tmp_path / "one", quick=False, repeats=None, resume=tmp_path / "one")
    with pytest.raises(RunRefused, match="none: no such folder"):
        enter("made-up", MadeUp(), tmp_path / "none", quick=False, repeats=None, resume=tmp_path / "none")
    with pytest.raises(RunRefused, match=r"experiment\.json: No such file"):
        enter("made-up", MadeUp(), tmp_path, quick=False, repeats=None, resume=tmp_path)


def test_the_page_says_what_was_said_and_measured_and_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    result = judged(tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Made up &amp; &lt;quoted&gt;" in page
    assert result.verdict in page
    for told in ("Switch it on.", "Half is less than whole.", "Nowhere.", "only made up", "as expected", "without it"):
        assert told in page
    assert "pollbench experiment made-up --repeats 5" in page
    assert "<script" not in page
    assert "://" not in page.replace("http://www.w3.org", "")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
    kept = json.loads((tmp_path / "results.json").read_text())
    assert list(Draft202012Validator(schema("results")).iter_errors(kept)) == []
    assert [(each["effect"]["figure"], each["state"]) for each in kept["effects"]] == [
        ("cost_ms", "as expected"),
        ("missed", "same"),
        ("untold", "~"),
    ]
    assert kept["effects"][2]["change"] is None
    assert kept["machine"]["cores"] > 0


@pytest.mark.parametrize(
    ("invalid", "mark", "verdict"),
    [
        ((), "SUSPECT: some figures may be wrong, see the report", "It costs "),
        (
            ("the clock went back",),
            "INVALID: do not decide anything from this chart",
            "No answer: nothing may be decided",
        ),
    ],
)
def test_an_experiments_chart_carries_what_it_is_worth_and_a_bad_one_has_no_answer(
    invalid: Sequence[str], mark: str, verdict: str, tmp_path: Path
) -> None:
    job = begin(tmp_path, MadeUp(invalid=invalid), 3)
    observe([job], Watching())
    result = judge("made-up", job.folder, MadeUp())
    assert result.verdict.startswith(verdict)
    assert result.verdict in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert mark in (tmp_path / "chart.svg").read_text(encoding="utf-8")


def test_the_index_links_every_experiment(tmp_path: Path) -> None:
    results = [judged(tmp_path / "made-up")]
    page = write_index(results, tmp_path).read_text(encoding="utf-8")
    assert 'href="made-up/index.html"' in page
    assert results[0].verdict in page


@pytest.mark.parametrize(
    ("figures", "code", "word"),
    [
        (halves, ExitCode.OK, "as expected"),
        (lambda arm, run: halves("off" if arm == "on" else "on", run), ExitCode.DISAGREES, "opposite"),
        (lambda arm, run: halves("on" if (arm == "on") == (run != 3) else "off", run), ExitCode.OK, "~"),
        (lambda arm, run: halves(arm, run) | {"missed": float(arm == "on")}, ExitCode.DISAGREES, "differs"),
    ],
    ids=["as expected", "the opposite", "one repeat says otherwise", "a loss where none was expected"],
)
def test_only_what_is_proven_to_be_otherwise_ends_with_an_exit_code(
    tmp_path: Path, figures: Figures, code: ExitCode, word: str
) -> None:
    result = judged(tmp_path, figures)
    together = Results((result,))
    assert together.exit_code is code
    assert word in [row[0] for row in together.table()]
    assert (b"<failure" in together.junit()) == (code is ExitCode.DISAGREES)
    assert "Made up" in together.markdown()


def test_advice_for_the_report_of_runs_comes_from_enough_repeats_only(tmp_path: Path) -> None:
    results = Results((judged(tmp_path / "enough"), judged(tmp_path / "few", repeats=4)))
    advice = results.results[0].advice
    assert results.results[1].advice is None
    assert advice is not None
    assert (advice.verdict, advice.command) == (
        results.results[0].verdict,
        "pollbench experiment made-up --repeats 5",
    )


def test_two_repeats_prove_nothing_and_say_so(tmp_path: Path) -> None:
    result = judged(tmp_path, repeats=2)
    assert result.effects["cost_ms", "on"].state == "~"
    assert any("2 repeats cannot prove" in note for note in result.notes)


@pytest.mark.parametrize("name", experiments.names())
def test_an_experiment_says_what_it_tests_and_compares_arms_that_it_has(name: str) -> None:
    experiment = experiments.load(name)
    for text in (experiment.TITLE, experiment.ADVICE, experiment.MECHANISM, experiment.LIMITS):
        assert text
    assert len(experiment.ARMS) >= 2
    assert experiment.EFFECTS
    keys = [(effect.figure, effect.arm) for effect in experiment.EFFECTS]
    assert len(set(keys)) == len(keys)
    assert {arm for effect in experiment.EFFECTS for arm in (effect.base, effect.arm)} <= set(experiment.ARMS)
    assert list(experiment.ARMS) == list(measuring.load(name).ARMS), "what is measured is not what is judged"


def test_every_experiment_is_measured_and_judged() -> None:
    assert experiments.names() == measuring.names()


def test_a_program_that_is_missing_is_named_with_how_to_get_it() -> None:
    made = MadeUp()
    assert missing_program(made) == ""
    made.PROGRAMS = {"python3": "python3", "no-such-program": "some-package"}  # type: ignore[attr-defined]
    said = missing_program(made)
    assert said.startswith("no-such-program is not installed")
    assert "scripts/install-test-tools" in said
    assert "apt-get install some-package" in said
    assert "\n" not in said
