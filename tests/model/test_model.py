"""The laws of servers that were made up are found again, and intervals hold what they promise."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

import pollbench
from reports.data.load import ReportError, load
from reports.model import model_file
from reports.model.cell_figures import Load, message_payload_bytes, observations
from reports.model.law import fit
from reports.model.model import LATENCIES, Model, coverage, held_out, predict
from reports.model.service import ASKED, HELD, quantile_s
from tests.model.conftest import LABELS, made_up, made_up_cells, made_up_model, true_cores
from tests.reports.conftest import SMALL
from tests.synthetic import write_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up run of six patterns. Read only."""
    return write_run(tmp_path_factory.mktemp("observed") / "run", [SMALL], repeats=1)


def asked(clients: float, rate_per_s: float, pattern: str = "sse", rtt_s: float = 0.0) -> Load:
    payload = message_payload_bytes(pattern, 200) * clients * rate_per_s
    return Load(
        clients=clients,
        rate_per_s=rate_per_s,
        wakes_per_s=rate_per_s,
        requests_per_s=0.0,
        payload_bytes_per_s=payload,
        rtt_s=rtt_s,
    )


def test_a_stream_s_law_is_found_again_where_nothing_is_noisy() -> None:
    law = fit("sse", "cores", made_up_cells(noise=0.0, patterns=["sse"]))
    assert dict(zip(law.terms, law.coefficients, strict=True)) == pytest.approx(
        {"delivery": 8.5e-6, "wake-up": 0.34e-3, "client": 3e-6}
    )


def test_short_polls_pay_for_wake_ups_of_an_idle_loop() -> None:
    law = fit(ASKED, "cores", made_up_cells(noise=0.0, patterns=[ASKED]))
    assert dict(zip(law.terms, law.coefficients, strict=True)) == pytest.approx(
        {"request": 30e-6, "sqrt(request)": 1e-3}
    )


@pytest.mark.parametrize("pattern", LABELS)
def test_ten_times_the_load_is_predicted_within_the_noise(pattern: str) -> None:
    model = made_up_model(made_up_cells(noise=0.01, patterns=[pattern]))
    found = predict(model, pattern, asked(5000, 2.0, pattern), 200)
    truth = made_up(pattern, 5000, 2.0, 0.0, np.random.default_rng(1))
    assert found.figures["cores"].value == pytest.approx(true_cores(pattern, found.load), rel=0.06)
    assert found.figures["memory_bytes"].value == pytest.approx(truth.memory_bytes, rel=0.06)
    assert found.figures["sent_bytes_per_s"].value == pytest.approx(truth.sent_bytes_per_s, rel=0.06)


def test_nine_of_ten_held_out_figures_lie_in_their_interval() -> None:
    found = [coverage(made_up_cells(seed=seed)) for seed in range(3)]
    assert 0.85 <= sum(each.inside for each in found) / sum(each.of for each in found) <= 0.95


def test_an_interval_is_wider_where_the_prediction_reaches_further(model: Model) -> None:
    near, far = (predict(model, "sse", asked(clients, 2.0), 200).figures["cores"] for clients in (300, 5000))
    assert far.high / far.low > near.high / near.low > 1


def test_a_round_trip_adds_half_of_it_to_a_stream_and_no_more_to_its_doubt(model: Model) -> None:
    near, far = (predict(model, "sse", asked(200, 2.0, rtt_s=rtt), 200).figures["p50_ms"] for rtt in (0.0, 0.06))
    assert far.value - near.value == pytest.approx(30.0)
    assert far.high - far.low == pytest.approx(near.high - near.low)


def test_a_long_poll_s_tail_waits_for_the_client_to_ask_again(model: Model) -> None:
    """RFC 6202 section 2.2: up to three transits, where a stream takes one."""
    near, far = (predict(model, HELD, asked(50, 5.0, HELD, rtt), 200).figures["p99_ms"] for rtt in (0.0, 0.1))
    assert 100 < far.value - near.value <= 150


def test_what_lies_beyond_the_measured_is_named_with_how_far(model: Model) -> None:
    assert not predict(model, "sse", asked(1000, 2.0), 200).latency_beyond
    found = predict(model, "sse", asked(6000, 2.0), 200)
    assert [str(each) for each in found.cost_beyond] == [
        "6,000 clients a process is 12 times above the 500 that was measured"
    ]
    slow = predict(model, "sse", asked(200, 0.1), 200)
    assert not slow.cost_beyond
    assert [str(each) for each in slow.latency_beyond] == [
        "0.1 messages a second is 5 times below the 0.5 that was measured"
    ]


def test_a_stream_that_cannot_keep_up_has_no_latency() -> None:
    assert quantile_s("sse", asked(500, 40.0), 60e-6, 0.99) == np.inf


