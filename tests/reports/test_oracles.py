"""The closed forms: against the published fixtures, and against an event simulation that knows nothing of them."""

from collections.abc import Callable
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.theory.oracles import (
    Every,
    ExponentialGaps,
    FanOut,
    Gaps,
    LongPoll,
    OneByOne,
    ShortPoll,
    UniformGaps,
    poll_bytes_per_s,
    queue_cdf,
    stream_bytes_per_s,
)
from tests.simulation import (
    Observed,
    broadcast,
    long_poll,
    poisson_instants_s,
    short_poll,
    short_poll_pausing,
)

# How long an example takes says how busy the machine is, nothing about the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

LEVELS = (0.1, 0.5, 0.9, 0.99)

gaps_st = st.one_of(
    st.builds(Every, st.floats(0.01, 100)),
    st.tuples(st.floats(0, 10), st.floats(0.01, 10)).map(lambda pair: UniformGaps(pair[0], pair[0] + pair[1])),
    st.builds(ExponentialGaps, st.floats(0.01, 100)),
)


# How polls follow each other


@given(gaps_st, st.floats(0.001, 0.999))
def test_the_quantile_of_a_wait_is_the_inverse_of_its_distribution(gaps: Gaps, q: float) -> None:
    assert gaps.wait_cdf(np.array(gaps.wait_quantile(q))) == pytest.approx(q, abs=1e-6)


@given(gaps_st)
def test_the_mean_wait_is_the_area_above_its_distribution(gaps: Gaps) -> None:
    waits = np.linspace(0, gaps.wait_quantile(1 - 1e-9), 20_001)
    area = np.trapezoid(1 - gaps.wait_cdf(waits), waits)
    assert area == pytest.approx(gaps.mean_square / (2 * gaps.mean), rel=1e-3)


@given(gaps_st, st.floats(0.01, 10))
def test_mean_square_and_laplace_are_those_of_the_gaps_themselves(gaps: Gaps, rate: float) -> None:
    drawn = gaps.quantile((np.arange(200_000) + 0.5) / 200_000)
    assert drawn.mean() == pytest.approx(gaps.mean, rel=1e-3)
    assert (drawn**2).mean() == pytest.approx(gaps.mean_square, rel=1e-3)
    assert np.exp(-rate * drawn).mean() == pytest.approx(gaps.laplace(rate), rel=1e-3, abs=1e-4)


# Short polling


def test_short_polling_matches_its_fixtures() -> None:
    oracle = ShortPoll(rate=1, gaps=Every(1))
    assert oracle.empty_ratio == pytest.approx(0.368, abs=5e-4)
    assert oracle.unseen_ratio == pytest.approx(0.368, abs=5e-4)
    assert oracle.messages_per_response == pytest.approx(1.582, abs=5e-4)
    assert oracle.responses_per_s == 1
    uniform = ShortPoll(rate=1, gaps=UniformGaps(0.5, 1.5))
    assert uniform.mean_latency == pytest.approx(0.5417, abs=5e-5)
    assert uniform.empty_ratio == pytest.approx(0.3834, abs=5e-5)
    # "double the naive value" of half a gap
    assert ShortPoll(rate=1, gaps=ExponentialGaps(1), delay=0.05).mean_latency == pytest.approx(1.05)


def agree(seen: Observed, oracle: ShortPoll) -> None:
    assert seen.mean_latency_s == pytest.approx(oracle.mean_latency, rel=0.02)
    assert seen.empty_ratio == pytest.approx(oracle.empty_ratio, abs=0.01)
    assert seen.responses_per_s == pytest.approx(oracle.responses_per_s, rel=0.01)
    filled = len(seen.latencies_s) / (seen.responses - seen.empty)
    assert filled == pytest.approx(oracle.messages_per_response, rel=0.02)
    for q in LEVELS:
        assert seen.share_within(oracle.latency_quantile(q)) == pytest.approx(q, abs=0.01)
        at = oracle.latency_quantile(q)
        assert oracle.latency_cdf(np.array(at)) == pytest.approx(q, abs=1e-6)


@pytest.mark.parametrize(
    ("gaps", "draw"),
    [
        (Every(0.7), lambda _random: 0.7),
        (UniformGaps(0.3, 1.1), lambda random: random.uniform(0.3, 1.1)),
        (UniformGaps(0.0, 1.4), lambda random: random.uniform(0, 1.4)),
        (ExponentialGaps(0.7), lambda random: random.expovariate(1 / 0.7)),
    ],
    ids=["rate", "uniform", "uniform from 0", "exponential"],
)
@pytest.mark.parametrize("rate", [0.5, 2.0, 6.0])
def test_short_polling_at_every_pace_matches_a_simulation(
    gaps: Gaps, draw: Callable[[Random], float], rate: float
) -> None:
    random = Random(1)
    seen = short_poll(poisson_instants_s(rate, 40_000, seed=1), lambda: draw(random), delay_s=0.05)
    agree(seen, ShortPoll(rate=rate, gaps=gaps, delay=0.05))


