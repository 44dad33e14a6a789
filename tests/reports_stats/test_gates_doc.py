"""docs/gates.md says what the code does: its examples parse, its figures are the code's."""

import re
from pathlib import Path

from loadtests.scenario.scenarios import SCENARIOS
from reports.basics.exit_codes import ExitCode
from reports.basics.statistics import repeats_needed
from reports.ci.gates import Gate, judge
from reports.ci.questions import JUDGED
from reports.ci.slo import parse_slo
from reports.data.situations import planned
from reports.validity.evidence import evidence
from tests.synthetic import write_run

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "gates.md").read_text(encoding="utf-8")


def test_the_examples_of_slo_files_parse() -> None:
    examples = re.findall(r"```toml\n(.+?)```", DOCUMENT, re.DOTALL)
    assert [len(parse_slo(example, "example")) for example in examples] == [3, 3]


def test_the_first_example_passes_on_a_run_of_the_default_scenario(tmp_path: Path) -> None:
    example = re.findall(r"```toml\n(.+?)```", DOCUMENT, re.DOTALL)[0]
    found = evidence(write_run(tmp_path, [SCENARIOS["feed"]], repeats=1))
    results = judge(parse_slo(example, "example"), found.cells, planned(found.run.manifest))
    assert {result.state for result in results} == {"met", "met, unproven", "does not apply"}
    assert Gate("run", "example", tuple(results)).exit_code is ExitCode.OK


def test_the_exit_codes_are_all_there() -> None:
    assert [int(code) for code in re.findall(r"^\| (\d) \| [a-z]", DOCUMENT, re.MULTILINE)] == sorted(ExitCode)


def test_the_table_of_repeats_is_what_the_statistics_say() -> None:
    table = re.search(r"\| questions \| (.+) \|\n.+\n\| repeats of each run \| (.+) \|", DOCUMENT)
    assert table is not None
    for questions, repeats in zip(table[1].split(" | "), table[2].split(" | "), strict=True):
        numbers = [int(number) for number in re.findall(r"\d+", questions)]
        assert {repeats_needed(number) for number in numbers} == {int(repeats)}
        assert repeats_needed(numbers[-1] + 1) == int(repeats) + 1
    assert "the seven measures compared by default" in DOCUMENT
    assert len(JUDGED) == 7
