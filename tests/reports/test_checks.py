"""Each caution appears for its cause, says what to do, and drags the verdict down as far as it should."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pandas as pd
import pytest

from reports.data.load import Run, load
from reports.measures.measures import per_cell, summary
from reports.validity.caution import Caution, Verdict, verdict
from reports.validity.checks import cautions
from tests.reports.conftest import SMALL
from tests.synthetic import write_run

Facts = tuple[Run, pd.DataFrame, pd.DataFrame]
Change = Callable[[Run, pd.DataFrame, pd.DataFrame], Facts]


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """A simulated run as if measured well: over a network, and long enough."""
    simulated = load(write_run(tmp_path_factory.mktemp("far"), [replace(SMALL, rtt_ms=(20.0,))], repeats=2))
    run = replace(simulated, manifest=msgspec.structs.replace(simulated.manifest, kind="compare"))
    cells = per_cell(run)
    return run, cells, summary(run, cells).assign(messages=1000)


def told(found: list[Caution]) -> str:
    return "\n".join(f"{caution.severity}: {caution.what}" for caution in found)


def test_a_run_without_a_flaw_is_valid(settled: Facts) -> None:
    found = cautions(*settled)
    assert not found, told(found)
    assert verdict(found) == "VALID"


def in_cells(**values: Any) -> Change:
    return lambda run, cells, rows: (run, cells.assign(**values), rows)


def in_rows(**values: Any) -> Change:
    return lambda run, cells, rows: (run, cells, rows.assign(**values))


def in_manifest(**values: Any) -> Change:
    def change(run: Run, cells: pd.DataFrame, rows: pd.DataFrame) -> Facts:
        return replace(run, manifest=msgspec.structs.replace(run.manifest, **values)), cells, rows

    return change


def in_cell_files(**values: Any) -> Change:
    return lambda run, cells, rows: (replace(run, cells=run.cells.assign(**values)), cells, rows)


def with_fault(run: Run, cells: pd.DataFrame, rows: pd.DataFrame) -> Facts:
    scenarios = [{**scenario, "fault": "drop:0.01"} for scenario in run.manifest.scenarios]
    return in_manifest(scenarios=scenarios)(run, cells, rows)


def failed_first_cell(run: Run, cells: pd.DataFrame, rows: pd.DataFrame) -> Facts:
    status = ["failed", *run.cells["status"][1:]]
    return in_cell_files(status=status, problems="a worker was lost")(run, cells, rows)


def machine_without_clock(run: Run, cells: pd.DataFrame, rows: pd.DataFrame) -> Facts:
    return in_manifest(machine=msgspec.structs.replace(run.manifest.machine, clock_id=""))(run, cells, rows)


NAN = float("nan")
NARROW = "\N{NARROW NO-BREAK SPACE}"


def warming_up_once(run: Run, cells: pd.DataFrame, rows: pd.DataFrame) -> Facts:
    return run, cells.assign(warmup_share=[0.2, *[0.0] * (len(cells) - 1)]), rows


def once(**columns: float) -> Change:
    """In one repeat of each pattern, of three."""

    def change(run: Run, cells: pd.DataFrame, rows: pd.DataFrame) -> Facts:
        tripled = pd.concat([cells.assign(repeat=repeat) for repeat in range(3)], ignore_index=True)
        return (
            run,
            tripled.assign(**{name: tripled[name].where(tripled["repeat"] > 0, columns[name]) for name in columns}),
            rows,
        )

    return change


def short_of_ports(run: Run, cells: pd.DataFrame, rows: pd.DataFrame) -> Facts:
    machine = msgspec.structs.replace(run.manifest.machine, ports=1_000)
    return in_manifest(machine=machine)(run, cells.assign(connections=950.0), rows)


def other_hosts_once(run: Run, cells: pd.DataFrame, rows: pd.DataFrame) -> Facts:
    hosts = ["beta: 4 cores, A; alpha: 2 cores, A", *["alpha: 2 cores, A; gamma: 2 cores, A"] * (len(run.cells) - 1)]
    return in_cell_files(hosts=hosts)(run, cells, rows)


CASES: list[tuple[Change, Verdict, str]] = [
    (in_manifest(kind="synthetic"), "INVALID", "Nothing here was measured"),
    (with_fault, "INVALID", "The server was wrong on purpose (drop:0.01)"),
    (failed_first_cell, "SUSPECT", "1 cell of 12 failed"),
    (
        lambda run, cells, rows: (replace(run, cells=run.cells[1:]), cells, rows),
        "SUSPECT",
        "1 cell of 12 never finished",
    ),
    (in_cells(negative=1), "INVALID", "12 messages arrived before being published"),
    (machine_without_clock, "SUSPECT", "The clock has no name"),
    (in_rows(missed=3), "SUSPECT", "18 deliveries never arrived"),
    (in_rows(in_flight=1), "SUSPECT", "were still in flight at the end"),
    (in_rows(duplicated=1), "SUSPECT", "arrived more than once"),
    (in_rows(reordered=1), "SUSPECT", "arrived after a newer one"),
    (in_rows(unknown=1), "SUSPECT", "are not in the server's journal"),
    (in_cell_files(spawned_by_ns=10**15), "INVALID", "Clients were still connecting when measuring began"),
    (in_cells(users=5), "SUSPECT", "Not every client received something"),
    (
        in_cells(pushed_ratio=0.0),
        "INVALID",
        "100\N{NARROW NO-BREAK SPACE}% of the messages of HTTP/2 push were not pushed",
    ),
    (in_cells(pushed_ratio=0.5), "SUSPECT", "of HTTP/2 push were not pushed"),
    (in_cells(p99_ms=950.0, p99_ms_floor=50.0), "INVALID", f"was late: up to 900{NARROW}ms of a p99 of 950"),
    (in_cells(p50_ms=50.0, p50_ms_floor=5.0), "INVALID", f"was late: up to 45{NARROW}ms of a median of 50"),
    (in_cells(p99_ms=4.0, p99_ms_floor=1.5), "VALID", f"was late: up to 2.5{NARROW}ms of a p99 of 4"),
    (in_cells(p99_ms=4.0, p99_ms_floor=2.5), "VALID", ""),
    (in_cells(generator_lag_ms=900.0), "VALID", ""),
    (in_cells(wait_p50_ms=NAN), "VALID", "Not measured here: the delay in the load generator"),
    (in_cells(generator_cpu_peak=0.9), "SUSPECT", "The load generator used 90"),
    (in_cells(generator_cpu_peak=0.99, generator_cpu_usual=0.97), "INVALID", "The load generator used 99"),
    (in_cells(p99_ms_floor=NAN, generator_lag_ms=19.0, p99_ms=30.0), "SUSPECT", "The load generator was late"),
    (in_cells(p99_ms_floor=NAN, generator_lag_ms=21.0, p99_ms=30.0), "INVALID", "The load generator was late"),
    (in_cells(p99_ms_floor=NAN, generator_lag_ms=21.0, p99_ms=300.0), "VALID", ""),
    (in_cells(generator_lag_ms=float("nan")), "SUSPECT", "There are no samples of the load generator in 12 cells"),
    (in_cells(generator_stopped_ms=500.0), "INVALID", "The load generator stood still for 500"),
    (in_cells(generator_waited_share=0.2), "SUSPECT", "The load generator waited for CPU for 20"),
    (in_cells(generator_waited_share=0.3), "INVALID", "The load generator waited for CPU for 30"),
    (in_cell_files(hosts="alpha: 2 cores, A; beta: 2 cores, A"), "VALID", ""),
    (other_hosts_once, "SUSPECT", "Not all cells had the same kind of load hosts"),
    (in_cells(server_waited_share=0.3), "SUSPECT", "The server waited for CPU for 30"),
    (in_cells(relay_waited_share=0.3), "SUSPECT", "The network delay waited for CPU for 30"),
    (in_cells(server_cpu_usual=0.97), "SUSPECT", "The server used all of its core"),
    (in_cells(server_cpu_peak=0.97), "VALID", ""),
    (in_cells(relay_cpu_peak=0.9), "SUSPECT", "The network delay used 90"),
    (in_cells(lateness_p99_ms=900.0), "SUSPECT", "The publisher was late"),
    (once(lateness_p99_ms=900.0), "VALID", "The publisher was late"),
    (in_cells(send_late_p99_ms=21.0, polls_due=9), "SUSPECT", "1 % of the polls were sent 21"),
    (once(send_late_p99_ms=21.0, polls_due=9), "VALID", "1 % of the polls were sent 21"),
    (in_cells(send_late_p99_ms=19.0, polls_due=9), "VALID", ""),
    (in_cells(send_late_p99_ms=21.0, polls_due=0), "VALID", ""),
    (in_rows(polls_unsent=2, polls_due=60), "SUSPECT", "12 polls of 360 that were due were never sent"),
    (
        in_rows(errors=3, error_reset=2, error_timeout=1),
        "SUSPECT",
        "18 requests failed (all 6 patterns): reset 12, tim",
    ),
    (in_rows(reconnected_users=4, resumed_users=3), "SUSPECT", "6 clients of 24 did not resume where they were"),
    (in_cells(warmup_share=0.2), "SUSPECT", "12 cells of 12 took 20"),
    (in_cells(warmup_share=1.0), "SUSPECT", "12 cells of 12 never settled"),
    (warming_up_once, "VALID", "1 cell of 12 took 20"),
    (short_of_ports, "VALID", "950 connections were opened in a cell, this system has 1,000 ports"),
    (
        in_rows(mean_ms=900.0),
        "SUSPECT",
        "Short polling does not agree with theory: mean 900\N{NARROW NO-BREAK SPACE}ms, by theory",
    ),
    (
        lambda run, cells, rows: (run, cells, rows.replace({"pattern": {"sse": "carrier_pigeon"}})),
        "VALID",
        "note: No theory covers SSE",
    ),
    (in_rows(messages=50), "VALID", "p99 rests on 50 messages"),
    (in_rows(messages=5), "SUSPECT", "p99 rests on 5 messages"),
    (in_rows(repeats=1), "VALID", "There is a single repeat"),
    (in_cells(relay_late_mean_ms=900.0), "SUSPECT", "The relay was late by 900"),
    (in_cells(kernel_per_client_bytes=NAN), "VALID", "Not measured here: memory queued in kernel sockets"),
    (in_manifest(kind="session"), "VALID", "This test was driven by hand, all patterns at once"),
]


@pytest.mark.parametrize(("change", "expected", "what"), CASES, ids=[f"{what}-{worth}" for _, worth, what in CASES])
def test_a_flaw_becomes_a_caution_with_cause_and_remedy(
    settled: Facts, change: Change, expected: Verdict, what: str
) -> None:
    found = cautions(*change(*settled))
    assert what in told(found)
    assert verdict(found) == expected, told(found)
    assert all(caution.cause and caution.remedy for caution in found)


def test_that_there_was_no_network_delay_is_noted(run: Run, cells: pd.DataFrame, rows: pd.DataFrame) -> None:
    found = cautions(*in_manifest(kind="compare")(run, cells, rows.assign(messages=1000)))
    assert told(found) == "note: There was no network delay between server and clients"


def test_cautions_come_worst_first(settled: Facts) -> None:
    both: Any = in_cells(negative=1, users=5)(*in_rows(repeats=1)(*settled))
    assert [caution.severity for caution in cautions(*both)] == ["invalid", "suspect", "note"]
