"""Measured beside theory: simulated runs without a fault agree whatever they measure, and each fault is found out."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from loadtests.records import manifest
from loadtests.scenario.scenarios import Scenario
from reports.data.load import Run, load
from reports.measures.measures import per_cell, summary
from reports.theory.compare import FIGURES, Agreement, agreements, expected_curve
from reports.theory.theory_table import in_words, theory_table
from reports.validity.by_theory import without_theory
from reports.validity.caution import Caution, Facts
from reports.validity.checks import cautions
from tests.other_rows import with_rows
from tests.synthetic import LABELS, write_run
from tests.synthetic_patterns import World

FEED = Scenario(
    name="feed",
    purpose="messages at random instants",
    clients=(12,),
    schedule="poisson:5",
    poll_interval_s=0.5,
    warmup_s=0.5,
    window_s=4.0,
)
DISTANT = replace(FEED, rtt_ms=(40.0,))
QUIET = replace(DISTANT, schedule="poisson:0.4", window_s=20.0)
POLLS = {name: LABELS[name] for name in ("short_polling", "long_polling")}
SHORT, LONG = ({name: LABELS[name]} for name in POLLS)
STREAMS = {name: label for name, label in LABELS.items() if name not in POLLS}

Simulate = Callable[..., Run]


@pytest.fixture
def simulate(tmp_path: Path) -> Simulate:
    """Return simulate(scenario, labels, world, declared=, repeats=): a run that says to have measured `declared`."""
    made = 0

    def simulated(
        scenario: Scenario,
        labels: Mapping[str, str] = LABELS,
        world: World | None = None,
        declared: Scenario | None = None,
        repeats: int = 2,
    ) -> Run:
        nonlocal made
        made += 1
        folder = tmp_path / str(made)
        folder.mkdir()
        write_run(folder, [scenario], repeats=repeats, labels=labels, world=world)
        file = folder / "run.json"
        run = msgspec.json.decode(file.read_bytes(), type=manifest.Run)
        declared_run = msgspec.structs.replace(run, scenarios=[asdict(declared or scenario)], kind="compare")
        file.write_bytes(msgspec.json.encode(declared_run))
        return load(folder)

    return simulated


def disagreeing(run: Run) -> list[Agreement]:
    return [each for each in agreements(run, summary(run)) if not each.agrees]


def told(found: list[Caution]) -> str:
    return "\n".join(f"{caution.severity}: {caution.what}" for caution in found)


# Without a fault

HONEST: dict[str, tuple[Scenario, Mapping[str, str]]] = {
    "a feed 40 ms away": (DISTANT, LABELS),
    "uniform gaps": (replace(DISTANT, poll_pace="uniform"), SHORT),
    "exponential gaps": (replace(FEED, poll_pace="exponential"), SHORT),
    "a pause behind each answer": (replace(DISTANT, poll_pace="pause"), SHORT),
    "one message a response": (replace(DISTANT, one_per_response=True), LONG),
    "one message a response, nearly too many": (
        replace(DISTANT, one_per_response=True, schedule="poisson:18"),
        LONG,
    ),
    "more messages than gaps": (replace(DISTANT, schedule="poisson:40"), LONG),
    "holds that end empty": (replace(QUIET, hold_timeout_s=1.5), POLLS),
    "first polls that open their connections in the window": (replace(FEED, poll_interval_s=3.0), SHORT),
    "polls further apart than heartbeats": (replace(FEED, poll_interval_s=2.5, heartbeat_s=1.0), SHORT),
    "bursts": (replace(FEED, schedule="burst:20/1"), LABELS),
    "a steady schedule": (replace(DISTANT, schedule="steady:4", poll_interval_s=0.35), LABELS),
    "polls in step with a steady schedule": (replace(FEED, schedule="steady:2"), SHORT),
    "two hundred clients": (replace(FEED, clients=(200,)), LABELS),
    "a single client": (replace(DISTANT, clients=(1,)), LABELS),
    "under TLS": (replace(DISTANT, tls=True), LABELS),
    "bursts under TLS": (replace(FEED, schedule="burst:20/1", tls=True), LABELS),
    "messages of two records": (replace(FEED, message_bytes=20_000, tls=True), LABELS),
    "a server of somebody else's": (replace(FEED, server="theirs"), LABELS),
}


@pytest.mark.parametrize("pattern", LABELS)
def test_the_simulation_of_every_pattern_agrees_with_its_theory(simulate: Simulate, pattern: str) -> None:
    run = simulate(FEED, {pattern: LABELS[pattern]})
    compared = agreements(run, summary(run))
    assert {each.name for each in compared} >= {"p50_ms", "payload_bytes_per_delivery"}
    assert not [in_words(each) for each in compared if not each.agrees]


@pytest.mark.parametrize("name", HONEST)
def test_a_run_without_a_fault_agrees_with_theory_in_every_figure(simulate: Simulate, name: str) -> None:
    scenario, labels = HONEST[name]
    run = simulate(scenario, labels)
    compared = agreements(run, summary(run))
    assert {each.pattern for each in compared} == set(labels)
    assert not [in_words(each) for each in compared if not each.agrees]
    exact = any(each.name == "payload_bytes_per_delivery" for each in compared)
    assert exact == (not scenario.server)


@pytest.mark.parametrize(("apart_ns", "agrees"), [(1_000, False), (400_000, True)])
def test_two_messages_published_well_apart_may_have_been_one_wake_up_or_two(
    simulate: Simulate, apart_ns: int, agrees: bool
) -> None:
    run = simulate(replace(FEED, schedule="burst:2/1"), {"sse": LABELS["sse"]})
    first = run.published.groupby(["cell", "due_ns"], observed=True)["published_ns"].transform("min")
    published = run.published.assign(published_ns=first + apart_ns * (run.published["published_ns"] > first))
    split = with_rows(run, published=published, deliveries=run.deliveries.assign(bytes=run.deliveries["bytes"] + 3))
    assert ("payload_bytes_per_delivery" not in {each.name for each in disagreeing(split)}) == agrees


@pytest.mark.parametrize("tls", [False, True])
def test_every_pattern_is_compared_in_every_figure_it_has(simulate: Simulate, tls: bool) -> None:
    run = simulate(replace(DISTANT, tls=tls), repeats=1)
    compared = agreements(run, summary(run))
    for pattern in LABELS:
        names = [each.name for each in compared if each.pattern == pattern]
        assert names == [name for name in FIGURES if pattern in POLLS or name != "empty_ratio"]


def test_handshakes_in_the_window_leave_no_theory_of_what_is_on_the_wire(simulate: Simulate) -> None:
    opening, wire = replace(FEED, poll_interval_s=3.0, tls=True), {"wire_bytes_per_delivery", "segments_per_delivery"}
    run = simulate(opening, SHORT)
    compared = agreements(run, summary(run))
    assert not wire & {each.name for each in compared}
    assert {each.name for each in compared if each.agrees} == set(FIGURES) - wire
    plain = simulate(opening, SHORT, declared=replace(opening, tls=False))
    assert wire <= {each.name for each in agreements(plain, summary(plain))}


def test_a_window_that_begins_before_everybody_was_answered_may_hold_handshakes(simulate: Simulate) -> None:
    run = simulate(replace(DISTANT, tls=True), {"sse": LABELS["sse"]}, repeats=1)
    (cell,) = run.finished.to_dict("records")
    first_ns = run.requests["first_byte_ns"].where(run.requests["user"] > 0, cell["window_from_ns"] + 400_000_000)
    late = with_rows(run, requests=run.requests.assign(first_byte_ns=first_ns))
    for each, told in ((run, True), (late, False)):
        names = {found.name for found in agreements(each, summary(each))}
        assert ("wire_bytes_per_delivery" in names) == ("segments_per_delivery" in names) == told


@pytest.mark.slow
def test_of_many_runs_without_a_fault_none_is_called_wrong(simulate: Simulate) -> None:
    """Some 4,000 figures, whose bounds chance may pass four times in 100,000."""
    found = []
    for seed in range(20):
        scenario = replace(DISTANT, schedule=f"poisson:5,seed={seed}", poll_pace=("rate", "uniform:1")[seed % 2])
        run = simulate(scenario, LABELS if seed < 6 else POLLS, World(seed=seed), repeats=1 + seed % 3)
        found += [(seed, in_words(each)) for each in disagreeing(run)]
    assert not found


# With one

FAR = replace(FEED, clients=(50,), rtt_ms=(40.0,), poll_interval_s=1.0)
BUSY = replace(DISTANT, schedule="poisson:15")
OFTEN = replace(FEED, clients=(50,), schedule="poisson:2", poll_interval_s=0.25, window_s=10.0)
FAULTS: dict[str, tuple[Scenario, Scenario, Mapping[str, str], World, set[str]]] = {
    "polls at 1.1 intervals": (
        FAR,
        replace(FAR, poll_interval_s=1.1),
        SHORT,
        World(),
        {"mean_ms", "responses_per_s", "http_bytes_per_delivery"},
    ),
    "uneven polls": (FAR, replace(FAR, poll_pace="uniform"), SHORT, World(), {"p99_ms"}),
    "a pause in place of a rate": (FAR, replace(FAR, poll_pace="pause"), SHORT, World(), {"responses_per_s"}),
    "a hold cut short": (
        QUIET,
        replace(QUIET, hold_timeout_s=2.0),
        LONG,
        World(),
        {"responses_per_s", "empty_ratio", "http_bytes_per_delivery", "wire_bytes_per_delivery"},
    ),
    "a hold that goes on": (
        replace(QUIET, hold_timeout_s=1.5),
        replace(QUIET, hold_timeout_s=3.0),
        LONG,
        World(),
        {"responses_per_s", "empty_ratio"},
    ),
    "a missing cursor": (BUSY, BUSY, LONG, World(no_cursor=True), {"mean_ms", "p90_ms"}),
    "one message a response, unasked": (BUSY, replace(BUSY, one_per_response=True), LONG, World(), {"responses_per_s"}),
    "all at once, where one was asked for": (
        replace(BUSY, one_per_response=True),
        BUSY,
        LONG,
        World(),
        {"responses_per_s"},
    ),
    "2 ms more of distance": (
        DISTANT,
        DISTANT,
        {**STREAMS, **LONG},
        World(one_way_ns=2_150_000),
        {"mean_ms", "p50_ms"},
    ),
    "1 ms less of distance": (
        DISTANT,
        DISTANT,
        {**STREAMS, **LONG},
        World(one_way_ns=-850_000),
        {"mean_ms", "p50_ms"},
    ),
    "writes that wait": (FAR, FAR, {**STREAMS, **LONG}, World(write_ns=300_000), {"mean_ms", "p90_ms", "p99_ms"}),
    "no TLS where it was asked for": (
        replace(OFTEN, tls=True),
        OFTEN,
        LABELS,
        World(),
        {"wire_bytes_per_delivery"},
    ),
    "3 bytes more of framing": (FEED, FEED, LABELS, World(padding_bytes=3), {"payload_bytes_per_delivery"}),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_fault_is_found_out_in_every_pattern_that_has_it(simulate: Simulate, name: str, seed: int) -> None:
    declared, real, labels, world, figures = FAULTS[name]
    run = simulate(real, labels, replace(world, seed=seed), declared=declared, repeats=1)
    off = disagreeing(run)
    for pattern in labels:
        assert figures <= {each.name for each in off if each.pattern == pattern}, pattern


def test_a_fault_makes_the_run_suspect_and_names_what_is_off(simulate: Simulate) -> None:
    run = simulate(replace(FAR, poll_interval_s=1.1), SHORT, declared=FAR, repeats=1)
    found = cautions(run, per_cell(run), summary(run))
    (caution,) = [each for each in found if "theory" in each.what]
    assert caution.severity == "suspect"
    assert caution.what.startswith("Short polling does not agree with theory: mean ")
    assert "by theory" in caution.what
    assert "requests 4" in caution.what


@pytest.mark.parametrize("who", ["server", "generator"])
def test_a_fault_of_a_saturated_run_is_put_down_to_that(simulate: Simulate, who: str) -> None:
    """Theory assumes that nothing is overloaded: what it says of a run that was is no reproach."""
    run = simulate(replace(FAR, poll_interval_s=1.1), SHORT, declared=FAR, repeats=1)
    rows = summary(run).assign(**{f"{who}_cpu_share": 0.97})
    (caution,) = [each for each in cautions(run, per_cell(run), rows) if "heory" in each.what]
    assert caution.severity == "note"
    assert caution.what.startswith("Theory says nothing about Short polling: the ")
    assert caution.what.endswith(f"{who} was saturated")


def test_what_a_saturated_run_agrees_in_is_not_mentioned(simulate: Simulate) -> None:
    run = simulate(DISTANT, SHORT, repeats=1)
    rows = summary(run).assign(server_cpu_share=0.97)
    assert "heory" not in told(cautions(run, per_cell(run), rows))


# On the page


def test_the_curve_of_theory_has_the_quantiles_of_the_table(simulate: Simulate) -> None:
    run = simulate(DISTANT, repeats=2)
    rows = summary(run)
    for row in rows.to_dict("records"):
        bounds = {each.name: each for each in agreements(run, rows) if each.pattern == row["pattern"]}
        cells = run.finished[run.finished["pattern"] == row["pattern"]]
        curve = expected_curve(run, cells, row, run.manifest.scenarios[0], np.array([0.5, 0.9, 0.99]))
        assert curve == pytest.approx([bounds[name].theory for name in ("p50_ms", "p90_ms", "p99_ms")])


def test_a_pattern_without_a_theory_has_no_row_and_no_curve(simulate: Simulate) -> None:
    run = simulate(FEED, SHORT, repeats=1)
    rows = summary(run)
    rows["pattern"] = "carrier_pigeon"
    assert agreements(run, rows) == []
    row = rows.to_dict("records")[0]
    assert expected_curve(run, run.finished, row, run.manifest.scenarios[0], np.array([0.5])) is None


def test_polls_that_start_together_share_a_phase_and_have_no_theory_but_long_polls_do(simulate: Simulate) -> None:
    run = simulate(FEED, POLLS, repeats=1, declared=replace(FEED, poll_start="together"))
    rows = summary(run)
    assert {each.pattern for each in agreements(run, rows)} == {"long_polling"}
    (caution,) = without_theory(Facts(run, per_cell(run), rows))
    assert (caution.severity, caution.what) == ("note", "No theory covers Short polling")
    assert "begin spread over the interval" in caution.remedy


def test_the_table_has_a_line_for_each_situation_and_marks_what_is_off() -> None:
    def figure(name: str, measured: float, clients: int = 10, label: str = "SSE") -> Agreement:
        return Agreement("feed", clients, 0.0, 5.0, label.lower(), label, name, measured, 1.0, 0.9, 1.1)

    one = theory_table([figure("mean_ms", 1.0), figure("p99_ms", 1.2), figure("mean_ms", 1.0, label="Short polling")])
    assert one.columns == [("Mean", "ms"), ("p99", "ms")]
    assert [name for name, _ in one.lines] == ["SSE", "Short polling"]
    (mean, tail), (other, absent) = (figures for _, figures in one.lines)
    assert (mean.value, mean.bounds, mean.off) == ("1.00", "0.900\N{EN DASH}1.10", False)  # type: ignore[union-attr]
    assert tail.off  # type: ignore[union-attr]
    assert other is not None
    assert absent is None
    assert one.off
    narrowly = Agreement("feed", 10, 0.0, 5.0, "sse", "SSE", "wire_bytes_per_delivery", 323.46, 323, 322.9, 323.4)
    assert in_words(narrowly) == "tcp 323.5\N{NARROW NO-BREAK SPACE}B, by theory 322.9 to 323.4"
    several = theory_table([figure("mean_ms", 1.0), figure("mean_ms", 1.0, clients=20)])
    assert [name for name, _ in several.lines] == ["SSE, 10 clients", "SSE, 20 clients"]
    assert not several.off
