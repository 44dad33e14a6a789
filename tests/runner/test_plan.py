"""Which cells, in which order, under which names."""

import argparse
import shlex
from dataclasses import replace
from itertools import pairwise
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.scenario.overrides import overridden
from loadtests.scenario.plan import Plan, choose, command_line, differences, remaining, sampling_instants_ns
from loadtests.scenario.scenarios import SCENARIOS, Scenario
from loadtests.scenario.settings import OPTIONS, SETTINGS, schedules

FEED = SCENARIOS["feed"]
KNOWN = {name: name for name in ("chunked", "http2_push", "long_polling", "short_polling", "sse", "websocket")}


def in_ms(instants_ns: list[int]) -> tuple[float, ...]:
    return tuple(ns / 1e6 for ns in instants_ns)


patterns_st = st.lists(st.sampled_from(sorted(KNOWN)), min_size=1, unique=True).map(tuple)
scenarios_st = st.builds(
    replace,
    st.sampled_from(list(SCENARIOS.values())),
    clients=st.lists(st.integers(1, 5000), min_size=1, max_size=4, unique=True).map(tuple),
    rtt_ms=st.lists(st.integers(0, 10**10), min_size=1, max_size=3, unique=True).map(in_ms),
    jitter_ms=st.integers(0, 10**10).map(lambda ns: ns / 1e6),
    bandwidth_bits_per_s=st.integers(0, 10**12),
    poll_interval_s=st.floats(0.01, 3600),
    poll_pace=st.sampled_from(["rate", "pause", "uniform:0.5", "exponential"]),
    poll_start=st.sampled_from(["spread", "together"]),
    one_per_response=st.booleans(),
    backoff=st.sampled_from(["exponential", "none", "fixed:0.5"]),
    source=st.sampled_from(["", "127.0.0.2", "127.1.0.0/16"]),
    heartbeat_s=st.just(0.0) | st.floats(0.05, 60.0, exclude_max=True),
    silence_timeout_s=st.just(0.0) | st.floats(60.0, 3600.0),
    send_buffer_bytes=st.integers(0, 10**9),
    etag=st.booleans(),
    no_keep_alive=st.booleans(),
    compress=st.booleans(),
    content=st.sampled_from(["same", "noise", "json"]),
    message_bytes=st.integers(0, 1_000_000),
    message_limit_bytes=st.integers(65_536, 1_073_741_824),
    window_s=st.floats(0.1, 86_400),
    drain_s=st.none() | st.floats(0, 86_400),
    schedule=st.sampled_from(
        ["poisson:5", "steady:0.5", "burst:20/2", "poisson:3,seed=7", "poisson:0.1,poisson:3,seed=7,poisson:20"]
    ),
)
plans_st = st.builds(Plan, scenarios_st, patterns_st, st.integers(1, 5))


def names(plan: Plan) -> list[str]:
    return [cell.name for cell in plan.cells()]


def test_repeats_are_interleaved_and_cells_named_by_scenario_clients_pattern_repeat() -> None:
    assert names(Plan(FEED, ("sse", "chunked"), 2)) == [
        "feed-50-sse-1",
        "feed-50-chunked-1",
        "feed-50-sse-2",
        "feed-50-chunked-2",
    ]


def test_a_sweep_has_a_cell_for_each_count_of_clients() -> None:
    assert names(Plan(replace(FEED, clients=(10, 20)), ("sse",), 2)) == [
        "feed-10-sse-1",
        "feed-20-sse-1",
        "feed-10-sse-2",
        "feed-20-sse-2",
    ]


def test_each_round_trip_has_its_cells_and_only_none_has_no_part_of_the_name() -> None:
    assert names(Plan(replace(FEED, clients=(10, 20), rtt_ms=(0.0, 80.0)), ("sse", "chunked"), 1)) == [
        "feed-10-sse-1",
        "feed-10-chunked-1",
        "feed-10-80ms-sse-1",
        "feed-10-80ms-chunked-1",
        "feed-20-sse-1",
        "feed-20-chunked-1",
        "feed-20-80ms-sse-1",
        "feed-20-80ms-chunked-1",
    ]


def test_each_message_rate_has_its_cells_and_only_several_have_a_part_of_the_name() -> None:
    plan = Plan(replace(FEED, rtt_ms=(40.0,), schedule="poisson:0.5,poisson:20"), ("sse", "chunked"), 1)
    assert names(plan) == [
        "feed-50-40ms-0.5per_s-sse-1",
        "feed-50-40ms-0.5per_s-chunked-1",
        "feed-50-40ms-20per_s-sse-1",
        "feed-50-40ms-20per_s-chunked-1",
    ]
    assert [cell.schedule for cell in plan.cells()[::2]] == ["poisson:0.5", "poisson:20"]
    assert names(Plan(replace(FEED, schedule="poisson:20"), ("sse",), 1)) == ["feed-50-sse-1"]


