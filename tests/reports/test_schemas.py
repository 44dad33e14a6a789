"""What is written for machines is what its schema says; and what a run explains is what its files say."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from jsonschema import Draft202012Validator

import pollbench
from reports.commands.app import main
from reports.page.page import write_report
from reports.schemas import SCHEMAS, WHERE, schema
from reports.validity.caution import VERDICT_FILE

RECORDED = Path(pollbench.__file__).parent / "notebooks/recorded"


def problems(name: str, content: Any) -> list[str]:
    found = Draft202012Validator(schema(name)).iter_errors(content)
    return [f"{error.json_path}: {error.message[:200]}" for error in found]


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main([*words]) in {0, pollbench.INVALID}
    return json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.fixture(scope="module", params=["feed", "distances"])
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was measured, with its report, but for the charts."""
    folder = Path(shutil.copytree(RECORDED / request.param, tmp_path_factory.mktemp("real") / request.param))
    write_report(folder, charts=())
    return folder


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_one_and_says_of_what(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    assert WHERE.keys() == SCHEMAS.keys()


def test_the_files_of_real_runs_are_as_their_schemas_say(real: Path) -> None:
    assert problems("run", json.loads((real / "run.json").read_bytes())) == []
    for cell in real.glob("cells/*/cell.json"):
        assert problems("cell", json.loads(cell.read_bytes())) == []
    assert problems("verdict", json.loads((real / VERDICT_FILE).read_bytes())) == []
    for table in (pd.read_csv(real / "summary.csv"), pd.read_parquet(real / "summary.parquet")):
        assert problems("summary", json.loads(table.to_json(orient="records"))) == []


def test_what_is_wrong_does_not_pass(real: Path) -> None:
    """A schema that took anything would pass the tests above."""
    verdict = json.loads((real / VERDICT_FILE).read_bytes())
    assert problems("verdict", verdict | {"verdict": "FINE"})
    rows = json.loads(pd.read_csv(real / "summary.csv").to_json(orient="records"))
    assert problems("summary", [rows[0] | {"missed": -1}])
    assert problems("summary", [{key: value for key, value in rows[0].items() if key != "p99_ms"}])


def test_a_run_is_explained_with_conclusions_figures_conditions_and_doubts(
    real: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = printed(capsys, "explain", str(real), "--json")
    assert problems("explanation", told) == []
    verdict = json.loads((real / VERDICT_FILE).read_bytes())
    assert [each["headline"] for each in told["scenarios"]] == verdict["answers"]
    assert told["verdict"] == verdict["verdict"]
    assert [*told["doubts"], *told["limits"]] == verdict["cautions"]
    (scenario,) = told["scenarios"]
    assert scenario["conclusions"]
    assert scenario["conditions"]["Clients"]
    rows = pd.read_csv(real / "summary.csv")
    assert len(scenario["measured"]) == len(rows)
    for measured, row in zip(scenario["measured"], rows.to_dict("records"), strict=True):
        (p50,) = (each for each in measured["figures"] if each["measure"] == "p50_ms")
        assert (p50["value"], p50["unit"]) == (pytest.approx(row["p50_ms"]), "ms")
        assert (measured["pattern"], measured["counts"]["delivered"]) == (row["pattern"], row["delivered"])


def test_the_explanation_in_words_has_the_answer_first_and_the_doubts_last(
    real: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(real)]) == 0
    said = capsys.readouterr().out
    ruling = json.loads((real / VERDICT_FILE).read_bytes())
    assert said.startswith(ruling["answers"][0])
    assert all(caution["what"] in said for caution in ruling["cautions"])


def test_a_run_that_proves_nothing_is_explained_without_conclusions(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = printed(capsys, "explain", str(folder), "--json")
    assert problems("explanation", told) == []
    assert told["verdict"] == "INVALID"
    assert told["doubts"]
    assert [each["conclusions"] for each in told["scenarios"]] == [[]]


def test_a_schema_is_printed_by_name_and_a_wrong_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "schema", "verdict").keys() == schema("verdict").keys()
    assert main(["schema"]) == 0
    assert all(name in capsys.readouterr().out for name in ["explanation"])
    assert main(["schema", "verdic"]) == 2
    assert "did you mean verdict?" in capsys.readouterr().err.replace("\n", " ")