@pytest.mark.parametrize(("pause", "delay", "work"), [(0.5, 0.0, 0.0), (0.5, 0.1, 0.02), (0.1, 0.2, 0.0)])
def test_a_pause_behind_each_answer_is_an_interval_of_the_pause_and_the_answers_time(
    pause: float, delay: float, work: float
) -> None:
    seen = short_poll_pausing(poisson_instants_s(2, 40_000, seed=2), pause, delay, work)
    agree(seen, ShortPoll(rate=2, gaps=Every(pause + 2 * delay + work), delay=delay))


# Long polling

# research: l, G, t -> responses/s, messages per response, empty, mean wait, p99 wait (seconds)
LONG_POLLS = [
    (1, 0.1, 30, 0.9952, 1.005, 0.000, 0.00498, 0.0900),
    (5, 0.1, 30, 4.519, 1.107, 0.000, 0.0226, 0.0978),
    (20, 0.1, 30, 9.366, 2.135, 0.000, 0.0468, 0.0989),
    (0.05, 0.1, 25, 0.0699, 0.715, 0.2851, 0.00035, 0.0),
    (2, 0.4, 1, 1.683, 1.189, 0.0608, 0.1346, 0.394),
]


@pytest.mark.parametrize(("rate", "gap", "hold", "responses", "messages", "empty", "wait", "tail"), LONG_POLLS)
def test_long_polling_matches_its_fixtures(
    rate: float, gap: float, hold: float, responses: float, messages: float, empty: float, wait: float, tail: float
) -> None:
    oracle = LongPoll(rate, gap, hold)
    assert oracle.responses_per_s == pytest.approx(responses, rel=2e-3)
    assert oracle.messages_per_response == pytest.approx(messages, rel=2e-3)
    assert oracle.empty_ratio == pytest.approx(empty, abs=2e-4)
    assert oracle.mean_wait == pytest.approx(wait, rel=5e-3)
    assert oracle.wait_quantile(0.99) == pytest.approx(tail, abs=2e-4)


@pytest.mark.parametrize(("rate", "gap", "hold"), [(5, 0.1, 30), (2, 0.4, 1), (0.5, 0.1, 2), (20, 0.1, 30)])
def test_long_polling_matches_a_simulation(rate: float, gap: float, hold: float) -> None:
    seen = long_poll(poisson_instants_s(rate, 40_000, seed=3), gap, hold, delay_s=0.02)
    oracle = LongPoll(rate, gap, hold, delay=0.02)
    assert seen.mean_latency_s == pytest.approx(oracle.mean_latency, rel=0.03)
    assert seen.responses_per_s == pytest.approx(oracle.responses_per_s, rel=0.02)
    assert seen.messages_per_response == pytest.approx(oracle.messages_per_response, rel=0.02)
    assert seen.empty_ratio == pytest.approx(oracle.empty_ratio, abs=0.005)
    for share in (0.0, 0.25, 0.5, 0.9):
        wait = share * gap
        assert seen.share_within(0.02 + wait + 1e-9) == pytest.approx(float(oracle.wait_cdf(np.array(wait))), abs=0.01)
    assert seen.quantile_s(0.99) == pytest.approx(0.02 + oracle.wait_quantile(0.99), abs=0.01 * gap)


@given(st.floats(0.01, 50), st.floats(0.001, 1), st.floats(1, 300), st.floats(0.001, 0.999))
def test_no_long_poll_waits_longer_than_its_gap(rate: float, gap: float, hold: float, q: float) -> None:
    """RFC 6202 section 2.2: three transits at most."""
    oracle = LongPoll(rate, gap, hold)
    assert 0 <= oracle.mean_wait <= gap
    assert 0 <= oracle.wait_quantile(q) <= gap
    if wait := oracle.wait_quantile(q):
        assert oracle.wait_cdf(np.array(wait)) == pytest.approx(q, abs=1e-6)


def test_a_long_poll_without_cursor_loses_a_third_at_five_a_second_and_a_gap_of_100_ms() -> None:
    seen = long_poll(poisson_instants_s(5, 40_000, seed=5), 0.1, 30, cursor=False)
    assert LongPoll(5, 0.1, 30).loss_without_cursor == pytest.approx(1 / 3)
    assert seen.lost / 40_000 == pytest.approx(1 / 3, abs=0.01)


# One message a response


