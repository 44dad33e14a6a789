"""A test driven by hand becomes a run that the reports read: one cell a pattern, all rows, nothing mixed."""

import json
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from loadtests.locust_ui.manual_test import cells_of, scenario_of
from loadtests.records.manifest import SESSION, SessionRecord
from loadtests.records.recorder import Recorder
from loadtests.records.rows import DELIVERY, REQUEST, ROLES, Delivery, Request, Sample
from loadtests.runs.by_hand.manual_run import make_run
from loadtests.runs.run_folder import RunRefused
from loadtests.runs.runner import begin, reopen
from loadtests.runs.target import Stats
from loadtests.scenario.locust_options import LoadOptions
from loadtests.scenario.plan import Plan, scenario_fields
from loadtests.scenario.scenarios import SCENARIOS
from reports.data.load import ReportError, Run, load
from reports.measures.measures import per_cell, summary
from reports.theory.compare import agreements
from reports.validity.checks import cautions
from tests.other_rows import with_rows

S = 10**9
MESSAGES = 200
SERVER, GENERATOR = (ROLES.index(role) for role in ("server", "generator"))


LABELS = {"sse": "Server-Sent Events", "short_polling": "Short polling"}
STATS = Stats(token="", clock_id="", newest_id=0, start_at_ns=0, schedule="steady:10", message_bytes=200)


def session(users: dict[str, int] | None = None, poll_interval_s: float = 1.0, **changes: object) -> SessionRecord:
    """Return what the process that started the test leaves. changes: facts of all cells."""
    facts = {"load_command": ["locust"], "server_pid": 1, "spawned_by_ns": 1 * S, "window_from_ns": 2 * S}
    facts |= {"load_ended_ns": 20 * S, "published": MESSAGES, **changes}
    scenario = scenario_of(LoadOptions(poll_interval_s=poll_interval_s), STATS)
    cells = [
        msgspec.structs.replace(cell.unmeasured(LABELS.get(cell.pattern, cell.pattern)), **facts)
        for cell in cells_of(scenario, users or {"sse": 2, "short_polling": 2})
    ]
    return SessionRecord(
        command="locust -f loadtests/locustfile.py",
        started_at="2026-11-24T07:30:00Z",
        scenario=scenario_fields(scenario),
        cells=cells,
    )


