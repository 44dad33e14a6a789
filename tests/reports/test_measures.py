"""The one subtraction, the one conversion, and what becomes of a measure over repeats."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.data.load import Run
from reports.measures.latency_parts import first_arrivals
from reports.measures.measures import (
    BREAKDOWN,
    MEASURES,
    QUANTILES,
    conservation,
    latencies,
    latency_of,
    per_cell,
    summary,
)
from tests.other_rows import with_rows

MS = 1_000_000


def arrivals(run: Run, *rows: tuple[int, int, int, int]) -> Run:
    """The run with only these deliveries in its first cell: user, id, due and received, in ms into the window."""
    cell = run.finished.iloc[0]
    template = run.deliveries[run.deliveries["cell"] == cell["cell"]].iloc[: len(rows)].copy()
    from_ns = int(cell["window_from_ns"])
    template["user"] = np.array([row[0] for row in rows], "int32")
    template["id"] = [row[1] for row in rows]
    template["due_ns"] = template["published_ns"] = [from_ns + row[2] * MS for row in rows]
    template["received_ns"] = [from_ns + row[3] * MS for row in rows]
    template["arrived_ns"] = 0
    return with_rows(run, deliveries=template)


def test_latency_runs_from_due_to_received(run: Run) -> None:
    found = latencies(arrivals(run, (0, 1, 100, 107)))
    assert found["latency_ms"].tolist() == [7.0]
    assert found["due_s"].tolist() == [0.1]


def test_what_the_relay_said_of_itself_is_a_measure_and_unknown_where_there_was_none(run: Run) -> None:
    assert per_cell(run)[["relay_late_mean_ms", "relay_late_max_ms", "relay_cpu_share"]].isna().all(axis=None)
    first = run.cells["cell"] == run.cells["cell"].iloc[0]
    told = run.cells.assign(relay_late_mean_ms=run.cells["relay_late_mean_ms"].mask(first, 0.25))
    assert per_cell(replace(run, cells=told))["relay_late_mean_ms"].dropna().tolist() == [0.25]


def test_latency_is_transit_plus_lateness(run: Run) -> None:
    found = latencies(run)
    assert np.allclose(found["latency_ms"], found["transit_ms"] + found["lateness_ms"])
    assert (found["lateness_ms"] > 0).any()


def test_a_message_counts_by_when_it_was_due_not_by_when_it_arrived(run: Run) -> None:
    found = latencies(arrivals(run, (0, 1, -1, 5), (0, 2, 0, 5), (0, 3, 1999, 9000), (0, 4, 2000, 2001)))
    assert found["id"].tolist() == [2, 3]


def test_the_wait_for_our_loop_runs_from_the_kernels_stamp_and_is_unknown_without_one(run: Run) -> None:
    both = arrivals(run, (0, 1, 100, 107), (0, 2, 200, 209))
    stamped_ns = both.deliveries["received_ns"].iloc[0] - 3 * MS
    found = latencies(with_rows(both, deliveries=both.deliveries.assign(arrived_ns=[stamped_ns, 0])))
    assert found["wait_ms"].tolist() == [3.0, pytest.approx(float("nan"), nan_ok=True)]


def test_a_negative_latency_is_kept_and_counted(run: Run) -> None:
    found = latencies(arrivals(run, (0, 1, 100, 99), (0, 2, 200, 201)))
    assert found["latency_ms"].tolist() == [-1.0, 1.0]
    assert latency_of(found)["negative"] == 1


def test_quantiles_are_values_that_were_measured() -> None:
    window = pd.DataFrame({"user": 0, "id": range(100), "latency_ms": np.arange(1.0, 101.0)})
    window = window.assign(transit_ms=1.0, lateness_ms=0.0)
    found = latency_of(window.sample(frac=1, random_state=1))
    assert {name: found[name] for name in QUANTILES} == {"p50_ms": 50, "p90_ms": 90, "p99_ms": 99, "max_ms": 100}
    assert found["mean_ms"] == 50.5


def test_only_the_first_arrival_of_a_message_has_a_latency() -> None:
    window = pd.DataFrame({"user": [0, 0, 1], "id": [1, 1, 1], "latency_ms": [1.0, 900.0, 2.0]})
    assert latency_of(first_arrivals(window.assign(transit_ms=1.0, lateness_ms=0.0)))["max_ms"] == 2


def test_a_cell_without_deliveries_has_no_latency_and_everything_missed(run: Run) -> None:
    empty = with_rows(run, deliveries=run.deliveries.iloc[:0])
    found = per_cell(empty)
    assert found["p50_ms"].isna().all()
    assert (found["missed"] == found["owed"]).all()
    cut = replace(empty, cells=run.cells.assign(load_ended_ns=run.cells["window_until_ns"]))
    found = per_cell(cut)
    assert (found["in_flight"] > 0).all()
    assert (found["owed"] == found["missed"] + found["in_flight"]).all()


def test_what_the_simulation_loses_is_counted_to_the_message(run: Run) -> None:
    lost = run.deliveries["id"] % 5 == 0
    found = conservation(with_rows(run, deliveries=run.deliveries[~lost]))
    ids = run.published.merge(run.finished[["cell", "window_from_ns", "window_until_ns"]], on="cell")
    due = ids[ids["due_ns"].between(ids["window_from_ns"], ids["window_until_ns"], inclusive="left")]
    assert (found["missed"] + found["in_flight"]).sum() == 6 * (due["id"] % 5 == 0).sum()
    assert (found["owed"] == found["delivered"] + found["missed"] + found["in_flight"]).all()


def test_a_summary_is_the_median_over_repeats_and_their_range(run: Run, cells: pd.DataFrame) -> None:
    made = pd.concat([cells.assign(repeat=at, p50_ms=value) for at, value in ((1, 3.0), (2, 1.0), (3, 2.0))])
    row = summary(run, made[made["pattern"] == "sse"].drop_duplicates(["pattern", "repeat"])).iloc[0]
    assert (row["p50_ms"], row["p50_ms_high"], row["repeats"]) == (2, 3, 3)
    assert row["p50_ms_low"] == row["p50_ms_floor_low"] < 1


def test_a_single_repeat_has_no_interval(run: Run, cells: pd.DataFrame) -> None:
    rows = summary(run, cells[cells["repeat"] == 1])
    assert rows["p50_ms"].notna().all()
    assert rows[["p50_ms_low", "p50_ms_high"]].isna().all(axis=None)


def test_counts_are_added_up_over_repeats(cells: pd.DataFrame, rows: pd.DataFrame) -> None:
    assert rows["owed"].sum() == cells["owed"].sum()
    assert rows["delivered"].sum() == cells["delivered"].sum()


@pytest.mark.parametrize("measure", (*MEASURES, *BREAKDOWN), ids=lambda measure: measure.name)
def test_every_measure_of_the_table_is_in_the_summary_with_its_interval(rows: pd.DataFrame, measure: object) -> None:
    name = measure.name  # type: ignore[attr-defined]
    assert {name, f"{name}_low", f"{name}_high"} <= set(rows)
