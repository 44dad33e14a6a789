"""When chunks come out: never early, never out of order, however jitter and bandwidth are set."""

from hypothesis import given
from hypothesis import strategies as st

from servers.relay.network import READ_BYTES, SEGMENT_BYTES, Line, Network
from servers.timing import NS_PER_S

MS = 1_000_000
networks = st.builds(
    Network,
    rtt_ns=st.integers(0, 500 * MS),
    jitter_ns=st.integers(0, 50 * MS),
    bits_per_s=st.one_of(st.just(0), st.integers(9_600, 10**10)),
)
chunks = st.lists(st.tuples(st.integers(0, 50 * MS), st.integers(0, READ_BYTES)), min_size=1, max_size=30)


@given(networks, chunks, st.randoms(use_true_random=False))
def test_a_chunk_is_never_early_and_never_overtakes(
    network: Network, gaps: list[tuple[int, int]], draw: object
) -> None:
    line = Line(network, draw.random)  # type: ignore[attr-defined]
    arrival_ns = released_ns = 0
    for gap_ns, size in gaps:
        arrival_ns += gap_ns
        release_ns = line.release_ns(arrival_ns, size)
        assert 2 * (release_ns - arrival_ns) >= network.rtt_ns
        assert release_ns >= released_ns
        released_ns = release_ns


@given(networks.filter(lambda network: network.bits_per_s > 0), chunks)
def test_all_chunks_take_at_least_what_the_bandwidth_needs(network: Network, gaps: list[tuple[int, int]]) -> None:
    line = Line(network)
    released_ns = [line.release_ns(0, size) for _, size in gaps]
    bits = 8 * sum(size for _, size in gaps)
    rounding_ns = len(gaps)
    assert released_ns[-1] + rounding_ns >= network.one_way_ns + bits * NS_PER_S // network.bits_per_s


@given(st.integers(0, 500 * MS), st.integers(0, 50 * MS), st.integers(0, 10**15))
def test_an_idle_line_without_bandwidth_limit_adds_at_most_the_jitter(rtt_ns: int, jitter_ns: int, at_ns: int) -> None:
    network = Network(rtt_ns=rtt_ns, jitter_ns=jitter_ns)
    assert 0 <= Line(network).release_ns(at_ns, 1_000) - at_ns - network.one_way_ns <= jitter_ns


def test_a_line_serialises_its_bytes_one_after_the_other() -> None:
    line = Line(Network(rtt_ns=20 * MS, bits_per_s=8_000_000))
    assert [line.release_ns(0, 1_000), line.release_ns(0, 1_000), line.release_ns(5 * MS, 1_000)] == [
        11 * MS,
        12 * MS,
        16 * MS,
    ]


@given(st.integers(1, 10**12))
def test_a_narrow_line_is_fed_in_small_steps(bits_per_s: int) -> None:
    read_bytes = Network(rtt_ns=0, bits_per_s=bits_per_s).read_bytes
    assert SEGMENT_BYTES <= read_bytes <= READ_BYTES
    assert read_bytes == SEGMENT_BYTES or read_bytes * 8_000 <= bits_per_s
