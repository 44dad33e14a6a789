"""The board of a test: the same whether one process saw everything or several reported it, and never growing."""

import msgpack  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.live.timeline import MARGIN_NS, PACE_S, SLICES, Board, Gatherer, Report
from loadtests.records.recorder import DTYPES, Rows
from loadtests.records.rows import Delivery, Request, Sample

S = 10**9
RUN = "runs/one"


def deliveries(*arrivals: tuple[int, int, int]) -> Rows:
    """(user, id, received_ns), each 2 ms after it was due; published in the order of their ids."""
    made = [tuple(Delivery(user, at, ns - 2_000_000, at, ns, 100, 0)) for user, at, ns in arrivals]
    return np.array(made, DTYPES["deliveries"])


def requests(*endings_ns: int, empty: int = 0, error: int = 0) -> Rows:
    made = [tuple(Request(1, 1, 1, 1, 1, ns, 200, error, 0, empty, 10, 50, 0)) for ns in endings_ns]
    return np.array(made, DTYPES["requests"])


def look(at_ns: int, cpu_ns: int = 0, lag_ns: int = 1_000_000) -> Rows:
    return np.array([tuple(Sample(at_ns, 1, 1, cpu_ns, 0, 0, 0, lag_ns, 0, 0, 0, 0, 0))], DTYPES["samples"])


def sent(report: Report) -> Report:
    """Return it as it comes out of Locust's wire (locust/rpc/protocol.py)."""
    packed = msgpack.dumps(report.packed())
    return Report.unpack(msgpack.loads(packed, raw=False, strict_map_key=False))


def one_second(gatherer: Gatherer, second: int, users: range, ids: range) -> Report:
    """Have users receive messages in a second, and return what is to be reported of it."""
    arrivals = [(user, at, second * S + 1_000 * at) for at in ids for user in users]
    if arrivals:
        gatherer.take("deliveries", "sse", deliveries(*arrivals))
    gatherer.take("requests", "short_polling", requests(second * S + 5, empty=1))
    gatherer.take("samples", "", look((second + 1) * S))
    return gatherer.report()


@given(split=st.integers(0, 4), seconds=st.integers(1, 4))
def test_workers_that_report_are_one_process_that_saw_everything(split: int, seconds: int) -> None:
    whole, parts = Board(RUN), Board(RUN)
    everyone, some, others = (Gatherer(RUN, dict.fromkeys(range(1000), 0)) for _ in range(3))
    for second in range(seconds):
        ids = range(3 * second + 1, 3 * second + 3)  # every third is missed
        whole.take("local", one_second(everyone, second, range(4), ids))
        whole.take("local", one_second(everyone, second, range(0), ids))
        parts.take("a", sent(one_second(some, second, range(split), ids)))
        parts.take("b", sent(one_second(others, second, range(split, 4), ids)))
    assert whole.patterns["sse"].total == parts.patterns["sse"].total
    assert whole.patterns["sse"].slices == parts.patterns["sse"].slices
    assert whole.patterns["sse"].total.missed == 4 * (seconds - 1)
    assert whole.patterns["short_polling"].total == parts.patterns["short_polling"].total
    assert whole.complete_until_s() == parts.complete_until_s()


def test_a_second_is_complete_once_every_process_that_lives_has_reported_beyond_it() -> None:
    board = Board(RUN)
    assert board.complete_until_s() == 0
    board.take("a", Report(RUN, until_ns=9 * S + MARGIN_NS))
    board.take("b", Report(RUN, until_ns=4 * S))
    assert board.complete_until_s() == 3
    assert board.complete_until_s(settled=True) == 4
    assert board.complete_until_s({"b"}) == 9


def test_a_rate_is_that_of_the_latest_seconds_so_that_a_silence_is_seen() -> None:
    board, gatherer = Board(RUN), Gatherer(RUN, dict.fromkeys(range(1000), 0))
    for second in range(30):
        board.take("local", one_second(gatherer, second, range(10), range(second + 1, second + 2)))
    timeline = board.patterns["sse"]
    assert timeline.rate_per_s(0, 30) == 10
    assert timeline.rate_per_s(0, 30 + PACE_S - 1) == pytest.approx(10 / PACE_S)
    assert timeline.rate_per_s(0, 30 + PACE_S) == 0
    assert timeline.rate_per_s(0, 1) == 10
    assert timeline.rate_per_s(0, 0) is None


def test_after_a_reset_nothing_counts_that_was_before_even_if_it_is_reported_later() -> None:
    board, gatherer = Board(RUN), Gatherer(RUN, dict.fromkeys(range(1000), 0))
    board.take("a", one_second(gatherer, 0, range(2), range(1, 4)))
    under_way = one_second(gatherer, 1, range(2), range(5, 8))  # 4 is missed
    board.reset(1 * S + 1)
    assert board.patterns == {}
    board.take("a", under_way)
    assert board.patterns == {}
    gatherer.take("deliveries", "sse", deliveries((0, 4, 2 * S), (0, 8, 2 * S)))  # 4 comes late after all
    gatherer.take("samples", "", look(3 * S, cpu_ns=7))
    board.take("a", gatherer.report())
    total = board.patterns["sse"].total
    assert (total.deliveries, total.missed, total.duplicated) == (2, 0, 0)
    assert board.processes["a"].first == (2 * S, 0, 1_000_000)


def test_a_report_of_another_test_is_left_out() -> None:
    board = Board("runs/two")
    board.take("a", one_second(Gatherer(RUN, dict.fromkeys(range(1000), 0)), 0, range(2), range(1, 4)))
    assert (board.patterns, board.processes) == ({}, {})


def test_the_history_of_a_long_test_stays_whole_and_bounded() -> None:
    board, gatherer = Board(RUN), Gatherer(RUN, dict.fromkeys(range(1000), 0))
    seconds = 5 * SLICES
    for second in range(seconds):
        board.take("local", one_second(gatherer, second, range(1), range(second + 1, second + 2)))
    timeline = board.patterns["sse"]
    assert SLICES / 2 < len(timeline.slices) <= SLICES
    assert board.width_s == 8
    assert sum(live.deliveries for live in timeline.slices.values()) == timeline.total.deliveries == seconds
    assert len(timeline._pace) <= 10 * PACE_S + 1


def test_a_process_tells_how_busy_it_is_and_how_late_it_usually_is() -> None:
    board, gatherer = Board(RUN), Gatherer(RUN, dict.fromkeys(range(1000), 0))
    for second, lag_ms in enumerate([1, 1, 1, 1, 500]):
        gatherer.take("samples", "", look(second * S, cpu_ns=second * S // 4, lag_ns=lag_ms * 1_000_000))
    board.take("local", gatherer.report())
    process = board.processes["local"]
    assert process.cpu_share == 0.25
    assert process.lag_ms == pytest.approx(1, rel=0.011)
