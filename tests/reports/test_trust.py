"""What the page says in favour of a run: true to the figures, and marked where a caution says no."""

from dataclasses import replace

import msgspec
import pandas as pd
import pytest

from reports.data.load import Run, load
from reports.measures.measures import per_cell, summary
from reports.validity.caution import Caution, Facts
from reports.validity.evidence_text import QUESTIONS, accounts, grounds, side_by_side
from tests.reports.conftest import SMALL
from tests.synthetic import write_run
from tests.synthetic_patterns import World


@pytest.fixture
def facts(run: Run, cells: pd.DataFrame, rows: pd.DataFrame) -> Facts:
    machine = msgspec.structs.replace(run.manifest.machine, open_files=20_000, ports=28_232)
    manifest = msgspec.structs.replace(run.manifest, machine=machine)
    return Facts(replace(run, manifest=manifest), cells, rows)


def answers(facts: Facts, *cautions: Caution) -> dict[str, str]:
    return {ground.question: ground.answer for ground in grounds(facts, cautions)}


def test_every_question_is_answered_for_a_run_that_tells_all(facts: Facts) -> None:
    # All but the one that is asked of servers that are not ours.
    assert {QUESTIONS[name][0] for name in QUESTIONS if name != "identity"} == set(answers(facts))
    told = answers(facts)
    assert "for each of 72 clients and in total: 1,224 = 1,224 + 0 + 0" in told["Is every message accounted for?"]
    assert told["Were there enough ports and open files?"] == (
        "6 clients at once; this system has 20,000 open files for each process and 28,232 ports for connections to "
        "one server."
    )
    assert "none of 60 were skipped" in told["Were polls sent when they were due?"]
    assert "network delay" not in told["Was CPU left over?"]


def test_what_stood_between_clients_and_server_is_told_with_what_it_added(facts: Facts) -> None:
    question = "Did the network delay match the setting?"
    assert answers(facts)[question] == "There was no network delay between clients and server."
    relayed = facts.summary.assign(relay_late_mean_ms=0.05, relay_late_max_ms=2.0, relay_cpu_share=0.11, rtt_ms=20.0)
    told = answers(Facts(facts.run, facts.cells, relayed))[question].replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert told.endswith(
        "At 20 ms round trip, depending on the pattern, it wrote 0.05 ms late on average, 2.0 ms at worst, and used "
        "11 % of a core."
    )
    scenarios = [{**scenario, "network": "netem"} for scenario in facts.run.manifest.scenarios]
    manifest = msgspec.structs.replace(facts.run.manifest, scenarios=scenarios)
    assert "netem" in answers(Facts(replace(facts.run, manifest=manifest), facts.cells, facts.summary))[question]


def test_what_the_platform_does_not_tell_is_not_claimed(facts: Facts) -> None:
    blind = facts.cells.assign(
        **{name: float("nan") for name in map(str, facts.cells) if "waited" in name or "cpu" in name}
    )
    told = answers(Facts(facts.run, blind.assign(generator_lag_ms=float("nan")), facts.summary))
    assert "Did processes have to wait for CPU?" not in told
    assert "Was CPU left over?" not in told
    assert told["Did the load generator keep up?"] == "There are no samples of the load generator."


def test_a_caution_marks_the_question_it_answers_with_no_and_a_note_marks_none(facts: Facts) -> None:
    found = [Caution("suspect", "", "", "", "generator"), Caution("note", "", "", "", "samples")]
    assert [ground.question for ground in grounds(facts, found) if ground.doubted] == [
        "Did the load generator keep up?"
    ]


def test_a_cell_whose_books_are_open_is_not_said_to_close(facts: Facts) -> None:
    rows = facts.summary.assign(received=facts.summary["received"] - 1, discrepancies=2)
    told = answers(Facts(facts.run, facts.cells.assign(discrepancies=2), rows))["Is every message accounted for?"]
    assert "not in 12 cells: 1,224 does not equal 1,218 + 0 + 0" in told
    assert {account.closes for account in accounts(rows)} == {False}


def test_the_two_latencies_differ_by_how_late_the_publisher_was(rows: pd.DataFrame) -> None:
    for shown, row in zip(side_by_side(rows), rows.to_dict("records"), strict=True):
        assert (shown.due_p99, shown.sent_p99) == (row["p99_ms"], row["transit_p99_ms"])
        assert shown.hidden == row["p99_ms"] - row["transit_p99_ms"] >= 0
        assert shown.unsent == ("0 of 60" if row["pattern"] == "short_polling" else "")


def test_a_publisher_that_is_late_is_seen_from_the_due_instant_only(tmp_path_factory: pytest.TempPathFactory) -> None:
    """80 ms late on average: a stall-blind tool still says a millisecond."""
    folder = write_run(
        tmp_path_factory.mktemp("late"), [SMALL], repeats=1, labels={"sse": "SSE"}, world=World(lateness_ns=80_000_000)
    )
    (shown,) = side_by_side(summary(load(folder)))
    assert shown.sent_p99 < 5
    assert shown.due_p99 > 80
    assert shown.hidden > 75


def test_promises_are_counted_over_all_repeats(run: Run) -> None:
    (first, *_) = accounts(summary(run, per_cell(run)))
    assert first.title == "Short polling"
    assert first.promises == [("12 of 12", False)] * 3 + [("no reconnect", False)]
    broken = summary(run, per_cell(run)).assign(ordered_users=11, reconnected_users=3, resumed_users=2)
    assert accounts(broken)[0].promises == [
        ("11 of 12", True),
        ("12 of 12", False),
        ("12 of 12", False),
        ("2 of 3", True),
    ]
