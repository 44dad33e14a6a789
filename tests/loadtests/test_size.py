"""What a run will write is told beforehand, and is never less than what it then writes."""

from dataclasses import replace

from loadtests.records.rows import DELIVERY, REQUEST
from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import SCENARIOS
from loadtests.scenario.size import KEPT_SHARE, needed_bytes

FEED = replace(SCENARIOS["feed"], clients=(10,), schedule="steady:100", spawn_per_s=10.0, warmup_s=1.0, window_s=7.0)


def test_the_rate_is_that_of_the_largest_cell_and_the_room_holds_its_rows_beside_all_that_is_kept() -> None:
    scenario = replace(FEED, drain_s=1.0)
    small, large = (Plan(replace(scenario, clients=(clients,)), ("sse",), 1).cells() for clients in (10, 20))
    per_s, size = needed_bytes(small)
    assert per_s == 10 * 100 * (DELIVERY.size + REQUEST.size)
    assert size == per_s * 10 * (1 + KEPT_SHARE)
    more_per_s, more = needed_bytes([*small, *large])
    assert more_per_s == 2 * per_s
    assert more == 2 * per_s * 11 + KEPT_SHARE * (per_s * 10 + 2 * per_s * 11)
    assert needed_bytes([]) == (0.0, 0.0)


def test_polls_that_find_nothing_are_rows_too() -> None:
    rare = replace(FEED, schedule="steady:0.1", poll_interval_s=0.5)
    per_s, _ = needed_bytes(Plan(rare, ("short_polling",), 1).cells())
    assert per_s == 10 * (0.1 * DELIVERY.size + 2 * REQUEST.size)