@given(plans_st)
def test_no_two_cells_share_a_name_and_every_combination_has_one(plan: Plan) -> None:
    of_scenario = (plan.scenario.clients, plan.scenario.rtt_ms, plan.scenario.schedules)
    combinations = prod(map(len, of_scenario)) * len(plan.patterns) * plan.repeats
    assert len(set(names(plan))) == combinations


@given(plans_st)
def test_between_two_repeats_of_a_pattern_every_other_pattern_had_its_turn(plan: Plan) -> None:
    turns = [cell.pattern for cell in plan.cells()]
    for at in range(0, len(turns), len(plan.patterns)):
        assert tuple(turns[at : at + len(plan.patterns)]) == plan.patterns


@given(plans_st, st.data())
def test_what_remains_is_the_plan_without_what_is_finished_in_order(plan: Plan, data: st.DataObject) -> None:
    finished = data.draw(st.sets(st.sampled_from(names(plan))))
    left = [cell.name for cell in remaining(plan, finished)]
    assert left == [name for name in names(plan) if name not in finished]


@given(plans_st, st.sampled_from(["run", "compare"]))
def test_the_recorded_command_gives_the_same_plan_again(plan: Plan, kind: str) -> None:
    if kind == "run":
        plan = replace(plan, patterns=plan.patterns[:1])
    assert read_command(command_line(kind, plan)) == plan


def read_command(command: str) -> Plan:
    """Read a command as pollbench does, without typer."""
    parser = argparse.ArgumentParser()
    for field, each in SETTINGS.items():
        if each.kind is bool:
            parser.add_argument(each.option, dest=field, action="store_true", default=None)
        else:
            parser.add_argument(each.option, dest=field)
    words = shlex.split(command)
    if words[1] == "run":
        parser.add_argument("pattern")
        parser.add_argument("scenario")
    else:
        parser.add_argument("--pattern")
        parser.add_argument("--scenario")
    parser.add_argument("--repeats", type=int)
    given_words = vars(parser.parse_args(words[2:]))
    overrides = {field: given_words[field] for field in OPTIONS}
    scenario = overridden(given_words["scenario"], overrides, FEED)
    return Plan(scenario, choose([given_words["pattern"]], KNOWN, "pattern"), given_words["repeats"])


def test_differences_name_option_and_both_values() -> None:
    saved = Plan(FEED, ("sse",), 3)
    asked = Plan(replace(FEED, clients=(10, 20), rtt_ms=(0.0, 40.0)), ("sse", "chunked"), 3)
    assert differences(asked, saved) == [
        "--clients 10,20 instead of 50",
        "--rtt 0,40ms instead of 0",
        "--pattern sse,chunked instead of sse",
    ]
    assert differences(saved, saved) == []


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (["sse"], ("sse",)),
        (["sse,chunked", "websocket"], ("sse", "chunked", "websocket")),
        (["sse, sse,", "sse"], ("sse",)),
    ],
)
def test_names_come_from_comma_lists_and_repeated_options_once_each(wanted: list[str], chosen: tuple[str, ...]) -> None:
    assert choose(wanted, KNOWN, "pattern") == chosen


def test_an_unknown_name_is_answered_with_the_nearest_and_with_all() -> None:
    with pytest.raises(ValueError, match=r"pattern 'longpolling' is none of: chunked, .* did you mean long_polling\?"):
        choose(["longpolling"], KNOWN, "pattern")
    with pytest.raises(ValueError, match=r"pattern 'xyz' is none of: [^;]*$"):
        choose(["xyz"], KNOWN, "pattern")


@pytest.mark.parametrize("repeats", [0, -1, 1001])
def test_repeats_out_of_range_are_refused(repeats: int) -> None:
    with pytest.raises(ValueError, match="--repeats"):
        Plan(FEED, ("sse",), repeats)


