"""`pollbench claims` with claims of one's own: measured, judged, resumed, and written into a page of documentation."""

import json
import re
from pathlib import Path

import pytest

import pollbench
from reports.commands.claims import BEGIN, END
from tests.claims.test_folder import CLAIM, folder

RUNS = """
[runs.near]
repeats = 2
settings = { clients = "3", schedule = "steady:10", window_s = "1.2", warmup_s = "0.2", drain_s = "0.3" }
"""
SMALL = """
[[tests]]
from = "source"
says = "lines"
pattern = "sse"
figure = "lines"
low = 1
why = "it takes some"
"""
JUDGED = {pollbench.DONE, pollbench.INVALID, 8}
"""A busy machine may decide nothing, or refute; it is measured all the same."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_claims_of_one_s_own_are_measured_once_and_judged_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = folder(tmp_path / "own", CLAIM.replace("high = 10", "high = 10000"), RUNS)
    (own / "small.toml").write_text(CLAIM[: CLAIM.index("[[tests]]")] + SMALL, encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(f"# Ours\n\n{BEGIN}\nold\n{END}\n\nMore.\n", encoding="utf-8")
    assert pollbench.main(["claims", str(own), "--out", "found", "--docs", str(page), "--json"]) in JUDGED
    told = json.loads(capsys.readouterr().out)
    assert [each["claim"] for each in told["claims"]] == ["fast", "small"]
    assert told["claims"][1]["verdict"] == "confirmed"
    assert told == {"folder": "found", **json.loads(Path("found/claims.json").read_text(encoding="utf-8"))}
    text = page.read_text(encoding="utf-8")
    assert "SSE is fast." in text and "old" not in text and text.endswith(f"{END}\n\nMore.\n")
    measured = {file: file.stat().st_mtime_ns for file in Path("found").glob("near/cells/*/cell.json")}
    assert len(measured) == 2
    assert pollbench.main(["claims", str(own), "--resume", "found"]) in JUDGED
    assert all(file.stat().st_mtime_ns == before for file, before in measured.items())
    assert "found/index.html" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere: no claim there: name a folder"),
        (["--claim", "short-poling-load"], "claim 'short-poling-load' is none of: .*did you mean short-polling-load"),
        (["--out", "a", "--resume", "b"], "--out a and --resume b exclude each other"),
        (["--resume", "b"], "--resume b: no folder that `pollbench claims` made"),
        (["--docs", "none.md"], "--docs none.md: cannot be read"),
        (["--model", "none.json"], "--model none.json: no such file"),
    ],
)
def test_wrong_words_are_one_line_and_measure_nothing(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pollbench.main(["claims", *words]) == pollbench.USAGE
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert re.search(said, captured.err)
    assert list(tmp_path.iterdir()) == []
