"""The clocks of a thousand load hosts, each off by another offset: every one lies within what its exchanges state."""

import tracemalloc

import numpy as np

from loadtests.clocks.track import track
from tests.clocks.two_clocks import TwoClocks

HOSTS, EXCHANGES_EACH, RHO_PPM = 1_000, 20, 100.0
S = 10**9
MB = 1_000_000


def test_the_offsets_of_a_thousand_clocks_lie_within_what_their_exchanges_state() -> None:
    random = np.random.default_rng(1)
    clocks = [TwoClocks(int(random.integers(-1_000 * S, 1_000 * S)), random.uniform(-50, 50)) for _ in range(HOSTS)]
    exchanges = [np.array(each.exchanges(random, EXCHANGES_EACH), np.int64) for each in clocks]
    tracemalloc.start()
    found = [track(each, RHO_PPM) for each in exchanges]
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for own, known in zip(clocks, found, strict=True):
        last = known.last
        assert last.low_ns <= own.offset_at(last.at_ns) <= last.high_ns
        assert 0 < known.error_ns() < S
    assert peak_bytes < 20 * MB
