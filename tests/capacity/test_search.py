"""Where the limit of a server is looked for and found: by decisions alone, no server is there."""

from math import isclose

import pytest

from loadtests.scenario.dimensions import CLIENTS
from reports.capacity.found import Found
from reports.capacity.limit import limit_of
from reports.capacity.rungs import Rung
from reports.capacity.search import TriedLoad, following
from reports.ci.slo import parse_slo

GOALS = tuple(parse_slo('slo = ["p99_ms < 250"]', "--goal"))
MANY = 50_000


def at(load: int, kept: int = 3, of: int = 3, undecided: str = "") -> TriedLoad:
    return TriedLoad(load, (True,) * kept + (False,) * (of - kept), undecided)


def climbed(limit: int, first: int = 50, most: int = MANY, precision: float = 0.1) -> list[TriedLoad]:
    """Search a server that holds `limit` and no more."""
    tried: list[TriedLoad] = []
    while (load := following(tried, first, most, precision)) is not None:
        assert load not in {rung.load for rung in tried}
        tried.append(at(load, 3 if load <= limit else 0))
    return tried


@pytest.mark.parametrize("limit", [1, 2, 7, 49, 50, 51, 320, 1_000, 44_000])
def test_the_limit_is_found_as_closely_as_was_asked(limit: int) -> None:
    found = limit_of(climbed(limit))
    assert found is not None
    assert found.low <= limit + 1
    assert found.high >= limit
    assert found.high <= found.low * 1.1 or found.high - found.low <= 1


@pytest.mark.parametrize("limit", [1, 50, 44_000])
def test_few_loads_are_tried(limit: int) -> None:
    assert len(climbed(limit)) <= 17


def test_the_search_doubles_until_a_goal_breaks_and_then_narrows() -> None:
    assert [rung.load for rung in climbed(320)] == [50, 100, 200, 400, 283, 336, 308]


def test_nothing_beyond_the_most_is_tried_and_then_no_limit_is_known() -> None:
    tried = climbed(1_000, most=120)
    assert [rung.load for rung in tried] == [50, 100, 120]
    assert limit_of(tried) is None


def test_a_server_that_holds_nothing_has_no_limit() -> None:
    tried = climbed(0)
    assert [rung.load for rung in tried] == [50, 25, 12, 6, 3, 1]
    assert limit_of(tried) is None


def test_half_of_the_repeats_may_break_a_goal() -> None:
    assert at(1, 2, 4).held
    assert not at(1, 1, 4).held
    assert not at(1, 0, 0).held


def test_where_repeats_disagree_the_limit_lies_where_half_of_them_would_break_the_goals() -> None:
    found = limit_of([at(100, 4, 4), at(200, 3, 4), at(400, 1, 4), at(800, 0, 4)])
    assert found is not None
    assert isclose(found.at, (200 * 400) ** 0.5, rel_tol=1e-9)
    assert found.low <= 200
    assert found.high >= 400


def test_a_rung_that_broke_by_chance_beneath_others_that_held_does_not_move_the_limit_far() -> None:
    clean = limit_of([at(100), at(200), at(400), at(800, 0)])
    noisy = limit_of([at(100), at(200, 2), at(400), at(800, 0)])
    assert clean is not None
    assert noisy is not None
    assert isclose(clean.at, noisy.at, rel_tol=0.1)


def told(*rungs: Rung) -> str:
    return Found("SSE", CLIENTS, GOALS, rungs).answer


HELD = Rung(at(100), {"p99_ms": 12.0})


def test_the_answer_names_the_limit_its_interval_and_what_ended_it() -> None:
    broken = Rung(at(110, 0), {"p99_ms": 300.0}, blame="the server's core, 99 % of it used in the busiest second")
    answer = told(HELD, broken)
    assert answer.startswith("SSE holds 100 clients with p99_ms < 250, and its limit is about 105 clients (100 to 110)")
    assert "the bottleneck is the server's core" in answer
    assert answer.endswith("It is a cliff: p99_ms goes from 12.0 to 300 between 100 and 110 clients.")


def test_our_own_limit_is_never_called_the_servers() -> None:
    ours = Rung(at(200, 0, undecided="our own side was the limit: The load generator was late"), {})
    assert told(HELD, ours) == (
        "SSE holds 100 clients with p99_ms < 250. Its limit is unknown: at 200 clients, our own side was the "
        "limit: The load generator was late."
    )
    assert told(ours).startswith("The limit of SSE is unknown: at 200 clients, our own side was the limit")
    assert limit_of([HELD.tried, ours.tried]) is None


def test_what_was_held_up_to_the_most_is_no_limit() -> None:
    assert told(HELD) == "SSE holds 100 clients with p99_ms < 250; more was not tried (--most)."


def test_a_server_that_does_not_hold_one_client_is_told_so() -> None:
    assert told(Rung(at(1, 0), {}, blame="the server: it ended")) == (
        "SSE does not hold 1 client with p99_ms < 250; the bottleneck is the server: it ended."
    )
