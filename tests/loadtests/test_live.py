"""Live numbers: near enough to the truth, and the same whether counted at once or merged from workers."""

import msgpack  # type: ignore[import-untyped]
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadtests.live.counts import Live, unpacked
from loadtests.live.timeline import Gatherer
from loadtests.records.recorder import DTYPES, Rows
from loadtests.records.rows import Delivery, Request

LATENCIES_NS = st.lists(st.integers(1_000, 3_600_000_000_000), min_size=1, max_size=200)


def deliveries(latencies_ns: list[int]) -> Rows:
    rows = [tuple(Delivery(1, 1, 10, 10, 10 + latency_ns, 100, 0)) for latency_ns in latencies_ns]
    return np.array(rows, DTYPES["deliveries"])


def requests(empty: list[int], error: int = 0) -> Rows:
    return np.array([tuple(Request(1, 1, 1, 1, 1, 1, 200, error, 0, e, 10, 50, 0)) for e in empty], DTYPES["requests"])


@given(latencies_ns=LATENCIES_NS, q=st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_within_one_percent_of_a_measured_one(latencies_ns: list[int], q: float) -> None:
    live = Live()
    live.add_deliveries(deliveries(latencies_ns))
    exact_ms = float(np.quantile(latencies_ns, q, method="inverted_cdf")) / 1e6
    shown_ms = live.quantile_ms(q)
    assert shown_ms is not None
    assert abs(shown_ms - exact_ms) <= 0.011 * exact_ms


@given(parts=st.lists(LATENCIES_NS, min_size=1, max_size=4))
def test_workers_merged_are_one_process_that_saw_everything(parts: list[list[int]]) -> None:
    merged, whole = Live(), Live()
    for part in parts:
        worker = Live()
        worker.add_deliveries(deliveries(part))
        worker.add_requests(requests([0, 1]))
        merged.merge(unpacked(worker.packed()))
        whole.add_deliveries(deliveries(part))
        whole.add_requests(requests([0, 1]))
    assert merged == whole


def test_a_latency_below_nothing_is_counted_and_not_dropped() -> None:
    live = Live()
    live.add_deliveries(deliveries([-5, 0, 1_000]))
    assert (live.deliveries, sum(live.histogram.values())) == (3, 3)


def test_nothing_delivered_has_no_quantile() -> None:
    assert Live().quantile_ms(0.5) is None


def test_a_request_that_was_cut_by_the_end_is_no_error() -> None:
    live = Live()
    live.add_requests(requests([0], error=6))
    live.add_requests(requests([0], error=2))
    assert (live.requests, live.errors) == (2, 1)


def test_live_numbers_survive_the_way_from_worker_to_master() -> None:
    live = Live()
    live.add_deliveries(deliveries([1_000, 2_000_000, 2_000_000]))
    live.add_requests(requests([0, 1], error=1))
    sent = msgpack.dumps(live.packed())
    assert unpacked(msgpack.loads(sent, raw=False, strict_map_key=False)) == live  # as locust/rpc/protocol.py does


def test_of_states_nobody_misses_what_a_newer_one_replaced() -> None:
    rows = np.array([tuple(Delivery(1, number, 10, 10, 20, 100, 0)) for number in (1, 4)], DTYPES["deliveries"])
    missed = {}
    for states in ((), ("sse",)):
        gatherer = Gatherer("run", {}, states)
        gatherer.take("deliveries", "sse", rows)
        missed[states] = sum(live.missed for live in gatherer.report().slices["sse"].values())
    assert missed == {(): 2, ("sse",): 0}
