"""Replications judged on simulated runs: what is as published agrees, and a measurement that is off does not."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from markupsafe import escape

from loadtests.records import manifest
from reports import replications
from reports.basics.exit_codes import ExitCode
from reports.charts import CHARTS, Chart
from reports.replications import PublishedClaim, Replication
from reports.replications.replicate import Replicated, judge
from reports.validity.evidence import Evidence, evidence
from tests.synthetic import LABELS, write_run

pytestmark = pytest.mark.slow

NAMES = replications.names()


def simulate(name: str, folder: Path) -> Path:
    """Write each stage of a replication as if it had been measured in a world without faults."""
    for stage, plan in replications.load(name).stages().items():
        run_dir = folder / stage
        run_dir.mkdir()
        labels = {pattern: LABELS[pattern] for pattern in plan.patterns}
        write_run(run_dir, [plan.scenario], repeats=plan.repeats, labels=labels)
        edit(run_dir, kind="compare")
    return folder


def edit(run_dir: Path, **changes: object) -> None:
    file = run_dir / "run.json"
    run = msgspec.json.decode(file.read_bytes(), type=manifest.Run)
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(run, **changes)))


def shown_by(name: str) -> list[Chart]:
    """The chart that the page of a replication takes from the report of a stage; the others take most of the time."""
    return [chart for chart in CHARTS if chart.name == replications.load(name).CHART[1]]


@pytest.fixture(scope="session", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what gives the folder of a simulated replication, made once. Read only, but for what `judge` writes."""
    return cache(lambda name: simulate(name, tmp_path_factory.mktemp(name)))


@pytest.fixture(scope="session")
def stages_of(simulated: Callable[[str], Path]) -> Callable[[str], dict[str, Evidence]]:
    return cache(lambda name: {stage: evidence(simulated(name) / stage) for stage in replications.load(name).stages()})


@pytest.fixture(scope="session")
def folder(name: str, simulated: Callable[[str], Path]) -> Path:
    return simulated(name)


@pytest.fixture(scope="session")
def replication(name: str) -> Replication:
    return replications.load(name)


@pytest.fixture(scope="session")
def stages(name: str, stages_of: Callable[[str], dict[str, Evidence]]) -> dict[str, Evidence]:
    return stages_of(name)


def test_a_replication_says_what_was_done_found_and_changed_and_takes_minutes(replication: Replication) -> None:
    for text in (replication.TITLE, replication.SOURCE, replication.SETUP, replication.PUBLISHED, replication.SCALED):
        assert text
    assert sum(plan.expected_s for plan in replication.stages().values()) < 300
    assert replication.CHART[0] in replication.stages()


def test_a_simulated_world_agrees_with_what_was_published(
    replication: Replication, stages: dict[str, Evidence]
) -> None:
    claims = list(replication.claims(stages))
    assert sum(claim.judged for claim in claims) >= 4
    off = [(claim.what, claim.measured, claim.low, claim.high) for claim in claims if not claim.agrees]
    assert not off


@pytest.mark.parametrize(
    ("which", "stage", "pattern", "column", "factor", "what"),
    [
        ("pimentel2012", "wan", "long_polling", "mean_ms", 3.0, "long polling is slower"),
        ("cometd", "published", "long_polling", "requests_per_delivery", 2.0, "messages in each response"),
        ("cometd", "published", "long_polling", "mean_ms", 2.0, "mean latency"),
        ("bozdag2007", "pull-0.25s", "short_polling", "empty_ratio", 0.5, "empty responses, pulling every 0.25 s"),
        ("bozdag2007", "push", "sse", "mean_ms", 1000.0, "mean latency of push"),
        ("vandevyver2020", "open-data", "short_polling", "responses_per_s", 0.9, "requests/s"),
        ("vandevyver2020", "open-data", "sse", "p99_ms", 1000.0, "99 % latency of SSE"),
    ],
)
def test_a_measurement_that_is_off_disagrees(
    stages_of: Callable[[str], dict[str, Evidence]],
    which: str,
    stage: str,
    pattern: str,
    column: str,
    factor: float,
    what: str,
) -> None:
    replication, found = replications.load(which), dict(stages_of(which))
    rows = found[stage].summary.copy()
    rows.loc[rows["pattern"] == pattern, column] *= factor
    found[stage] = replace(found[stage], summary=rows)
    assert any(claim.what.startswith(what) and not claim.agrees for claim in replication.claims(found))


def test_judging_writes_a_page_that_links_every_stage_and_ends_as_the_claims_say(folder: Path, name: str) -> None:
    result = judge(name, folder, shown_by(name))
    assert result.exit_code is ExitCode.OK
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert all(f'href="{stage}/report.html"' in page for stage in replications.load(name).stages())
    assert all((folder / stage / "report.html").is_file() for stage in replications.load(name).stages())
    assert page.count("<svg") == 1
    assert "<script" not in page
    assert "://" not in page.replace("http://www.w3.org", "")
    assert str(escape(result.headline)) in page
    assert b"<failure" not in result.junit()


def test_a_claim_that_disagrees_ends_with_its_own_exit_code_and_fails_in_junit() -> None:
    right, wrong = (PublishedClaim("the sky", "blue", "1", value, "", 1.0, 1.0, "a look at it") for value in (1.0, 2.0))
    result = Replicated("sky", "The colour of the sky", (right, wrong), (), ())
    assert result.exit_code is ExitCode.DISAGREES
    assert b"<failure" in result.junit()
    assert "disagrees" in result.markdown()


def test_made_up_runs_are_not_judged(tmp_path: Path) -> None:
    simulate("cometd", tmp_path)
    edit(tmp_path / "gentle", kind="synthetic")
    result = judge("cometd", tmp_path, shown_by("cometd"))
    assert result.exit_code is ExitCode.INVALID
    assert "gentle: Nothing here was measured" in result.notes[0]


@pytest.mark.parametrize(
    ("measured_value", "low", "high", "judged", "agrees"),
    [
        (1.0, 0.5, 1.5, True, True),
        (2.0, 0.5, 1.5, True, False),
        (float("nan"), 0.5, 1.5, True, False),
        (9.0, float("-inf"), 10.0, True, True),
        (9.0, float("nan"), float("nan"), False, True),
    ],
)
def test_a_claim_agrees_within_its_bounds_and_never_without_a_number(
    measured_value: float, low: float, high: float, *, judged: bool, agrees: bool
) -> None:
    values: dict[str, Any] = {"what": "w", "published": "p", "expected": "e", "unit": "", "basis": "b"}
    claim = PublishedClaim(measured=measured_value, low=low, high=high, **values)
    assert (claim.judged, claim.agrees) == (judged, agrees)