def test_no_pattern_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="no pattern"):
        Plan(FEED, (), 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("clients", ()),
        ("clients", (0,)),
        ("clients", (50_001,)),
        ("schedule", "manual"),
        ("schedule", "now and then"),
        ("message_bytes", -1),
        ("poll_interval_s", 0.0),
        ("poll_interval_s", float("nan")),
        ("poll_pace", "sometimes"),
        ("poll_start", "apart"),
        ("backoff", "never"),
        ("source", "elsewhere"),
        ("hold_timeout_s", 0.5),
        ("hold_timeout_s", 301.0),
        ("spawn_per_s", 0.0),
        ("warmup_s", -1.0),
        ("window_s", 0.0),
        ("window_s", float("inf")),
        ("drain_s", -0.1),
        ("rtt_ms", ()),
        ("rtt_ms", (20.0, 10_001.0)),
        ("jitter_ms", 10_001.0),
        ("network", "wifi"),
        ("heartbeat_s", 0.01),
        ("silence_timeout_s", 10.0),
        ("send_buffer_bytes", -1),
    ],
)
def test_a_scenario_refuses_what_cannot_be_measured(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{OPTIONS[field]} "):
        Plan(replace(FEED, **{field: value}), ("sse",), 1)  # type: ignore[arg-type]


def test_what_only_a_relay_can_do_is_not_asked_of_the_kernel() -> None:
    for field in ("jitter_ms", "bandwidth_bits_per_s"):
        with pytest.raises(ValueError, match=f"{OPTIONS[field]} .* --network relay"):
            Plan(replace(FEED, network="netem", **{field: 1000}), ("sse",), 1)  # type: ignore[arg-type]


@given(plans_st)
def test_a_relay_stands_between_only_where_it_has_something_to_do(plan: Plan) -> None:
    for cell in plan.cells():
        assert cell.relayed == (cell.rtt_ms + plan.scenario.jitter_ms + plan.scenario.bandwidth_bits_per_s > 0)
        assert not replace(cell, scenario=replace(FEED, rtt_ms=(cell.rtt_ms,), network="netem")).relayed


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("poisson:5", {5.0: "poisson:5"}),
        ("poisson:20, poisson:1,poisson:20", {20.0: "poisson:20", 1.0: "poisson:1"}),
        ("poisson:3,seed=7,poisson:9,seed=2", {3.0: "poisson:3,seed=7", 9.0: "poisson:9,seed=2"}),
        ("burst:20/2,burst:20/20", {10.0: "burst:20/2", 1.0: "burst:20/20"}),
    ],
)
def test_schedules_are_told_apart_by_their_rate(text: str, rates: dict[float, str]) -> None:
    assert schedules(text) == rates
    assert overridden(None, {"schedule": text}, FEED).schedules == rates


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("poisson:5,steady:5", "poisson:5 and steady:5 both publish 5 messages a second, .* leave one out"),
        ("poisson:5,poisson:5,seed=2", "both publish 5 messages a second"),
        ("poisson:5,steady:9", "poisson and steady differ .* measure the other in a separate run"),
        ("poisson:5,9", "schedule 'poisson:5,9' is none of"),
        ("poisson:5,,poisson:9", "is none of"),
        ("poisson:5,", "is none of"),
        ("manual", "a schedule that publishes"),
    ],
)
def test_schedules_that_would_not_be_a_sweep_are_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Plan(replace(FEED, schedule=text), ("sse",), 1)


def test_client_counts_are_whole_numbers() -> None:
    assert SETTINGS["clients"].of("10,50, 10") == (10, 50)
    for text in ("", "ten", "1.5", "10,,20"):
        with pytest.raises(ValueError, match="--clients"):
            SETTINGS["clients"].of(text)


def test_round_trips_are_durations_and_plain_numbers_are_milliseconds() -> None:
    assert SETTINGS["rtt_ms"].of("40ms") == (40.0,)
    assert SETTINGS["rtt_ms"].of("0,20, 80,1.5s,0ms,250us") == (0.0, 20.0, 80.0, 1500.0, 0.25)
    for text in ("far", "-1", "nan", "20,,80", "40 min", "61s"):
        with pytest.raises(ValueError, match="--rtt"):
            overridden(None, {"rtt_ms": text}, FEED)


@given(st.integers(0, 10**18), st.integers(1, 20 * 10**9), st.data())
def test_the_server_is_looked_at_every_second_at_both_edges_and_at_the_end(
    from_ns: int, length_ns: int, data: st.DataObject
) -> None:
    until_ns = from_ns + length_ns
    edges = data.draw(st.tuples(st.integers(from_ns, until_ns), st.integers(from_ns, until_ns)))
    instants = sampling_instants_ns(from_ns, until_ns, edges)
    assert instants == sorted(set(instants))
    assert {from_ns, until_ns, *edges} <= set(instants)
    assert all(later - sooner <= 10**9 for sooner, later in pairwise(instants))


def test_every_named_scenario_says_what_it_is_for_and_what_it_costs() -> None:
    for name, scenario in SCENARIOS.items():
        assert isinstance(scenario, Scenario)
        assert scenario.name == name
        assert scenario.purpose
        assert Plan(scenario, ("sse",), 1).expected_s > scenario.window_s


def test_the_default_comparison_is_planned_to_take_less_than_three_minutes() -> None:
    assert Plan(FEED, tuple(KNOWN), 3).expected_s < 160


def test_the_sweep_of_the_message_rate_is_planned_to_take_three_minutes_at_one_repeat() -> None:
    assert Plan(SCENARIOS["rates"], tuple(KNOWN), 1).expected_s < 180
