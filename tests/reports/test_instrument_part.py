"""What the instrument may have added: known where stamped, bounded by the loop's own lag where not, never hidden."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.measures.instrument_part import floors
from reports.measures.ranking import ranking

MS = 1_000_000
S = 1_000_000_000
P = {"p50_ms": 0.5, "p99_ms": 0.99}


def deliveries(rows: list[tuple[float, float, float | None]]) -> pd.DataFrame:
    """First arrivals of (received_s, latency_ms, wait_ms or None)."""
    table = pd.DataFrame(rows, columns=["received_s", "latency_ms", "wait_ms"]).astype(float)
    table["transit_ms"] = table["latency_ms"]
    table["received_ns"] = (table["received_s"] * S).astype("int64")
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
