"""Every claim of the guide judged on runs that never happened: the page, the files and the exit code say the same."""

import json
from pathlib import Path

import msgspec
import pytest
from markupsafe import escape

from loadtests.experiments.observations import OBSERVATIONS
from loadtests.records import manifest
from reports.claims import page
from reports.claims.claim import OfExperiment
from reports.claims.folder import GUIDE, Folder, read
from reports.claims.grounds import EXPERIMENTS, Grounds
from reports.claims.judged import Judged
from reports.claims.ruling import State, Verdict
from reports.claims.words import answer
from reports.model import model_file
from tests.synthetic import LABELS, write_run

pytestmark = pytest.mark.slow

MADE_UP: dict[str, dict[str, float]] = {
    "first_ms_chunked": {"buffered": 900.0},
    "client_ms": {"push": 200.0},
    "p50_ms": {"new": 600.0},
    "cpu_ms": {"sse": 600.0},
    "lost": {},
}


def simulate(guide: Folder, path: Path) -> Path:
    """Write what a folder of claims would have been measured to be, in a world without faults."""
    for name, plan in guide.plans.items():
        (path / name).mkdir(parents=True)
        write_run(path / name, [plan.scenario], repeats=plan.repeats, labels={p: LABELS[p] for p in plan.patterns})
        file = path / name / "run.json"
        run = msgspec.json.decode(file.read_bytes(), type=manifest.Run)
        file.write_bytes(msgspec.json.encode(msgspec.structs.replace(run, kind="compare")))
    figures = {t.figure for claim in guide.claims.values() for t in claim.tests if isinstance(t, OfExperiment)}
    for name, arms in guide.arms.items():
        (path / EXPERIMENTS / name).mkdir(parents=True)
        lines: list[dict[str, object]] = [
            {"arm": arm, "repeat": repeat, "took_s": 1.0, "figures": _made_up(figures, arm), "points": [], "doubts": []}
            for repeat in (1, 2)
            for arm in arms
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (path / EXPERIMENTS / name / OBSERVATIONS).write_text(text, encoding="utf-8")
    return path


def _made_up(figures: set[str], arm: str) -> dict[str, float]:
    usual = {"lost": 0.0, "chromium_refuses_push": 1.0}
    return {name: MADE_UP.get(name, {}).get(arm, usual.get(name, 300.0)) for name in figures}


@pytest.fixture(scope="module")
def guide() -> Folder:
    return read(GUIDE)


@pytest.fixture(scope="module")
def folder(guide: Folder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(guide, tmp_path_factory.mktemp("claims") / "claims")


def grounds(guide: Folder, folder: Path, lacking: dict[str, str]) -> Grounds:
    return Grounds(guide, folder, model_file.read(model_file.RECORDED), "the recorded model", lacking)


def verdict(name: str, guide: Folder, folder: Path, **lacking: str) -> Verdict:
    """Judge one claim of the guide, which is judged by itself."""
    (ruled,) = grounds(guide.only({name}), folder, lacking).ruled()
    return ruled.verdict


@pytest.fixture(scope="module")
def judged(guide: Folder, folder: Path) -> Judged:
    return page.judge(grounds(guide, folder, {}), charts=())


def test_a_world_without_faults_has_the_latencies_that_the_guide_says(judged: Judged) -> None:
    found = {each.name: each for each in judged.ruled}
    for name in ("short-polling-latency", "long-polling-latency", "use-long-polling-under-1s"):
        assert found[name].verdict is Verdict.CONFIRMED, answer(found[name])
    assert found["use-streaming-no-replay"].verdict is Verdict.REFUTED
    assert answer(found["use-streaming-not-behind-buffers"]) == "holds if the proxy ignores X-Accel-Buffering: no"
    assert answer(found["use-push-for-pages"]) == "holds if the client accepts pushes, as ours does"
    assert answer(found["move-two-way"]) == "holds if latency is what counts, and POSTs share a connection"


def test_where_the_answer_changes_is_said(judged: Judged) -> None:
    found = {each.name: each for each in judged.ruled}
    assert answer(found["use-long-polling-not-above-1-per-s"]).startswith(("holds", "confirmed", "open"))
    assert any(tried.crossovers for each in judged.ruled for tried in each.tried)


def test_the_page_has_every_claim_with_what_decided_it_and_asks_nobody(judged: Judged, folder: Path) -> None:
    text = (folder / page.PAGE).read_text(encoding="utf-8")
    for each in judged.ruled:
        assert f'id="{each.name}"' in text
        assert str(escape(each.claim.sentence)) in text
        assert all(str(escape(tried.test.why)) in text for tried in each.tried if State.UNKNOWN not in tried.states)
    assert "<script" not in text and "nan" not in text
    assert "://" not in text.replace("http://www.w3.org", "")
    assert all((folder / name / "report.html").is_file() for name in ("near", "many"))


def test_json_junit_and_documentation_say_the_same(judged: Judged, folder: Path) -> None:
    told = json.loads((folder / page.RESULTS).read_text(encoding="utf-8"))
    assert {each["claim"]: each["verdict"] for each in told["claims"]} == {e.name: str(e.verdict) for e in judged.ruled}
    refuted = sum(each.verdict is Verdict.REFUTED for each in judged.ruled)
    assert judged.junit().count(b"<failure") == refuted > 0
    assert int(judged.exit_code) == 8
    assert all(each.claim.sentence in judged.document() for each in judged.ruled)


def test_what_needs_a_program_that_is_not_here_is_not_judged(guide: Folder, folder: Path) -> None:
    lacking = {"page-push": "chromium is not installed"}
    assert verdict("use-push-for-pages", guide, folder, **lacking) is Verdict.NOT_JUDGED
    assert verdict("use-push-for-pages", guide, folder) is not Verdict.NOT_JUDGED


def test_a_made_up_run_decides_no_latency(guide: Folder, folder: Path) -> None:
    assert verdict("push-latency", guide, folder) is not Verdict.NOT_JUDGED
    file = folder / "near" / "run.json"
    before = file.read_bytes()
    run = msgspec.json.decode(before, type=manifest.Run)
    try:
        file.write_bytes(msgspec.json.encode(msgspec.structs.replace(run, kind=manifest.SYNTHETIC)))
        assert verdict("push-latency", guide, folder) is Verdict.NOT_JUDGED
    finally:
        file.write_bytes(before)