def test_too_few_cells_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"sse: 3 cells are too few .* --measure"):
        fit("sse", "cores", made_up_cells(patterns=["sse"])[:3])


def test_a_model_file_is_read_as_it_was_written(model: Model, tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    file.write_bytes(msgspec.json.encode(model))
    assert model_file.read(file) == model
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(model, schema=9)))
    with pytest.raises(ReportError, match="schema 9, this version reads 1; make one with"):
        model_file.read(file)
    file.write_text('{"schema": 1}')
    with pytest.raises(ReportError, match="missing required field"):
        model_file.read(file)


def test_a_run_s_cells_are_observed_as_they_were(folder: Path) -> None:
    found = {each.pattern: each for each in observations(load(folder))}
    assert set(found) == set(LABELS)
    assert found["sse"].load.requests_per_s == 0
    assert found[ASKED].load.requests_per_s == pytest.approx(6 / 0.4, rel=0.1)
    assert all(each.load.clients == 6 and each.cores > 0 and each.memory_bytes > 0 for each in found.values())
    sse = found["sse"]
    assert sse.sent_bytes_per_s == pytest.approx(sse.load.payload_bytes_per_s, rel=0.1)


def test_the_model_that_ships_is_what_its_own_observations_give_and_covers_what_it_promises() -> None:
    shipped = model_file.read(model_file.RECORDED)
    assert coverage(shipped.observations) == shipped.coverage
    assert 0.8 <= shipped.coverage.share <= 0.98
    assert set(shipped.laws) == set(LABELS)
    assert shipped.machine.cpu and shipped.commit and shipped.versions["sources"]


def test_latencies_of_the_largest_load_lie_in_the_intervals_of_a_model_that_did_not_see_it() -> None:
    cells = model_file.read(model_file.RECORDED).observations
    found = [each for each in held_out(cells) if each[0].load.clients == 5000 and each[1] in LATENCIES]
    assert len(found) == 11  # SSE's p99 was the load process's own, and left out
    assert {cell.pattern for cell, _, _ in found} == set(LABELS)
    assert sum(at.low <= getattr(cell, figure) <= at.high for cell, figure, at in found) >= 0.8 * len(found)
    assert coverage(cells, LATENCIES).share >= 0.8


def test_a_latency_of_a_late_load_process_is_left_out_and_its_costs_stand() -> None:
    cells = made_up_cells(noise=0.0, patterns=["sse"])
    late = [msgspec.structs.replace(cell, p99_ms=None) if cell.load.clients == 500 else cell for cell in cells]
    assert fit("sse", "cores", late) == fit("sse", "cores", cells)
    assert fit("sse", "p99_ms", late).freedom == fit("sse", "p99_ms", cells).freedom - 4


def test_a_machine_s_own_model_is_taken_before_the_one_that_ships(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert model_file.chosen(None)[1].startswith("the recorded model that ships, measured on ")
    (tmp_path / "runs").mkdir()
    (tmp_path / model_file.OWN).write_bytes(msgspec.json.encode(model))
    assert model_file.chosen(None) == (
        model,
        "runs/model.json, measured on another machine (made up, 2 cores, 2026-11-24)",
    )


def test_runs_of_two_machines_make_no_model(folder: Path, tmp_path: Path) -> None:
    run = load(folder)
    other = replace(run, manifest=msgspec.structs.replace(run.manifest, versions={"pollbench": "9"}), path=tmp_path)
    with pytest.raises(ValueError, match=r"its versions differ from those of .* give runs of one machine and version"):
        model_file.of_runs([run, other], None)


def test_a_run_of_somebody_s_own_server_is_not_what_the_model_is_of(folder: Path) -> None:
    run = load(folder)
    (scenario,) = run.manifest.scenarios
    foreign = msgspec.structs.replace(run.manifest, scenarios=[scenario | {"server": "mine"}])
    with pytest.raises(ValueError, match=r"scenario small sets server, .*: leave the run out"):
        observations(replace(run, manifest=foreign))


def test_the_command_fits_runs_and_prints_laws_and_coverage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = replace(SMALL, clients=(3, 6, 12), schedule="poisson:8,poisson:20")
    run = write_run(tmp_path / "run", [scene], repeats=2, labels={"sse": "SSE"})
    assert pollbench.main(["model", str(run), "--out", str(tmp_path / "model.json")]) == 0
    told = capsys.readouterr().out
    assert "us per delivery" in told and "theory p99" in told and "held-out figures" in told
    assert model_file.read(tmp_path / "model.json").labels == {"sse": "SSE"}


def test_no_runs_to_fit_is_one_line_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert pollbench.main(["model"]) == 2
    assert "name run folders, or measure some with --measure" in " ".join(capsys.readouterr().err.split())
