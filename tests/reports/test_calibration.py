"""Calibration: what it finds of an error that is known, and when it is quoted, refused or exceeded."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.host import environment
from loadtests.records.manifest import Calibration, PatternCalibration
from loadtests.runs import kept_calibration as keeping
from loadtests.runs import runner
from loadtests.runs.run_folder import RUNS, save
from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import SCENARIOS
from reports.data.load import ReportError, Run
from reports.selftest.calibration import (
    CalibrationCell,
    Error,
    RateStep,
    climb,
    errors,
    highest_honest,
    of_pattern,
    plans,
)
from reports.validity.calibration_used import doubt, quotes
from reports.validity.checks import cautions
from servers.feed.schedule import Stairs

STAIRS = Stairs(20, 2000, 5, 1.0)
CLIENTS = 4


def climbed(error_ms: list[float], *, lost_from: int = 99) -> CalibrationCell:
    """A climb whose reports are late by so much on each step; from step `lost_from` on one delivery is lost."""
    due_ns = np.repeat(np.fromiter(STAIRS.offsets_ns(), np.int64), CLIENTS)
    step = np.repeat(np.repeat(np.arange(STAIRS.steps), STAIRS.counts()), CLIENTS)
    written_ns = due_ns + 10_000_000
    true = pd.DataFrame({"due_ns": due_ns, "at_ns": written_ns})
    reported = pd.DataFrame({"due_ns": due_ns, "at_ns": written_ns + (np.array(error_ms)[step] * 1e6).astype(np.int64)})
    lost = [int(np.argmax(step == number)) for number in range(lost_from, STAIRS.steps)]
    used_ns = [0, *np.cumsum([count * CLIENTS * 15_000 + 10_000_000 for count in STAIRS.counts()])]
    generator = pd.DataFrame({"at_ns": [n * 10**9 for n in range(STAIRS.steps + 1)], "cpu_ns": used_ns})
    window_ns = (0, round(STAIRS.steps * 1e9))
    return CalibrationCell(CLIENTS, window_ns, str(STAIRS), reported.drop(index=lost), true, generator)


def test_the_error_of_each_rate_is_found_as_it_was_made() -> None:
    steps = climb(climbed([0.1, 0.15, 0.2, 0.25, 5.0]))
    assert [round(step.errors[0].error_ms, 6) for step in steps] == [0.1, 0.15, 0.2, 0.25, 5.0]
    assert [step.per_s for step in steps] == pytest.approx([count * CLIENTS for count in STAIRS.counts()], rel=0.05)


def test_the_highest_honest_rate_is_the_last_before_the_error_grows_and_the_bias_that_of_the_lower_half() -> None:
    found = of_pattern(climbed([0.1, 0.15, 0.25, 0.8, 5.0]), None, None)
    assert found.honest_per_s == pytest.approx(STAIRS.counts()[2] * CLIENTS, rel=0.02)
    assert (found.at_rest_ms, found.bias_ms) == pytest.approx((0.1, 0.15))
    assert (found.stopped_by, found.at_least) == ("bias", False)
    assert found.cpu_us == pytest.approx(15, rel=0.01)
    assert (found.bimodal_ms, found.frozen_ms) == (None, None)


def test_where_nothing_breaks_the_highest_rate_is_a_lower_bound() -> None:
    found = of_pattern(climbed([0.1] * 5), None, None)
    assert (found.stopped_by, found.at_least) == ("", True)
    assert found.honest_per_s == pytest.approx(STAIRS.counts()[-1] * CLIENTS, rel=0.02)


def test_a_lost_delivery_ends_honesty_whatever_the_latencies_say() -> None:
    found = of_pattern(climbed([0.1] * 5, lost_from=3), None, None)
    assert (found.stopped_by, found.at_least) == ("loss", False)
    assert found.honest_per_s == pytest.approx(STAIRS.counts()[2] * CLIENTS, rel=0.02)


def test_one_bad_rate_alone_met_a_busy_neighbour_and_two_in_a_row_did_not() -> None:
    good, bad = ([Error(10, 0.1)] * 3, [Error(10, 0.6)] * 3)
    steps = [RateStep(float(number), each, 0) for number, each in enumerate([good, bad, good, good, bad, bad, good])]
    highest, why = highest_honest(steps)
    assert highest is steps[3]
    assert why == "bias"
    assert highest_honest(steps[:3]) == (steps[2], "")
    assert highest_honest([RateStep(1.0, good, 5), RateStep(2.0, good, 5)]) == (None, "loss")


def test_a_tail_that_drags_while_the_median_does_not_is_lag() -> None:
    dragging = [Error(10, 0.1), Error(10, 0.3), Error(10, 2.2)]
    assert RateStep(1.0, dragging, 0).broken_by(at_rest_ms=0.1) == "lag"
    assert RateStep(1.0, dragging, 0).broken_by(at_rest_ms=0.3) == ""


@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=200), st.floats(0, 50))
def test_a_constant_error_is_found_at_every_quantile_in_whatever_order_deliveries_come(
    true_ms: list[float], error_ms: float
) -> None:
    reported_ms = np.flip(np.array(true_ms)) + error_ms
    assert [each.error_ms for each in errors(reported_ms, np.array(true_ms))] == pytest.approx([error_ms] * 3, abs=1e-9)


def test_what_never_arrived_cannot_be_calibrated() -> None:
    nothing = climbed([0.1] * 5)
    with pytest.raises(ReportError, match="no message of the calibration arrived"):
        climb(replace(nothing, reported=nothing.reported[:0]))


def test_the_quick_form_is_short_and_the_long_one_under_three_minutes() -> None:
    def expected_s(*, quick: bool) -> float:
        return sum(plan.expected_s for plan in plans(["a", "b", "c", "d", "e", "f"], quick=quick).values())

    assert expected_s(quick=True) < 40
    assert expected_s(quick=False) < 180


def calibrated(run: Run, honest_per_s: float, **changed: object) -> Run:
    known = PatternCalibration(
        at_rest_ms=0.1,
        bias_ms=0.12,
        tail_ms=0.9,
        bimodal_ms=0.2,
        frozen_ms=0.3,
        cpu_us=20.0,
        honest_per_s=honest_per_s,
        at_least=False,
        stopped_by="bias",
    )
    made = Calibration(
        measured_at="2026-11-24T08:00:00Z",
        machine=msgspec.structs.replace(run.manifest.machine, clock_id="before the reboot"),
        versions=run.manifest.versions,
        clients=10,
        patterns={"sse": known},
    )
    manifest = msgspec.structs.replace(run.manifest, calibration=msgspec.structs.replace(made, **changed))
    return replace(run, manifest=manifest)


def test_a_calibration_is_quoted_beside_what_the_run_had(run: Run, rows: pd.DataFrame) -> None:
    (quote,) = quotes(calibrated(run, 1000.0), rows)
    row = rows[rows["pattern"] == "sse"].to_dict("records")[0]
    assert quote.label == "SSE"
    assert quote.per_s == row["delivered"] / 2 / 2.0
    assert quote.last_reader_ms == pytest.approx(6 * 0.02)
    assert not quote.beyond


@pytest.mark.parametrize(
    ("share", "severity"), [(0.4, None), (0.6, "note"), (1.2, "suspect")], ids=["within half", "past half", "past it"]
)
def test_a_run_past_half_of_the_highest_honest_rate_is_told_so(
    run: Run, cells: pd.DataFrame, rows: pd.DataFrame, share: float, severity: str | None
) -> None:
    (quote,) = quotes(calibrated(run, 1000.0), rows)
    found = cautions(calibrated(run, quote.per_s / share), cells, rows)
    told = [caution.severity for caution in found if "More deliveries than the calibration covers" in caution.what]
    assert told == ([severity] if severity else [])


@pytest.mark.parametrize("name", ["locust", "sources"])
def test_a_calibration_of_other_versions_or_sources_is_stale_and_said_to_be(
    run: Run, rows: pd.DataFrame, name: str
) -> None:
    stale = calibrated(run, 1000.0, versions={**run.manifest.versions, name: "another"})
    assert name in doubt(stale)
    assert quotes(stale, rows) == []


def test_a_calibration_of_another_machine_is_stale_and_a_reboot_is_not(run: Run) -> None:
    machine = msgspec.structs.replace(run.manifest.machine, cpu="another")
    assert "cpu" in doubt(calibrated(run, 1000.0, machine=machine))
    assert doubt(calibrated(run, 1000.0)) == ""
    assert "not calibrated" in doubt(run)


def test_a_run_takes_the_calibration_along_that_is_kept_where_it_begins(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = Plan(SCENARIOS["feed"], ("sse",), 1)
    runner.begin(tmp_path / "without", plan, {"sse": "SSE"}, "run")
    kept = calibrated(run, 1000.0).manifest.calibration
    assert kept is not None
    kept = msgspec.structs.replace(kept, machine=environment.machine(), versions=environment.versions())
    RUNS.mkdir()
    save(RUNS / keeping.FILE, kept)
    runner.begin(tmp_path / "with", plan, {"sse": "SSE"}, "run")
    without, with_it = (
        msgspec.json.decode((tmp_path / name / "run.json").read_bytes(), type=type(run.manifest))
        for name in ("without", "with")
    )
    assert without.calibration is None
    assert with_it.calibration == kept
    assert keeping.differences(kept, with_it.machine, with_it.versions) == []
    (RUNS / keeping.FILE).write_text("{", encoding="ascii")
    assert keeping.kept(RUNS) is None