def test_one_message_a_response_matches_its_fixtures_and_cannot_keep_up_from_one_a_gap() -> None:
    assert OneByOne(5, 0.1, 1e6).mean_wait == pytest.approx(0.050)
    assert OneByOne(8, 0.1, 1e6).mean_wait == pytest.approx(0.200)
    swamped = OneByOne(10, 0.1, 30)
    assert swamped.mean_wait == swamped.mean_latency == swamped.wait_quantile(0.5) == float("inf")
    assert (swamped.responses_per_s, swamped.empty_ratio, swamped.messages_per_response) == (10, 0, 1)


@pytest.mark.parametrize(("rate", "gap", "hold"), [(5, 0.1, 30), (8, 0.1, 30), (2, 0.4, 1), (0.5, 0.3, 2)])
def test_one_message_a_response_matches_a_simulation_also_where_holds_end_empty(
    rate: float, gap: float, hold: float
) -> None:
    seen = long_poll(poisson_instants_s(rate, 80_000, seed=7), gap, hold, batching=False, delay_s=0.02)
    oracle = OneByOne(rate, gap, hold, delay=0.02)
    assert seen.mean_latency_s == pytest.approx(oracle.mean_latency, rel=0.05)
    assert seen.responses_per_s == pytest.approx(oracle.responses_per_s, rel=0.02)
    assert seen.messages_per_response == pytest.approx(oracle.messages_per_response, rel=0.02)
    assert seen.empty_ratio == pytest.approx(oracle.empty_ratio, abs=0.005)
    for wait in (0.0, 0.5 * gap, gap, 2.5 * gap):
        assert seen.share_within(0.02 + wait + 1e-9) == pytest.approx(float(oracle.wait_cdf(np.array(wait))), abs=0.012)
    for q in (0.9, 0.99):
        assert seen.share_within(0.02 + oracle.wait_quantile(q)) == pytest.approx(q, abs=0.01)


@pytest.mark.parametrize("load", [0.1, 0.5, 0.9, 0.97])
def test_the_waits_of_a_queue_have_the_mean_that_pollaczek_and_khinchine_found(load: float) -> None:
    service = 0.1
    rate = load / service
    waits = np.linspace(0, service * 8 / (1 - load), 801)
    shares = np.array([queue_cdf(wait, rate, service) for wait in waits])
    assert all(before <= after + 1e-9 for before, after in pairwise(shares))
    assert shares[0] == pytest.approx(1 - load)
    area = np.trapezoid(1 - shares, waits)
    assert area == pytest.approx(load * service / (2 * (1 - load)), rel=0.02)


# Streams


@pytest.mark.parametrize("clients", [1, 10, 40])
@pytest.mark.parametrize("load", [0.2, 0.7])
def test_a_broadcast_matches_a_simulation_at_every_place_of_the_line(clients: int, load: float) -> None:
    write, rate = 0.001, load / (clients * 0.001)
    seen = broadcast(poisson_instants_s(rate, 60_000 // clients + 8_000, seed=4), clients, write, delay_s=0.01)
    oracle = FanOut(rate=rate, clients=clients, write=write, delay=0.01)
    for place in (1, (clients + 1) // 2, clients):
        mean = sum(seen[place - 1]) / len(seen[place - 1])
        assert mean == pytest.approx(oracle.mean_latency_at(place), rel=0.07)
    everyone = Observed(latencies_s=[each for client in seen for each in client])
    assert everyone.mean_latency_s == pytest.approx(oracle.mean_latency, rel=0.07)
    for q in (0.3, 0.5, 0.9):
        # A place in an idle line has a share of its own, so a quantile may reach more than q.
        at, before = (oracle.latency_quantile(q) + step for step in (1e-8, -1e-8))
        assert oracle.latency_cdf(before) <= q <= oracle.latency_cdf(at)
        assert everyone.share_within(at) == pytest.approx(oracle.latency_cdf(at), abs=0.02)


def test_a_broadcast_that_lasts_longer_than_a_message_takes_to_come_never_ends() -> None:
    """Research O4: it saturates where the rate is the writes a second over the clients; alone, the last waits N/mu."""
    assert FanOut(rate=50, clients=1000, write=1 / 50_000).mean_latency == float("inf")
    idle = FanOut(rate=1e-9, clients=1000, write=1 / 50_000)
    assert idle.mean_latency == pytest.approx(0.01, rel=2e-3)
    assert idle.mean_latency_at(1000) == pytest.approx(0.02)


# Bytes


def test_bytes_add_up() -> None:
    assert stream_bytes_per_s(308, rate=2, heads=300, lifetime=60) == 621
    # One poll a second at one message a second, a third of them empty.
    assert poll_bytes_per_s(
        heads=300, empty_heads=250, message=300, rate=1, responses_per_s=1, empty_ratio=1 / 3
    ) == pytest.approx(300 * 2 / 3 + 250 / 3 + 300)
