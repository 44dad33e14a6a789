"""A thousand workers, more than can run here: what they counted is added up exactly, in little time and memory."""

import tracemalloc

import msgspec
import numpy as np
import pytest

from loadtests.metrics.histogram import THREE_DIGITS, Histogram, upper_s
from loadtests.metrics.tail import Batch
from loadtests.records.recorder import DTYPES
from loadtests.summary.kept import Deliveries, Summary, Users, merged
from loadtests.summary.reduction import Reduction, Window

WORKERS, CLIENTS, EACH = 1_000, 20, 2_000
S = 10**9
MB = 1_000_000


def latencies_of(worker: int) -> "np.ndarray":
    """Some of every size from 1 us to an hour, and most of some milliseconds."""
    random = np.random.default_rng(worker)
    usual = random.lognormal(np.log(4e6), 0.8, EACH - 100)
    return np.concatenate([usual, np.exp(random.uniform(np.log(1.1e3), np.log(3600e9), 100))]).astype(np.int64)


def handed_in(worker: int) -> bytes:
    """What a worker hands in, as it travels."""
    deliveries, latency = Deliveries(recorded=EACH), latencies_of(worker)
    deliveries.latency.take(latency)
    users = [1_000_000 * worker + at for at in range(1, CLIENTS + 1)]
    columns = {name: [EACH // CLIENTS] * CLIENTS for name in Users.__struct_fields__}
    summary = Summary(
        window_from_ns=1, window_until_ns=2, users=Users(**columns | {"user": users}), deliveries=deliveries
    )
    return msgspec.json.encode(summary)


def test_a_thousand_workers_are_added_up_exactly_in_bounded_memory() -> None:
    travelling = [handed_in(worker) for worker in range(WORKERS)]
    tracemalloc.start()
    total = merged(msgspec.json.decode(each, type=Summary) for each in travelling)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    every = np.concatenate([latencies_of(worker) for worker in range(WORKERS)])
    at_once = Histogram(schema=THREE_DIGITS)
    at_once.take(every)
    assert total.deliveries.latency == at_once
    assert total.deliveries.recorded == len(every) == WORKERS * EACH
    assert sum(total.users.delivered) == len(every)
    assert len({*total.users.user}) == WORKERS * CLIENTS
    levels = [0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999]
    true = np.quantile(every, levels, method="inverted_cdf")
    assert np.allclose(total.deliveries.latency.quantiles_ns(levels), true, rtol=5e-4)
    assert total.deliveries.latency.quantiles_ns([1.0])[0] == every.max()
    # What is added up is as large as one of them and all clients, and not as all of them together.
    assert peak_bytes < 60 * MB


def test_a_client_that_two_workers_have_is_refused_and_so_is_another_window() -> None:
    one, again = (msgspec.json.decode(handed_in(1), type=Summary) for _ in range(2))
    with pytest.raises(ValueError, match="client 1000001 is in two summaries"):
        merged([one, again])
    with pytest.raises(ValueError, match="different windows"):
        merged([one, msgspec.structs.replace(one, window_until_ns=3)])
    with pytest.raises(ValueError, match="schema 5 cannot be added"):
        Histogram(schema=THREE_DIGITS).merge(Histogram())


def test_a_histogram_tells_three_digits_from_a_microsecond_to_an_hour() -> None:
    values = np.unique(np.geomspace(1_001, 3600e9, 200_000).astype(np.int64))
    for value in values[::997].tolist():
        histogram = Histogram(schema=THREE_DIGITS)
        histogram.take(np.array([value, value, 10**13]))
        assert histogram.quantiles_ns([0.5])[0] == pytest.approx(value, rel=4e-4)
    every = Histogram(schema=THREE_DIGITS)
    every.take(values)
    assert len(every.counts) < 33_000
    assert upper_s(2**THREE_DIGITS, THREE_DIGITS) == 2.0


def test_a_summary_grows_with_clients_and_not_with_messages() -> None:
    def of(messages: int) -> int:
        reduction = Reduction(Window(0, 10**15, 0))
        for first in range(0, messages, 500):
            rows = np.zeros(500 * 4, DTYPES["deliveries"])
            rows["user"] = np.tile(np.arange(1, 5), 500)
            rows["id"] = np.repeat(np.arange(first + 1, first + 501), 4)
            rows["due_ns"] = rows["published_ns"] = rows["id"] * 10**9
            rows["received_ns"] = rows["due_ns"] + 4_000_000 + rows["user"] * 1_000
            reduction.take(Batch("deliveries", "sse", "1", rows))
        return len(msgspec.json.encode(reduction.summary()))

    assert of(50_000) < 1.2 * of(1_000)
