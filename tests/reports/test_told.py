"""How a run ends in a terminal: goals first, the answer with its conditions, the verdict; quietly, and as Markdown."""

import json
import shutil
from pathlib import Path

import pytest

import pollbench
from reports.basics.exit_codes import ExitCode
from reports.commands.app import main
from tests.reports.test_schemas import problems

RECORDED = Path(pollbench.__file__).parent / "notebooks/recorded/quiet"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which every cell is there, so that --resume only tells of it."""
    return Path(shutil.copytree(RECORDED, tmp_path_factory.mktemp("told") / "run"))


@pytest.fixture
def slo(tmp_path: Path) -> Path:
    file = tmp_path / "slo.toml"
    file.write_text('slo = ["missed == 0", "sse.p99_ms < 0.001"]', encoding="utf-8")
    return file


def test_goals_come_first_and_a_missed_one_is_the_exit_code(
    measured: Path, slo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "--resume", str(measured), "--slo", str(slo)]) == ExitCode.SLO_MISSED
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0].startswith("run misses 1 of 3 goals")
    assert lines[2].split()[0] == "missed"
    answer = next(at for at, line in enumerate(lines) if line.startswith("With 12 clients, "))
    assert lines[answer + 1].startswith(("VALID: ", "SUSPECT: "))
    assert lines[-1].endswith("report.html")


def test_as_json_it_has_the_goals_and_keeps_to_its_schema(
    measured: Path, slo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "--resume", str(measured), "--slo", str(slo), "--json"]) == ExitCode.SLO_MISSED
    told = json.loads(capsys.readouterr().out)
    assert problems("outcome", told) == []
    assert problems("summary", told["summary"]) == []
    assert [goal["state"].split(",")[0] for goal in told["goals"]] == ["missed", "met", "met"]


def test_quietly_it_says_the_answer_the_verdict_and_where_the_page_is(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = tmp_path / "run.md"
    assert main(["compare", "--resume", str(measured), "--quiet", "--export-markdown", str(export)]) == pollbench.DONE
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith("With 12 clients, ")
    assert "req." not in said.out
    text = export.read_text(encoding="utf-8")
    assert text.startswith("## run\n\nWith 12 clients, ")
    (header, rule, *rows) = [line for line in text.splitlines() if line.startswith("|")]
    assert "Delivery latency: p50, ms" in header
    assert len(rows) == 2
    assert header.count("|") == rule.count("|")
    verdict = json.loads((measured / "verdict.json").read_bytes())["verdict"]
    assert f"**{verdict}**" in text
    assert main(["report", str(measured), "--export-markdown", str(tmp_path / "later.md")]) == pollbench.DONE
    assert (tmp_path / "later.md").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--slo", "none.toml"], "none.toml: cannot be read"),
        (["--metrics", "statsd:1"], "--metrics 'statsd:1': write prometheus:PORT"),
    ],
)
def test_what_cannot_be_told_is_refused_before_anything_is_measured(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["run", "compare", "capacity", "serve", "advise", "experiment", "ui", "race"])
def test_help_says_every_default(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([command, "--help"])
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    wanted = {
        "run": ["[default: 1]", "[default: (1s)]", "[default: (500ms)]"],
        "compare": ["[default: (all)]", "[default: (3)]", "[default: (5s)]"],
        "capacity": ["[default: 50000]", "[default: 0.1]"],
        "serve": ["[default: (8080)]", "[default: (30s)]"],
        "advise": ["[default: 30s]", "[default: 1s]"],
        "experiment": ["[default: (5, or 2 with --quick)]"],
        "ui": ["[default: 8089]"],
        "race": ["[default: 8090]"],
    }
    for text in wanted[command]:
        assert text in said, said
