"""The closed forms: against the published fixtures, and against an event simulation that knows nothing of them."""

from random import Random

import pytest

from reports.oracles import (
    LongPoll,
    ShortPoll,
    UniformPoll,
    fan_out_wait,
    long_poll_responses,
    mean_tolerance,
    one_message_wait,
    poll_bytes_per_s,
    push_ceiling_bytes_per_s,
    ratio_tolerance,
    rotation_wait,
    stream_bytes_per_s,
)
from tests.simulation import long_poll, poisson_instants_s, short_poll

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


@pytest.mark.parametrize(("rate", "gap", "hold"), [(5, 0.1, 30), (2, 0.4, 1), (0.5, 0.1, 2)])
def test_long_polling_matches_a_simulation(rate: float, gap: float, hold: float) -> None:
    seen = long_poll(poisson_instants_s(rate, 40_000, seed=3), gap, hold)
    oracle = LongPoll(rate, gap, hold)
    assert seen.mean_latency_s == pytest.approx(oracle.mean_latency, rel=0.03)
    assert seen.responses / seen.duration_s == pytest.approx(oracle.responses_per_s, rel=0.02)
    assert seen.empty_ratio == pytest.approx(oracle.empty_ratio, abs=0.005)


@pytest.mark.parametrize(
    ("published", "responses"),
    [
        ([], 0),
        ([5.0], 1),
        ([1.0, 1.05], 2),  # the second comes in the gap and waits for the next request
        ([1.0, 1.05, 1.09], 2),  # and so does the third, in the same answer
        ([1.0, 1.05, 1.15], 3),
        ([1.0, 1.0, 1.0], 1),
        ([1.0, 8.0], 4),  # two holds of three seconds end empty in between
    ],
)
def test_what_is_published_in_the_gap_comes_in_one_batch(published: list[float], responses: int) -> None:
    assert long_poll_responses(published, gap=0.1, hold=3.0) == responses


@pytest.mark.parametrize(("rate", "gap", "hold"), [(5, 0.1, 30), (20, 0.1, 30), (2, 0.4, 1)])
def test_responses_for_given_instants_agree_with_the_closed_form(rate: float, gap: float, hold: float) -> None:
    published = poisson_instants_s(rate, 30_000, seed=11)
    wanted = LongPoll(rate, gap, hold).responses_per_s * (published[-1] - published[0])
    assert long_poll_responses(published, gap, hold) == pytest.approx(wanted, rel=0.02)


def test_a_long_poll_without_cursor_loses_a_third_at_five_a_second_and_a_gap_of_100_ms() -> None:
    seen = long_poll(poisson_instants_s(5, 40_000, seed=5), 0.1, 30, cursor=False)
    assert LongPoll(5, 0.1, 30).loss_without_cursor == pytest.approx(1 / 3)
    assert seen.lost / 40_000 == pytest.approx(1 / 3, abs=0.01)


def test_one_message_a_response_queues_and_cannot_keep_up_from_one_a_gap() -> None:
    assert one_message_wait(5, 0.1) == pytest.approx(0.050)
    assert one_message_wait(8, 0.1) == pytest.approx(0.200)
    assert one_message_wait(10, 0.1) == float("inf")
    seen = long_poll(poisson_instants_s(5, 60_000, seed=7), 0.1, 30, batching=False)
    assert seen.mean_latency_s == pytest.approx(0.050, rel=0.04)


def test_short_polling_matches_its_fixtures() -> None:
    oracle = ShortPoll(rate=1, interval=1)
    assert oracle.empty_ratio == pytest.approx(0.368, abs=5e-4)
    assert oracle.unseen_ratio == pytest.approx(0.368, abs=5e-4)
    assert oracle.messages_per_response == pytest.approx(1.582, abs=5e-4)
    assert oracle.responses_per_s == 1
    assert UniformPoll(1, 0.5, 1.5).mean_latency == pytest.approx(0.5417, abs=5e-5)
    assert UniformPoll(1, 0.5, 1.5).empty_ratio == pytest.approx(0.3834, abs=5e-5)


def test_short_polling_matches_a_simulation() -> None:
    seen = short_poll(poisson_instants_s(2, 40_000, seed=1), lambda: 0.7, delay_s=0.05)
    oracle = ShortPoll(rate=2, interval=0.7, delay=0.05)
    assert seen.mean_latency_s == pytest.approx(oracle.mean_latency, rel=0.01)
    assert seen.empty_ratio == pytest.approx(oracle.empty_ratio, abs=0.01)
    assert sorted(seen.latencies_s)[round(0.9 * 40_000)] == pytest.approx(oracle.latency_quantile(0.9), rel=0.01)


def test_polling_at_random_intervals_matches_a_simulation() -> None:
    random = Random(2)
    seen = short_poll(poisson_instants_s(1, 40_000, seed=2), lambda: random.uniform(0.5, 1.5), delay_s=0.0)
    oracle = UniformPoll(1, 0.5, 1.5)
    assert seen.mean_latency_s == pytest.approx(oracle.mean_latency, rel=0.02)
    assert seen.empty_ratio == pytest.approx(oracle.empty_ratio, abs=0.01)


def test_streams_wait_for_the_clients_before_them_and_for_their_reconnects() -> None:
    assert fan_out_wait(1000, 50_000) == pytest.approx(0.01)
    assert rotation_wait(lifetime=9.0, reconnect=1.0) == pytest.approx(0.05)


def test_bytes_and_ceilings_add_up() -> None:
    assert push_ceiling_bytes_per_s(65_535, 0.1) == pytest.approx(655_350)
    assert stream_bytes_per_s(300, 8, rate=2, heartbeat=15, every=15) == 617
    # One poll a second at one message a second, a third of them empty.
    assert poll_bytes_per_s(100, 200, 150, 300, rate=1, cycle=1, empty_ratio=1 / 3) == pytest.approx(
        100 + 200 * 2 / 3 + 150 / 3 + 300
    )


def test_tolerances_shrink_with_the_square_root_of_what_was_seen_and_never_below_one_percent_of_a_period() -> None:
    assert mean_tolerance(1.0, 300) == pytest.approx(0.05)
    assert mean_tolerance(1.0, 10**9) == 0.01
    assert ratio_tolerance(0.5, 100) == pytest.approx(0.16)
    assert mean_tolerance(1.0, 0) == ratio_tolerance(0.5, 0) == float("inf")
