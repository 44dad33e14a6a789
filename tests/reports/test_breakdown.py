"""A latency taken apart: the parts add up, what no stamp tells is not told, and clients come in order of arrival."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.measures.latency_parts import PARTS, by_rank, first_arrivals, parts, positions

MS = 1_000_000
times_ms = st.floats(0, 1_000)
deliveries = st.lists(
    st.tuples(st.integers(1, 5), st.integers(0, 6), times_ms, times_ms, times_ms, st.booleans()),
    min_size=1,
    max_size=60,
    unique_by=lambda row: row[:2],
)


def frame(rows: list[tuple[int, int, float, float, float, bool]]) -> pd.DataFrame:
    """First arrivals of (id, user, lateness, network, wait, stamped), all messages due at once."""
    table = pd.DataFrame(rows, columns=["id", "user", "lateness_ms", "network_ms", "wait_ms", "stamped"])
    table["transit_ms"] = table["network_ms"] + table["wait_ms"]
    table["latency_ms"] = table["lateness_ms"] + table["transit_ms"]
    table["received_ns"] = (table["latency_ms"] * MS).round().astype("int64")
    table["wait_ms"] = table["wait_ms"].where(table["stamped"])
    return table


def waited(*latencies_ms: float, message: int = 1) -> pd.DataFrame:
    """One message that reached so many users, each after so long, all of it on the network."""
    return frame([(message, user, 0.0, latency_ms, 0.0, True) for user, latency_ms in enumerate(latencies_ms)])


@given(deliveries)
def test_the_parts_of_what_has_a_stamp_add_up_to_its_latency(
    rows: list[tuple[int, int, float, float, float, bool]],
) -> None:
    first = frame(rows)
    found = parts(first)
    known = first[first["stamped"]]
    assert found["stamped_ratio"] == pytest.approx(len(known) / len(first))
    if len(known):
        assert sum(found[f"{part}_mean_ms"] for part in PARTS) == pytest.approx(known["latency_ms"].mean(), abs=1e-6)
        assert found["wait_p99_ms"] in known["wait_ms"].to_numpy()
    else:
        assert all(np.isnan(value) for name, value in found.items() if name != "stamped_ratio")


def test_the_tail_is_the_slowest_one_in_a_hundred() -> None:
    quick = [(1, user, 0.0, 1.0, user / 1_000, True) for user in range(98)]
    found = parts(frame([*quick, (1, 98, 1.0, 2.0, 97.0, True)]))
    assert [found[f"{part}_tail_ms"] for part in PARTS] == [1.0, 2.0, 97.0]


def test_a_stall_that_made_messages_come_together_leaves_the_tail_unknown() -> None:
    """They have no stamp then; the few stamps elsewhere must not speak for them."""
    quick = [(number, user, 0.0, 1.0, 0.1, True) for number in range(10) for user in range(95)]
    stalled = [(99, user, 0.0, 1.0, 300.0, False) for user in range(50)]
    found = parts(frame([*quick, *stalled]))
    assert found["wait_p99_ms"] == pytest.approx(0.1)
    assert np.isnan(found["wait_tail_ms"])


def test_stamps_drawn_from_all_reads_alike_tell_of_the_tail() -> None:
    random = np.random.default_rng(1)
    rows = [(1, user, 0.0, 1.0, float(wait), bool(user % 5 == 0)) for user, wait in enumerate(random.random(10_000))]
    found = parts(frame(rows))
    assert found["stamped_ratio"] == pytest.approx(0.2)
    assert found["wait_tail_ms"] > 0.98


def test_nothing_delivered_has_no_parts_and_no_places() -> None:
    nothing = waited(1.0).iloc[:0]
    assert all(np.isnan(value) for value in {**parts(nothing), **positions(nothing)}.values())


def test_the_first_the_middle_and_the_last_client_are_by_arrival() -> None:
    found = positions(waited(5.0, 1.0, 9.0, 3.0, 2.0))
    assert [found[f"{name}_client_ms"] for name in ("first", "middle", "last")] == [1, 3, 9]
    assert found["drain_ms"] == 8


def test_places_are_medians_over_messages_and_the_drain_is_that_of_a_message() -> None:
    found = positions(pd.concat([waited(1.0, 2.0), waited(10.0, 11.0, message=2), waited(4.0, 7.0, message=3)]))
    assert (found["first_client_ms"], found["last_client_ms"], found["drain_ms"]) == (4, 7, 1)


@given(deliveries)
def test_each_place_is_the_median_of_those_who_came_at_it(
    rows: list[tuple[int, int, float, float, float, bool]],
) -> None:
    first = frame(rows)
    table = by_rank(first)
    counts = first.groupby("id").size()
    assert table.index.tolist() == list(range(counts.max()))
    nearest = first.groupby("id")["latency_ms"].min().median()
    assert table["latency_ms"][0] == pytest.approx(nearest, abs=1e-6)
    known = table["kernel_ms"].notna()
    if first["stamped"].all():
        assert known.all()
        assert (table["kernel_ms"] <= table["latency_ms"] + 1e-6).all()


def test_what_a_user_had_already_does_not_arrive_again() -> None:
    twice = pd.concat([waited(1.0, 2.0), waited(500.0, 600.0)])
    assert first_arrivals(twice)["latency_ms"].tolist() == [1.0, 2.0]
    assert len(first_arrivals(waited(1.0, 2.0))) == 2
