"""What deliveries cost, on rows with known answers. The window is 10 s to 20 s throughout."""

import math
from collections.abc import Mapping

import pandas as pd
import pytest

from reports.measures.costs import between, request_costs, sample_costs

S = 1_000_000_000
FROM, UNTIL = 10 * S, 20 * S


def requests(*rows: Mapping[str, object]) -> pd.DataFrame:
    usual = {
        "user": 0,
        "started_ns": 11 * S,
        "ended_ns": 12 * S,
        "status": 200,
        "error": "",
        "messages": 1,
        "empty": 0,
        "bytes_out": 100,
        "bytes_in": 300,
        "hold_ns": 0,
    }
    return pd.DataFrame([{**usual, **row} for row in rows], columns=list(usual))


def deliveries(count: int, size: int = 200) -> pd.DataFrame:
    return pd.DataFrame({"bytes": [size] * count, "received_ns": [15 * S] * count})


def samples(*rows: Mapping[str, object]) -> pd.DataFrame:
    usual: dict[str, object] = dict.fromkeys(
        [
            *("cpu_ns", "rss_bytes", "kernel_socket_bytes", "lag_ns"),
            *("wire_bytes_out", "wire_bytes_in", "connections", "waited_ns"),
        ],
        -1,
    )
    usual |= {"pid": 1, "role": "server", "wire_segments_out": -1, "wire_segments_in": -1}
    return pd.DataFrame([{**usual, **row} for row in rows], columns=["at_ns", *usual])


def test_only_responses_completed_in_the_window_count() -> None:
    rows = requests({}, {"ended_ns": 9 * S, "started_ns": 8 * S}, {"ended_ns": 20 * S}, {"status": 0, "error": "cut"})
    found = request_costs(rows, deliveries(2), FROM, UNTIL, delivered=2)
    assert found["requests_per_delivery"] == 0.5
    assert found["responses_per_s"] == pytest.approx(0.1)


def test_the_empty_ratio_is_of_responses_and_unknown_where_there_are_none() -> None:
    rows = requests({}, {"empty": 1, "messages": 0}, {"empty": 1, "messages": 0}, {"empty": 1, "messages": 0})
    assert request_costs(rows, deliveries(1), FROM, UNTIL, 1)["empty_ratio"] == 0.75
    assert math.isnan(request_costs(requests(), deliveries(1), FROM, UNTIL, 1)["empty_ratio"])


def test_heads_and_empty_answers_are_charged_to_the_deliveries() -> None:
    rows = requests({"bytes_in": 450}, {"bytes_in": 250, "messages": 0, "empty": 1})
    found = request_costs(rows, deliveries(1), FROM, UNTIL, delivered=1)
    assert found["payload_bytes_per_delivery"] == 200
    assert found["http_bytes_per_delivery"] == (100 + 450) + (100 + 250)


def test_a_stream_pays_for_its_head_by_the_share_of_its_life_in_the_window() -> None:
    stream = requests({"started_ns": 0, "ended_ns": 40 * S, "messages": 4, "bytes_in": 4 * 200 + 300, "error": "cut"})
    found = request_costs(stream, deliveries(4), FROM, UNTIL, delivered=1)
    assert found["http_bytes_per_delivery"] == pytest.approx(200 + (100 + 300) / 4)


def test_failures_are_counted_by_kind_and_what_was_cut_at_the_end_is_none() -> None:
    rows = requests(
        {"error": "reset", "status": 0}, {"error": "reset", "status": 0}, {"error": "status"}, {"error": "cut"}
    )
    found = request_costs(rows, deliveries(1), FROM, UNTIL, delivered=1)
    assert (found["errors"], found["error_reset"], found["error_status"]) == (3, 2, 1)
    assert "error_cut" not in found


def test_how_long_a_request_was_held_is_not_part_of_its_answer_time() -> None:
    rows = requests(
        {"started_ns": 11 * S, "ended_ns": 14 * S, "hold_ns": 2 * S}, {"started_ns": 15 * S, "ended_ns": 16 * S}
    )
    found = request_costs(rows, deliveries(1), FROM, UNTIL, delivered=1)
    assert (found["answer_ms"], found["hold_ms"], found["turnaround_ms"]) == (1000, 1000, 1000)


def test_counters_are_interpolated_to_the_edges_of_the_window() -> None:
    rows = samples(
        {"at_ns": 5 * S, "cpu_ns": 0}, {"at_ns": 15 * S, "cpu_ns": 2 * S}, {"at_ns": 25 * S, "cpu_ns": 3 * S}
    )
    found = sample_costs(rows, between(deliveries(1)["received_ns"]), FROM, UNTIL, delivered=500, clients=1)
    assert found["server_cpu_share"] == pytest.approx(0.15)
    assert found["cpu_ms_per_1000"] == pytest.approx(3000)