def record(folder: Path, told: SessionRecord) -> Path:
    """Leave what the conductor leaves: rows, what was published (ten a second), and the facts."""
    recorder = Recorder()
    recorder.start(folder)
    published_ns = {at: at * S // 10 for at in range(1, MESSAGES + 1)}
    users = iter(range(100))
    for cell in told.cells:
        tape = recorder.tape(cell.pattern)
        for user in islice(users, cell.clients):
            tape.requests += REQUEST.pack(*Request(user, 1, 1, 1, 1, 20 * S, 200, 0, MESSAGES, 0, 10, 5000, 0))
            for at, ns in published_ns.items():
                tape.deliveries += DELIVERY.pack(*Delivery(user, at, ns, ns + 1000, ns + 3_000_000, 25, 0))
    for second in range(21):
        recorder.sample(Sample(second * S, 1, GENERATOR, second * 1000, 5, -1, -1, 1000, 4, second, second, 1, 1))
        recorder.sample(Sample(second * S, 2, SERVER, second * 20_000_000, 5, 9, 9, -1, -1, -1, -1, -1, -1))
    recorder.finish()
    lines = "".join(f"{at},{ns},{ns + 1000}\n" for at, ns in published_ns.items())
    (folder / "published.csv").write_text(f"id,due_ns,published_ns\n{lines}", encoding="ascii")
    (folder / "session.json").write_bytes(msgspec.json.encode(told))
    return folder


def told(run: Run) -> str:
    return " ".join(each.cause for each in cautions(run, per_cell(run), summary(run)))


def test_each_pattern_is_a_cell_with_its_own_rows_over_the_window_that_all_share(tmp_path: Path) -> None:
    make_run(record(tmp_path, session()))
    run = load(tmp_path)
    assert (run.manifest.kind, run.manifest.repeats) == (SESSION, 1)
    assert run.manifest.cells == ["session-2-short_polling-1", "session-2-sse-1"]
    assert run.deliveries.groupby("pattern", observed=True).size().to_dict() == {
        "short_polling": 2 * MESSAGES,
        "sse": 2 * MESSAGES,
    }
    cells = per_cell(run).set_index("pattern")
    # Due from 2 s to 20 - 1.5 s, ten a second, two users.
    assert cells["owed"].tolist() == cells["delivered"].tolist() == [330, 330]
    assert cells["p50_ms"].tolist() == [3.0, 3.0]
    assert run.manifest.scenarios[0]["window_s"] == 16.5
    assert not (tmp_path / "raw").exists()
    assert not list(tmp_path.glob("cells/*/raw"))


def test_what_patterns_sent_over_the_wire_is_told_apart_or_not_told(tmp_path: Path) -> None:
    make_run(record(tmp_path / "several", session()))
    make_run(record(tmp_path / "one", session(users={"sse": 2})))
    assert (load(tmp_path / "several").samples["wire_bytes_in"] == -1).all()
    assert load(tmp_path / "one").samples["wire_bytes_in"].max() == 20
    assert pd.read_parquet(tmp_path / "several" / "samples.parquet")["wire_bytes_in"].max() == 20


def test_what_the_server_cost_is_told_of_one_pattern_and_of_several_only_of_all_together(
    tmp_path: Path,
) -> None:
    make_run(record(tmp_path / "several", session()))
    make_run(record(tmp_path / "one", session(users={"sse": 2})))
    assert per_cell(load(tmp_path / "several"))["cpu_ms_per_1000"].isna().all()
    one = load(tmp_path / "one")
    (share,) = per_cell(one)["server_cpu_share"]
    assert share == pytest.approx(0.02)
    assert "was not measured" not in told(one)
    assert "was not measured" in told(with_rows(one, samples=one.samples[one.samples["role"] != "server"]))
    assert pd.read_parquet(tmp_path / "several" / "samples.parquet")["cpu_ns"].max() == 20 * 20_000_000


def test_patterns_with_unequal_numbers_of_users_are_not_put_side_by_side(tmp_path: Path) -> None:
    make_run(record(tmp_path, session(users={"sse": 3, "short_polling": 2, "websocket": 0})))
    run = load(tmp_path)
    assert run.manifest.cells == ["session-of-2-2-short_polling-1", "session-of-3-3-sse-1"]
    assert [scenario["name"] for scenario in run.manifest.scenarios] == ["session-of-2", "session-of-3"]


def test_a_session_without_a_window_or_with_a_problem_is_not_reported_and_says_why(tmp_path: Path) -> None:
    make_run(record(tmp_path / "short", session(load_ended_ns=3 * S)))
    with pytest.raises(ReportError, match=r"it ended too soon to be measured: it must run 1\.5 s longer"):
        load(tmp_path / "short")
    make_run(record(tmp_path / "lost", session(problems=["1 of 2 workers did not hand in their samples"])))
    with pytest.raises(ReportError, match="1 of 2 workers did not hand in"):
        load(tmp_path / "lost")


def test_rows_that_are_not_there_are_a_problem_of_their_cell_alone(tmp_path: Path) -> None:
    folder = record(tmp_path, session())
    (torn,) = (folder / "raw").glob("deliveries-sse-*.rows")
    torn.write_bytes(torn.read_bytes()[: -DELIVERY.size])
    make_run(folder)
    run = load(folder)
    assert run.finished["pattern"].tolist() == ["short_polling"]
    assert "rows, its process recorded 400" in str(run.cells.set_index("pattern").loc["sse", "problems"])


def test_a_process_that_did_not_say_what_it_recorded_is_a_problem(tmp_path: Path) -> None:
    folder = record(tmp_path, session())
    (counts,) = (folder / "raw").glob("counts-*.json")
    assert set(json.loads(counts.read_text())) == {
        f"{table}-{pattern}-{counts.stem.split('-')[1]}"
        for table, pattern in [
            *[(table, pattern) for table in ("requests", "deliveries") for pattern in LABELS],
            ("samples", ""),
        ]
    }
    counts.unlink()
    make_run(folder)
    with pytest.raises(ReportError, match="no load process reported its records"):
        load(folder)


def test_planned_and_driven_by_hand_leave_the_same_manifest(tmp_path: Path) -> None:
    make_run(record(tmp_path / "by-hand", session()))
    planned = Plan(SCENARIOS["feed"], ("sse",), 1)
    begin(tmp_path / "planned", planned, LABELS, "run")
    by_hand, asked = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("by-hand", "planned"))
    assert by_hand.keys() == asked.keys()
    assert by_hand["scenarios"][0].keys() == asked["scenarios"][0].keys()
    assert (by_hand["machine"], by_hand["versions"]) == (asked["machine"], asked["versions"])
    cell = json.loads((tmp_path / "by-hand" / "cells" / "session-2-sse-1" / "cell.json").read_text())
    (unmeasured,) = planned.cells()
    assert cell.keys() == msgspec.to_builtins(unmeasured.unmeasured("SSE")).keys()
    assert cell["settings"].keys() == unmeasured.settings.keys()
    assert cell["settings"]["window_s"] == 16.5


def test_a_client_that_received_nothing_is_a_problem_as_in_a_planned_run(tmp_path: Path) -> None:
    folder = record(tmp_path, session(users={"sse": 2}))
    (rows,) = (folder / "raw").glob("deliveries-sse-*.rows")
    rows.write_bytes(rows.read_bytes()[: MESSAGES * DELIVERY.size])
    (counts,) = (folder / "raw").glob("counts-*.json")
    counts.write_text(counts.read_text().replace(f": {2 * MESSAGES}", f": {MESSAGES}"))
    words = {"0": "HTTP/1.1 200 OK\r\n\r\ndata", "1": "HTTP/1.1 200 OK\r\nServer: other\r\n\r\n<html>"}
    (folder / "raw" / "seen-1.json").write_text(json.dumps(words))
    (cell,) = make_run(folder)
    (problem,) = cell.problems
    assert problem.startswith("1 of 2 clients received nothing of the 165 messages that were due: ")
    assert "Server: other, whose body began with b'<html>'" in problem


def test_a_session_cannot_be_resumed(tmp_path: Path) -> None:
    make_run(record(tmp_path, session()))
    with pytest.raises(RunRefused, match="driven by hand"):
        reopen(tmp_path)


def test_a_closed_loop_is_reported_without_a_theory(tmp_path: Path) -> None:
    make_run(record(tmp_path, session(poll_interval_s=0.0)))
    run = load(tmp_path)
    assert agreements(run, summary(run)) == []
    assert np.isfinite(per_cell(run)["p99_ms"]).all()
