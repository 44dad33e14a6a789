"""What theory says of given messages: in the long run as the closed forms, and fair bounds for each honest run."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from reports.theory.oracles import (
    Every,
    ExponentialGaps,
    FanOut,
    Floats,
    Gaps,
    LongPoll,
    OneByOne,
    ShortPoll,
    UniformGaps,
)
from reports.theory.predictions.conditions import Conditions, Expected, woken
from reports.theory.predictions.heartbeats import Heartbeats, beats
from reports.theory.predictions.long_polls import follow, long_polling
from reports.theory.predictions.short_polls import short_polling
from reports.theory.predictions.streams import streaming
from reports.theory.predictions.traffic import held_probes
from tests.simulation import poisson_instants_s

PACES: dict[str, tuple[Gaps, Callable[[Random], float]]] = {
    "rate": (Every(0.5), lambda _random: 0.5),
    "uniform": (UniformGaps(0.25, 0.75), lambda random: random.uniform(0.25, 0.75)),
    "exponential": (ExponentialGaps(0.5), lambda random: random.expovariate(2)),
}


def cell(published: Floats, window: float, **changes: object) -> Conditions:
    """A cell in a world without lateness, where nobody ever wakes late."""
    ideal = Conditions(
        due=published,
        published=published,
        window=window,
        end=window + 60,
        clients=1,
        joined=(-5.0, -5.0),
        delay=0.0,
        gaps=Every(0.5),
        gaps_slack=0.0,
        hold=30.0,
        limit=None,
        heartbeat=15.0,
        turnaround=0.0,
        cost=0.0,
        greeting=0.0,
        wakes=0,
        late=0.0,
        latest=0.0,
        repeats=1,
    )
    return replace(ideal, **changes)  # type: ignore[arg-type]


def poisson(rate: float, window: float, seed: int = 1) -> Floats:
    """Instants from five seconds before the window to ten behind it."""
    return np.array(poisson_instants_s(rate, int(rate * (window + 15)) + 50, seed)) - 5.0


def theory(expected: Expected, name: str) -> float:
    return expected.bounds[name].theory


# In the long run


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("rate", [0.5, 4.0])
def test_short_polls_of_many_messages_are_as_the_closed_form_says(pace: str, rate: float) -> None:
    gaps, _ = PACES[pace]
    window = min(4_000, 8_000 / rate)
    expected = short_polling(cell(poisson(rate, window), window, gaps=gaps, delay=0.02, clients=10))
    oracle = ShortPoll(rate, gaps, delay=0.02)
    assert theory(expected, "mean_ms") == pytest.approx(oracle.mean_latency * 1e3, rel=0.005)
    for name, q in (("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99)):
        assert theory(expected, name) == pytest.approx(oracle.latency_quantile(q) * 1e3, rel=0.005)
    assert theory(expected, "empty_ratio") == pytest.approx(oracle.empty_ratio, abs=0.015)
    assert theory(expected, "responses_per_s") == pytest.approx(10 * oracle.responses_per_s)


@pytest.mark.parametrize(("rate", "gap", "hold"), [(5, 0.1, 30), (20, 0.1, 30), (2, 0.4, 1), (0.5, 0.1, 2)])
def test_long_polls_of_many_messages_are_as_the_closed_form_says(rate: float, gap: float, hold: float) -> None:
    window = min(4_000, 20_000 / rate)
    expected = long_polling(cell(poisson(rate, window), window, turnaround=gap, hold=hold, clients=10))
    oracle = LongPoll(rate, gap, hold)
    assert theory(expected, "mean_ms") == pytest.approx(oracle.mean_wait * 1e3, rel=0.06)
    assert theory(expected, "p99_ms") == pytest.approx(oracle.wait_quantile(0.99) * 1e3, rel=0.02, abs=1)
    assert theory(expected, "responses_per_s") == pytest.approx(10 * oracle.responses_per_s, rel=0.03)
    assert theory(expected, "empty_ratio") == pytest.approx(oracle.empty_ratio, abs=0.01)


@pytest.mark.parametrize(("rate", "gap", "hold"), [(5, 0.1, 30), (2, 0.4, 1)])
def test_long_polls_one_message_at_a_time_are_as_the_closed_form_says(rate: float, gap: float, hold: float) -> None:
    at = cell(poisson(rate, 6_000), 6_000, turnaround=gap, hold=hold, limit=1)
    expected, oracle = long_polling(at), OneByOne(rate, gap, hold)
    assert theory(expected, "mean_ms") == pytest.approx(oracle.mean_wait * 1e3, rel=0.06)
    assert theory(expected, "p99_ms") == pytest.approx(oracle.wait_quantile(0.99) * 1e3, rel=0.08)
    assert theory(expected, "responses_per_s") == pytest.approx(oracle.responses_per_s, rel=0.03)
    assert theory(expected, "empty_ratio") == pytest.approx(oracle.empty_ratio, abs=0.01)


@pytest.mark.parametrize("load", [0.1, 0.6])
def test_broadcasts_of_many_messages_are_as_the_closed_form_says(load: float) -> None:
    clients, write = 20, 0.001
    rate = load / (clients * write)
    at = cell(poisson(rate, 1_000), 1_000, clients=clients, cost=write, delay=0.02)
    oracle = FanOut(rate, clients, write, delay=0.02)
    assert theory(streaming(at), "mean_ms") == pytest.approx(oracle.mean_latency * 1e3, rel=0.03)
    assert theory(streaming(at), "p90_ms") == pytest.approx(oracle.latency_quantile(0.9) * 1e3, rel=0.05)


# For each honest run


def honest(at: Conditions, draw: Callable[[Random], float], seed: int) -> dict[str, float]:
    """Poll as `at.clients` users do whose phases are their own, and measure as measures.py does."""
    random, own = Random(seed), at.published[at.own]
    latencies, found, polled = [], 0, 0
    for _ in range(at.clients):
        begin = -60 * at.gaps.mean
        polls = [begin + random.random() * at.gaps.mean]
        while polls[-1] < at.window + 12:
            polls.append(polls[-1] + draw(random))
        reads = np.array(polls)
        latencies.append(reads[np.searchsorted(reads, own)] - own + at.delay)
        inside = (reads >= -at.delay) & (reads < at.window - at.delay)
        news = np.diff(np.searchsorted(at.published, reads, side="right"), prepend=0) > 0
        found, polled = found + int(news[inside].sum()), polled + int(inside.sum())
    everyone = np.concatenate(latencies) * 1e3
    quantiles = np.quantile(everyone, (0.5, 0.9, 0.99), method="inverted_cdf")
    return {
        "mean_ms": float(everyone.mean()),
        **dict(zip(("p50_ms", "p90_ms", "p99_ms"), map(float, quantiles), strict=True)),
        "responses_per_s": polled / at.window,
        "empty_ratio": 1 - found / polled,
    }


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize(("rate", "window", "clients"), [(5, 4, 12), (0.5, 20, 6), (3, 10, 40)])
def test_honest_short_polls_lie_within_their_bounds_and_use_half_of_them(
    pace: str, rate: float, window: float, clients: int
) -> None:
    """Of 100 runs with nothing but chance in their phases none is called wrong, and the bounds are not much wider."""
    gaps, draw = PACES[pace]
    at = cell(poisson(rate, window), window, gaps=gaps, delay=0.02, clients=clients)
    bounds = short_polling(at).bounds
    runs = [honest(at, draw, seed) for seed in range(100)]
    for name, bound in bounds.items():
        values = np.array([run[name] for run in runs])
        outside = (values < bound.low - 1e-9) | (values > bound.high + 1e-9)
        assert not outside.any(), (name, bound, values[outside])
        reached = max(np.ptp(values), 1e-12) / max(bound.high - bound.low, 1e-12)
        if name in {"mean_ms", "p50_ms"}:
            assert reached > 0.4, (name, bound, values.min(), values.max())


# Step by step


@pytest.mark.parametrize(
    ("published", "limit", "answers"),
    [
        ([5.0], None, [(3.0, 0), (5.0, 1)]),
        ([1.0, 1.05], None, [(1.0, 1), (1.1, 1)]),  # the second comes in the gap and waits for the next request
        ([1.0, 1.05, 1.09], None, [(1.0, 1), (1.1, 2)]),  # and so does the third, in the same answer
        ([1.0, 1.05, 1.09], 1, [(1.0, 1), (1.1, 1), (1.2, 1)]),  # or in one of its own
        ([1.0, 1.05, 1.15], None, [(1.0, 1), (1.1, 1), (1.2, 1)]),
        ([1.0, 1.0, 1.0], None, [(1.0, 3)]),
        ([1.0, 8.0], None, [(1.0, 1), (4.1, 0), (7.2, 0), (8.0, 1)]),  # two holds end empty in between
        ([0.0, 0.1], None, [(0.0, 1), (0.1, 1)]),  # asked again in the instant it comes
    ],
)
def test_a_long_poll_is_followed_from_answer_to_answer(
    published: list[float], limit: int | None, answers: list[tuple[float, int]]
) -> None:
    found = follow(published, asked=0.0, until=0.0, gap=lambda: 0.1, hold=3.0, limit=limit)
    assert [(round(at, 9), count) for at, count in found] == answers


def test_holds_go_on_to_the_end_of_the_window_when_nothing_more_is_published() -> None:
    found = follow([1.0], asked=0.0, until=8.0, gap=lambda: 0.1, hold=3.0)
    assert [(round(at, 9), count) for at, count in found] == [(1.0, 1), (4.1, 0), (7.2, 0), (10.3, 0)]


@pytest.mark.parametrize(
    ("due", "published", "wakes"),
    [
        ([], [], []),
        ([1, 2, 3], [1.1, 2.1, 3.1], [0, 1, 2]),
        ([1, 1, 1], [1.1, 1.1, 1.1], [0, 0, 0]),  # a burst
        ([1, 1.05, 2], [1.1, 1.101, 2.1], [0, 0, 1]),  # the second was due when the first came late
        ([1, 1.1005], [1.1, 1.101], [0, 1]),  # it was not, though published right behind
    ],
)
def test_a_wake_up_takes_along_what_is_due_by_then(due: list[float], published: list[float], wakes: list[int]) -> None:
    assert woken(np.array(due), np.array(published)).tolist() == wakes


def test_first_polls_that_connect_in_the_window_may_add_as_many_as_that_takes() -> None:
    usual = cell(poisson(10.0, 4.0), 4.0, clients=40, delay=0.01)
    plain, greeted = (short_polling(at).bounds["responses_per_s"] for at in (usual, replace(usual, greeting=0.05)))
    assert greeted.high - plain.high == pytest.approx(0.1 * 40 / 4)
    assert (greeted.low, greeted.theory) == (plain.low, plain.theory)


# Heartbeats


@pytest.mark.parametrize(
    ("published", "between", "expected"),
    [
        ([0.0, 40.0], (10.0, 35.0), (2, 2)),
        ([0.0, 40.0], (16.0, 29.0), (0, 0)),
        ([0.0, 40.0], (15.01, 29.0), (0, 1)),
        ([0.0], (10.0, 50.0), (3, 3)),
        ([*range(60)], (10.0, 50.0), (0, 0)),
        ([0.0, 14.9, 29.8], (1.0, 44.0), (0, 0)),
        ([0.0, 40.0, 4.0], (10.0, 35.0), (4, 4)),
    ],
)
def test_a_silence_is_broken_by_heartbeats(
    published: list[float], between: tuple[float, float], expected: tuple[int, int]
) -> None:
    assert beats(Heartbeats(18), cell(np.array(published), 60.0), *between) == expected


@pytest.mark.parametrize(
    ("joined", "between", "expected"),
    [
        ((-5.0, -5.0), (0.0, 12.0), (1, 1)),
        ((-5.0, -5.0), (0.0, 9.0), (0, 0)),
        ((-5.0, -5.0), (0.0, 10.05), (0, 1)),
        ((-15.0, -5.0), (1.0, 9.0), (0, 1)),
        ((-17.0, -5.0), (11.0, 28.0), (1, 2)),
    ],
)
def test_clients_that_must_answer_are_asked_whether_or_not_it_is_silent(
    joined: tuple[float, float], between: tuple[float, float], expected: tuple[int, int]
) -> None:
    at = cell(np.arange(60.0), 60.0, joined=joined)
    assert beats(Heartbeats(72, asked=True), at, *between) == expected
    assert beats(Heartbeats(72, asked=True), replace(at, heartbeat=0.0), *between) == (0, 0)
    assert beats(Heartbeats(), at, *between) == (0, 0)


@pytest.mark.parametrize(
    ("published", "between", "most"),
    [
        ([*range(60)], (10.0, 50.0), 0),
        ([0.0, 40.0], (10.0, 35.0), 2),
        ([0.0, 40.0], (16.0, 29.0), 1),
        ([0.0, 14.9, 29.8, 44.7, 59.6], (1.0, 44.0), 0),
        ([0.0, 59.0], (1.0, 58.0), 4),
    ],
)
def test_long_polls_are_probed_in_silences_only(
    published: list[float], between: tuple[float, float], most: int
) -> None:
    at = cell(np.array(published), 60.0, end=61.0)
    assert held_probes(at, *between) == most
    assert held_probes(replace(at, hold=14.0), *between) == held_probes(replace(at, heartbeat=0.0), *between) == 0