def test_processes_are_added_up_and_the_busiest_generator_is_named() -> None:
    rows = samples(
        *({"at_ns": at, "cpu_ns": at // 10, "pid": 1} for at in (FROM, UNTIL)),
        *({"at_ns": at, "cpu_ns": at // 5, "pid": 2} for at in (FROM, UNTIL)),
    )
    both = sample_costs(rows, between(deliveries(1)["received_ns"]), FROM, UNTIL, 1, 1)
    assert both["server_cpu_share"] == pytest.approx(0.3)
    load = sample_costs(rows.assign(role="generator"), between(deliveries(1)["received_ns"]), FROM, UNTIL, 1, 1)
    assert load["generator_cpu_share"] == pytest.approx(0.2)
    relay = sample_costs(rows.assign(role="relay"), between(deliveries(1)["received_ns"]), FROM, UNTIL, 1, 1)
    assert relay["relay_cpu_share"] == pytest.approx(0.3)


def test_each_second_has_its_own_share_of_a_core() -> None:
    """CPU: 0.1 of a core, but 0.9 in the sixth second; in line for a core: 0.2 throughout."""
    spent = [0.1 * at + 0.8 * (at > 15) for at in range(9, 22)]
    rows = samples(
        *(
            {"at_ns": at * S, "cpu_ns": round(cpu * S), "waited_ns": at * S // 5, "role": "relay"}
            for at, cpu in zip(range(9, 22), spent, strict=True)
        )
    )
    found = sample_costs(rows, between(deliveries(1)["received_ns"]), FROM, UNTIL, 1, 1)
    assert found["relay_cpu_peak"] == pytest.approx(0.9)
    assert found["relay_cpu_usual"] == pytest.approx(0.1)
    assert found["relay_waited_share"] == pytest.approx(0.2)
    assert math.isnan(found["server_cpu_peak"])


@pytest.mark.parametrize(
    ("at_s", "lag_s", "lost_ms"),
    [
        (15, 3.0, 3000),
        (11, 3.0, 1000),
        (22, 3.0, 1000),
        (40, 35.0, 10_000),
        (15, 0.5, 500),
        (15, 0.1, 0),
        (9, 3.0, 0),
        (25, 3.0, 0),
    ],
)
def test_of_a_stop_counts_what_lies_in_the_window_also_when_it_ended_after_it(
    at_s: int, lag_s: float, lost_ms: float
) -> None:
    assert (FROM, UNTIL) == (10 * S, 20 * S)
    usual = [{"at_ns": at * S, "lag_ns": 1_000_000, "role": "generator"} for at in range(8, 12)]
    rows = samples(*usual, {"at_ns": at_s * S, "lag_ns": round(lag_s * S), "role": "generator"})
    found = sample_costs(rows, between(deliveries(1)["received_ns"]), FROM, UNTIL, 1, 1)
    assert found["generator_stopped_ms"] == pytest.approx(lost_ms)


def test_connections_of_all_generators_are_added_up() -> None:
    rows = samples(
        *(
            {"at_ns": at * S, "pid": pid, "connections": at * pid, "role": "generator"}
            for at in (5, 12)
            for pid in (1, 2)
        )
    )
    found = sample_costs(rows, between(deliveries(1)["received_ns"]), FROM, UNTIL, 1, 1)
    assert found["connections"] == 36


def test_memory_per_client_is_the_growth_since_before_the_clients() -> None:
    rows = samples(
        *({"at_ns": at * S, "rss_bytes": size} for at, size in ((1, 1000), (12, 3000), (13, 5000), (14, 4000)))
    )
    found = sample_costs(rows, between(deliveries(1)["received_ns"]), FROM, UNTIL, 1, clients=10)
    assert found["memory_per_client_bytes"] == 300


def test_what_the_platform_does_not_tell_is_unknown_not_zero() -> None:
    rows = samples({"at_ns": 5 * S}, {"at_ns": 15 * S}, {"at_ns": 25 * S})
    found = sample_costs(rows, between(deliveries(1)["received_ns"]), FROM, UNTIL, 1, 1)
    assert all(math.isnan(value) for value in found.values())


def test_wire_bytes_are_divided_by_the_deliveries_between_the_same_two_looks() -> None:
    looks = [(9, 0, 0), (10, 100, 1000), (21, 200, 3000), (30, 999, 9999)]
    rows = samples(
        *(
            {
                "at_ns": at * S,
                "role": "generator",
                "wire_bytes_out": out,
                "wire_bytes_in": into,
                "wire_segments_out": out // 100,
                "wire_segments_in": into // 1000,
            }
            for at, out, into in looks
        )
    )
    received = pd.Series([10 * S, 11 * S, 20 * S, 21 * S, 25 * S])
    found = sample_costs(rows, between(received), FROM, UNTIL, 1, 1)
    assert found["wire_bytes_per_delivery"] == pytest.approx((100 + 2000) / 3)
    assert found["segments_per_delivery"] == pytest.approx(1)
