"""What the instrument may have added: known where stamped, bounded by the loop's own lag where not, never hidden."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.records.rows import UNTOLD
from reports.measures.instrument_part import asked_late_ms, floors
from reports.measures.ranking import ranking

MS = 1_000_000
S = 1_000_000_000
P = {"p50_ms": 0.5, "p99_ms": 0.99}


def deliveries(rows: list[tuple[float, float, float | None]]) -> pd.DataFrame:
    """First arrivals of (received_s, latency_ms, wait_ms or None)."""
    table = pd.DataFrame(rows, columns=["received_s", "latency_ms", "wait_ms"]).astype(float)
    table["user"] = 1
    table["transit_ms"] = table["latency_ms"]
    table["received_ns"] = (table["received_s"] * S).astype("int64")
    table["arrived_ns"] = (table["received_ns"] - table["wait_ms"] * MS).fillna(0).astype("int64")
    return table


def looks(*lags_ms: float, from_s: int = 1) -> pd.DataFrame:
    """A look a second at one load process, each with how late its loop had been."""
    at_ns = [(from_s + second) * S for second in range(len(lags_ms))]
    return pd.DataFrame({"at_ns": at_ns, "pid": 7, "lag_ns": [int(lag * MS) for lag in lags_ms]})


def test_what_is_stamped_is_taken_out_exactly() -> None:
    found = floors(deliveries([(0.1 * n, 10.0 + n, 4.0) for n in range(10)]), looks(50.0), P)
    assert found == {"p50_ms_floor": 10.0, "p99_ms_floor": 15.0}


def test_a_stop_of_the_load_process_is_bounded_by_how_late_its_loop_was() -> None:
    """Messages that came together have no stamp; the second they were read in knows that nobody was there."""
    quick = [(0.01 * n, 1.0, 0.2) for n in range(100)]
    stopped = [(3.9, 2_900.0 - n, None) for n in range(50)]
    found = floors(deliveries([*quick, *stopped]), looks(1.0, 1.0, 1.0, 2_950.0), P)
    assert found["p99_ms_floor"] < 1.0


@pytest.mark.parametrize("first_look_after_s", [3.900, 3.899])
def test_the_order_of_look_and_read_after_a_stop_does_not_matter(first_look_after_s: float) -> None:
    stopped = deliveries([(3.9, 2_900.0, None)] * 50)
    watched = pd.DataFrame(
        {"at_ns": [S, int(first_look_after_s * S), int(4.9 * S)], "pid": 7, "lag_ns": [0, 2_900 * MS, 0]}
    )
    assert floors(stopped, watched, P)["p50_ms_floor"] == 0.0


def test_a_gap_between_two_looks_is_lag_whatever_the_process_says() -> None:
    stopped = deliveries([(4.0, 2_900.0, None)] * 50)
    watched = pd.DataFrame({"at_ns": [S, 4 * S], "pid": 7, "lag_ns": [0, 0]})
    assert floors(stopped, watched, P)["p50_ms_floor"] == pytest.approx(900.0)


def test_a_process_that_never_looks_again_is_late_since_its_last_look() -> None:
    found = floors(deliveries([(9.0, 7_000.0, None)] * 50), looks(1.0), P)
    assert found["p50_ms_floor"] == pytest.approx(0.0)


def test_stamps_drawn_at_random_speak_for_the_reads_without() -> None:
    draw = np.random.default_rng(1)
    waits = draw.exponential(3.0, 20_000)
    rows = [(n / 20_000, 5.0 + wait, wait if n % 10 == 0 else None) for n, wait in enumerate(waits)]
    found = floors(deliveries(rows), looks(40.0), P)
    assert found["p50_ms_floor"] == pytest.approx(5.0)
    assert found["p99_ms_floor"] == pytest.approx(5.0)


def test_a_read_whose_stamp_says_nothing_of_it_may_have_waited_as_long_as_the_loop_was_late() -> None:
    first = deliveries([(0.01 * n, 10.0, 1.0 if n % 4 else None) for n in range(100)])
    first.loc[first["wait_ms"].isna(), "arrived_ns"] = UNTOLD
    found = floors(first, looks(6.0, 6.0), {"tenth_ms": 0.1, "p50_ms": 0.5})
    assert found == {"tenth_ms_floor": 4.0, "p50_ms_floor": 9.0}


def requests(*rows: tuple[float, float], error: str = "") -> pd.DataFrame:
    """Long polls of user 1, from (ms) to (ms)."""
    table = pd.DataFrame(rows, columns=["started_ns", "ended_ns"]) * MS
    return table.astype("int64").assign(user=1, hold_ns=MS, error=error)


def arrivals(*rows: tuple[float, float, float]) -> pd.DataFrame:
    """First arrivals of user 1: published (ms), received (ms), wait (ms)."""
    table = pd.DataFrame(rows, columns=["published_ns", "received_ns", "wait_ms"])
    times = (table[["published_ns", "received_ns"]] * MS).astype("int64")
    return times.assign(user=1, wait_ms=table["wait_ms"])


@pytest.mark.parametrize(
    ("published_ms", "unread_ms", "late_ms"),
    [
        (150.0, 2.0, 0.0),  # the request was there before
        (108.0, 2.0, 2.0),  # it was sent 10 ms after the answer before: 2 ms too late for this one
        (90.0, 2.0, 12.0),  # published before that answer was read: at once is 2 ms sooner than it was
        (90.0, float("nan"), 20.0),  # nobody knows how long that answer lay there
    ],
)
def test_a_long_poll_that_we_asked_late_brings_late_what_was_published_meanwhile(
    published_ms: float, unread_ms: float, late_ms: float
) -> None:
    first = arrivals((80.0, 100.0, unread_ms), (published_ms, 160.0, 0.1))
    found = asked_late_ms(first, requests((0.0, 100.0), (110.0, 160.0)), 0.0)
    assert found == pytest.approx([0.0, late_ms])


def test_only_what_is_held_is_asked_late_and_who_was_refused_may_wait() -> None:
    first, polls = arrivals((80.0, 100.0, 2.0), (90.0, 160.0, 0.1)), requests((0.0, 100.0), (110.0, 160.0))
    assert asked_late_ms(first, polls.assign(hold_ns=0), 0.0) == 0
    assert np.max(asked_late_ms(first, polls.assign(error="status"), 0.0)) == 0


def test_what_was_asked_late_is_part_of_the_interval_but_no_more_than_the_way_of_the_message() -> None:
    first = deliveries([(0.1, 10.0, 1.0), (0.2, 10.0, 1.0)])
    found = floors(first, looks(1.0), {"first_ms": 0.5, "second_ms": 1.0}, np.array([3.0, 50.0]))
    assert found == {"first_ms_floor": 0.0, "second_ms_floor": 6.0}


def test_where_nothing_is_known_nothing_is_said() -> None:
    unwatched = pd.DataFrame({"at_ns": [], "pid": [], "lag_ns": []})
    assert np.isnan(floors(deliveries([(0.1, 5.0, None)]), unwatched, P)["p50_ms_floor"])
    assert np.isnan(floors(deliveries([]), looks(1.0), P)["p50_ms_floor"])


row = st.tuples(st.floats(0, 5), st.floats(0, 1_000), st.one_of(st.none(), st.floats(0, 1)))


@given(st.lists(row, min_size=1, max_size=80), st.lists(st.floats(0, 500), min_size=1, max_size=6))
def test_the_floor_is_never_above_what_is_reported_and_never_below_nothing(
    rows: list[tuple[float, float, float | None]], lags_ms: list[float]
) -> None:
    first = deliveries([(at_s, latency, None if wait is None else wait * latency) for at_s, latency, wait in rows])
    found = floors(first, looks(*lags_ms), {"max_ms": 1.0})
    assert -1e-9 <= found["max_ms_floor"] <= first["latency_ms"].max() + 1e-9


def test_no_pattern_is_called_faster_because_the_instrument_was_late() -> None:
    rows = pd.DataFrame(
        [
            {"pattern": "sse", "p99_ms": 1.0, "p99_ms_low": 0.9, "p99_ms_high": 1.1},
            {"pattern": "websocket", "p99_ms": 3.0, "p99_ms_low": 1.0, "p99_ms_high": 3.2},
            {"pattern": "short_polling", "p99_ms": 500.0, "p99_ms_low": 497.0, "p99_ms_high": 505.0},
        ]
    )
    first, rest = ranking(rows, "p99_ms")
    assert [each["pattern"] for each in first] == ["sse", "websocket"]
    assert [each["pattern"] for each in rest] == ["short_polling"]
