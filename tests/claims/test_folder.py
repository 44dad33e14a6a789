"""A folder of claims: the guide's is whole and short enough, what is shared is measured once, bad files are named."""

import re
from math import exp
from pathlib import Path

import pytest

from reports.claims.claim import OfExperiment, OfRun
from reports.claims.folder import GUIDE, Folder, read, steps_of
from reports.claims.grounds import of_laws, of_repeats
from reports.claims.source import counted, lines, own, states
from reports.model.law import Estimate
from servers import patterns
from servers.home import HOME

CLAIM = """
sentence = "SSE is fast."
topic = "when"
guide = "fast"
means = "Half of the messages within 10 ms."
conditions = "None."

[[tests]]
from = "run"
says = "p50"
run = "near"
pattern = "sse"
figure = "p50_ms"
high = 10
why = "as said"
"""
RUNS = """
[runs.near]
settings = { clients = "10", schedule = "poisson:4", window_s = "6" }
"""
MINUTES = 11.5
"""For runs, of 15 in all: experiments and reports take the rest."""


@pytest.fixture(scope="module")
def guide() -> Folder:
    return read(GUIDE)


def folder(path: Path, claim: str = CLAIM, runs: str = RUNS) -> Path:
    path.mkdir(exist_ok=True)
    (path / "runs.toml").write_text(runs, encoding="utf-8")
    (path / "fast.toml").write_text(claim, encoding="utf-8")
    return path


def test_the_guide_s_table_has_a_claim_in_every_place(guide: Folder) -> None:
    places = [(claim.row, claim.column) for claim in guide.claims.values() if claim.topic == "table"]
    assert places == [(row, column) for row in guide.shared.rows for column in guide.shared.columns]
    assert {claim.topic for claim in guide.claims.values()} == {"table", "when", "migration"}


def test_the_guide_s_runs_take_less_than_fifteen_minutes_with_what_comes_on_top(guide: Folder) -> None:
    assert sum(plan.expected_s for plan in guide.plans.values()) < MINUTES * 60


def test_nothing_is_measured_that_no_claim_asks_for(guide: Folder) -> None:
    assert set(guide.plans) == set(guide.shared.runs)
    assert set(guide.arms) == set(guide.shared.experiments)
    tests = [test for claim in guide.claims.values() for test in claim.tests]
    asked = {
        (test.run, name) for test in tests if isinstance(test, OfRun) for name in (test.pattern, test.over) if name
    }
    assert {(name, pattern) for name, plan in guide.plans.items() for pattern in plan.patterns} == asked
    arms = {(t.experiment, arm) for t in tests if isinstance(t, OfExperiment) for arm in (t.arm, t.over) if arm}
    assert {(name, arm) for name, found in guide.arms.items() for arm in found} == arms


def test_claims_that_name_one_run_share_its_cells(tmp_path: Path) -> None:
    path = folder(tmp_path)
    (path / "other.toml").write_text(CLAIM.replace('"sse"', '"websocket"'), encoding="utf-8")
    (plan,) = read(path).plans.values()
    assert plan.patterns == ("sse", "websocket")
    assert len(plan.cells()) == 2 * 3


def test_a_test_along_a_dimension_has_a_step_for_each_value(tmp_path: Path) -> None:
    path = folder(
        tmp_path,
        CLAIM.replace('run = "near"', 'run = "near"\nalong = "clients"'),
        RUNS.replace('"10"', '"10,50"'),
    )
    found = read(path)
    (test,) = found.claims["fast"].tests
    assert isinstance(test, OfRun)
    steps = steps_of(found.plans["near"], test)
    assert {at: len(cells["sse"]) for at, cells in steps.items()} == {10.0: 3, 50.0: 3}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("sentence", "satz", "unknown field `satz`"),
        ('topic = "when"', 'topic = "then"', "Invalid enum value 'then'"),
        ("high = 10", "", "low None, high None: give at least one"),
        ("high = 10", "high = 10\nlow = 20", "low 20.0, high 10.0"),
        ("p50_ms", "p50", "figure 'p50' is none of: "),
        ('"sse"', '"see"', "pattern 'see' is none of: .*did you mean sse"),
        ('run = "near"', 'run = "nearer"', "run 'nearer' is none of: near; did you mean near"),
        ('run = "near"', 'run = "near"\nalong = "clients"', "along 'clients': the run near sweeps nothing"),
        ('from = "run"', 'from = "hearsay"', "Invalid value 'hearsay'"),
        ("[[tests]]", "[[test]]", "unknown field `test`|required field `tests`"),
        ('"SSE is fast."', '"SSE is fast.', "see docs/claims.md"),
    ],
)
def test_a_claim_that_cannot_be_read_is_named_with_what_is_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ValueError, match=rf"fast\.toml: .*({said})"):
        read(folder(tmp_path, CLAIM.replace(old, new)))


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ("[runs.near]\nrepeats = 1", r"runs\.toml: runs\.near: repeats 1: 2 to 1000"),
        ('[runs.near]\nscenario = "fed"', "scenario 'fed' is none of: .*did you mean feed"),
        ('[runs.near]\nsettings = { client = "10" }', "setting 'client' is none of: .*did you mean clients"),
        ('[runs.near]\nsettings = { clients = "ten" }', "--clients 'ten' is not a whole number"),
        ('[runs.near]\nsettings = { clients = "10,50" }', "along '': the run near sweeps clients"),
    ],
)
def test_runs_that_cannot_be_planned_are_named_with_what_is_wrong(tmp_path: Path, runs: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(folder(tmp_path, runs=runs))


def test_doubts_of_two_laws_add_up_by_squares_and_ranges_of_repeats_end_to_end() -> None:
    one, other = Estimate(8.0, 8.0 / exp(0.3), 8.0 * exp(0.3)), Estimate(2.0, 2.0 / exp(0.4), 2.0 * exp(0.4))
    apart, end_to_end = of_laws(one, other), of_repeats(one, other)
    assert (apart.value, apart.low, apart.high) == pytest.approx((4.0, 4.0 / exp(0.5), 4.0 * exp(0.5)))
    assert (end_to_end.low, end_to_end.high) == pytest.approx((4.0 / exp(0.7), 4.0 * exp(0.7)))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no claim there: name a folder"):
        read(tmp_path)


def test_lines_are_those_with_code_and_states_what_objects_keep(tmp_path: Path) -> None:
    file = tmp_path / "pattern.py"
    file.write_text(
        '"""What it is.\n\nAnd more."""\n\n# a comment\nimport os  # another\n\n\nclass Held:\n    """One."""\n\n'
        "    def __init__(self) -> None:\n        self.waiting = [\n            1,\n        ]\n"
        "        self.over = os\n\n"
        "    def end(self) -> None:\n        self.over = None\n",
        encoding="utf-8",
    )
    assert lines(file) == 9
    assert states(file) == 2


def test_what_every_pattern_needs_counts_for_none(guide: Folder) -> None:
    for name in patterns.names():
        files = {file.name for file in own(name)}
        assert f"{name}.py" in files and "feed.py" not in files
    assert counted("short_polling")["lines"] < counted("long_polling")["lines"] < counted("http2_push")["lines"]


def test_the_example_of_the_documentation_is_a_folder_of_claims(tmp_path: Path) -> None:
    text = (HOME / "docs" / "claims.md").read_text(encoding="utf-8")
    for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        name = block.partition("\n")[0].lstrip("# ").partition(":")[0]
        (tmp_path / name).write_text(block, encoding="utf-8")
    assert list(read(tmp_path).claims) == ["dashboard"]
