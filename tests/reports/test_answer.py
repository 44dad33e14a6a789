"""What the page says in words: nothing is called better on less than the repeats can show."""

import pandas as pd
import pytest

from reports.measures.ranking import level, ranking
from reports.page.answer import findings, goals, headline

NAN = float("nan")


def rows(**p50: tuple[float, float, float]) -> pd.DataFrame:
    """One row a pattern: (low, median, high) of p50; everything else the same for all."""
    same = {
        "rtt_ms": 0.0,
        "rate_per_s": 5.0,
        "missed": 0,
        "owed": 10,
        "delivered": 10,
        "duplicated": 0,
        "errors": 0,
        "repeats": 3,
        "messages": 300,
    }
    frame = pd.DataFrame(
        [
            {"pattern": name, "label": name.upper(), "p50_ms_low": low, "p50_ms": mid, "p50_ms_high": high, **same}
            for name, (low, mid, high) in p50.items()
        ]
    )
    for name, times in (("p90_ms", 1.5), ("p99_ms", 2)):
        frame = frame.assign(**{f"{name}{side}": frame[f"p50_ms{side}"] * times for side in ("", "_low", "_high")})
    for name in ("cpu_ms_per_1000", "http_bytes_per_delivery", "memory_per_client_bytes"):
        frame = frame.assign(**{name: 20.0, f"{name}_low": 20.0, f"{name}_high": 20.0})
    return frame


def at(rtt_ms: float, **p50: tuple[float, float, float]) -> pd.DataFrame:
    return rows(**p50).assign(rtt_ms=rtt_ms)


NEAR = at(0, poll=(9, 9, 9), long=(1, 1, 1), stream=(1, 1, 1))
FAR = at(20, poll=(18, 18, 18), long=(11, 11, 11), stream=(11, 11, 11))
FURTHEST = at(80, poll=(120, 120, 120), long=(90, 90, 90), stream=(41, 41, 41))


@pytest.mark.parametrize(
    ("other", "leader", "alike"),
    [
        ((1.5, 2.0, 2.5), (0.9, 1.0, 1.6), True),  # intervals overlap
        ((1.7, 2.0, 2.5), (0.9, 1.0, 1.6), False),
        ((1.04, 1.04, 1.04), (1.0, 1.0, 1.0), True),  # less than 5 %
        ((1.06, 1.06, 1.06), (1.0, 1.0, 1.0), False),
        ((NAN, 1.4, NAN), (NAN, 1.0, NAN), True),  # one repeat proves little
        ((NAN, 1.6, NAN), (NAN, 1.0, NAN), False),
    ],
)
def test_two_patterns_are_level_unless_the_repeats_tell_them_apart(
    other: tuple[float, float, float], leader: tuple[float, float, float], alike: bool
) -> None:
    first, second = rows(a=leader, b=other).to_dict("records")
    assert level(second, first, "p50_ms") is alike


def test_a_ranking_leaves_out_what_was_not_measured() -> None:
    first, rest = ranking(rows(a=(1, 1, 1), b=(9, 9, 9), c=(NAN, NAN, NAN)), "p50_ms")
    assert [row["label"] for row in first] == ["A"]
    assert [row["label"] for row in rest] == ["B"]


def test_the_headline_names_the_first_and_the_last() -> None:
    assert headline(rows(a=(1, 1, 1), b=(40, 50, 60))) == (
        "A delivers half of all messages within 1.0 ms; B takes 50 ms, 50 × as long."  # noqa: RUF001
    ).replace(" ms", "\u202fms").replace(" ×", "\u202f×")  # noqa: RUF001


SETTING = {"name": "feed", "poll_interval_s": 1.0}
POLLS = {"pattern": ["sse", "short_polling"], "label": ["SSE", "Short polling"]}


def test_the_headline_names_its_conditions_where_a_poll_waits_and_what_the_instrument_may_have_added() -> None:
    measured = rows(a=(1, 1.1, 1.2), b=(490, 499, 510)).assign(clients=50, p50_ms_floor=[0.6, 498.0], **POLLS)
    assert plain(headline(measured, SETTING)) == (
        "With 50 clients, 5 messages a second, no network delay and a poll every 1.0 s, SSE delivers half of all "
        "messages within 1.1 ms, of which the instrument may be 0.50 ms; Short polling takes 499 ms, 454 x as long: "
        "about half its interval."
    )


def test_the_headline_of_a_sweep_names_what_was_the_same_for_all() -> None:
    told = headline(pd.concat([NEAR, FAR, FURTHEST]).assign(clients=50), SETTING)
    assert told.endswith(" Measured with 50 clients and 5 messages a second.")


def test_the_headline_admits_that_there_is_no_difference() -> None:
    assert headline(rows(a=(1, 1, 2), b=(1, 1, 2))).endswith("no measurable difference.")


def test_the_headline_of_a_run_that_delivered_nothing_says_so() -> None:
    assert headline(rows(a=(NAN, NAN, NAN))) == "Nothing was delivered."


def test_an_answer_gives_the_factor_and_its_uncertainty() -> None:
    fastest = findings(rows(a=(1, 1, 2), b=(1, 1, 2), c=(8, 10, 12)))[0]
    assert fastest.question == "Fastest"
    (answer,) = fastest.answers
    assert answer == (
        "A and B: 1.0\u202fms for half of the messages, no measurable difference. C 10\u202f\N{MULTIPLICATION SIGN} "
        "(4.0 to 12) as long."
    )


def test_losses_and_failures_are_part_of_the_answer() -> None:
    whole = {finding.question: finding.answers for finding in findings(rows(a=(1, 1, 1)))}
    assert whole["Complete"] == ("All 10 deliveries that were due arrived, none twice, no request failed.",)
    lossy = findings(rows(a=(1, 1, 1)).assign(delivered=9, missed=1, errors=2, duplicated=3))
    assert "1 delivery of 10 did not arrive (10\u202f%), 3 more than once; 2 requests failed." in {
        answer for finding in lossy for answer in finding.answers
    }


def test_goals_name_who_meets_them_and_only_where_something_changes() -> None:
    found = goals(rows(fast=(1, 1, 1), slow=(300, 300, 300)))
    assert [(goal.within, goal.met_by) for goal in found] == [("10\u202fms", "FAST"), ("1\u202fs", "Both patterns")]


def plain(text: str) -> str:
    return text.replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{MULTIPLICATION SIGN}", "x")


@pytest.mark.parametrize(
    ("scenes", "told"),
    [
        (
            [NEAR, FAR, FURTHEST],
            (
                "Up to 20 ms round trip, LONG and STREAM lead: 99 % of the messages arrive within 22 ms. "
                "At 80 ms, LONG falls behind: 180 ms against 82 ms. POLL takes 240 ms."
            ),
        ),
        (
            [FAR, NEAR],
            (
                "At every round trip, LONG and STREAM lead: 99 % of the messages arrive within 22 ms. "
                "POLL takes up to 36 ms."
            ),
        ),
        (
            [at(20, a=(1, 1, 1), b=(9, 9, 9)), at(40, a=(9, 9, 9), b=(1, 1, 1)), at(60, a=(9, 9, 9), b=(1, 1, 1))],
            (
                "At 20 ms round trip, A leads: 99 % of the messages arrive within 2.0 ms. "
                "From 40 ms to 60 ms, A falls behind: up to 18 ms against 2.0 ms."
            ),
        ),
        (
            [at(0, a=(1, 1, 1), b=(9, 9, 9)), at(40, a=(9, 9, 9), b=(9, 9, 9))],
            (
                "Without a round trip, A leads: 99 % of the messages arrive within 2.0 ms. "
                "At 40 ms, both patterns lead: 99 % of the messages arrive within 18 ms."
            ),
        ),
        ([at(0, a=(NAN, NAN, NAN)), at(9, a=(NAN, NAN, NAN))], "Nothing was delivered."),
    ],
)
def test_the_headline_says_up_to_which_round_trip_patterns_are_level(scenes: list[pd.DataFrame], told: str) -> None:
    assert plain(headline(pd.concat(scenes))) == told


def test_the_answers_of_several_message_rates_are_told_along_the_rate() -> None:
    calm, busy = (
        rows(long=(1, 1, 1), stream=(each, each, each)).assign(rate_per_s=rate) for each, rate in ((1, 3), (9, 30))
    )
    rates = pd.concat([calm, busy])
    assert plain(headline(rates)) == (
        "At 3 messages a second, both patterns lead: 99 % of the messages arrive within 2.0 ms. "
        "At 30, STREAM falls behind: 18 ms against 2.0 ms."
    )
    found = {finding.question: finding.answers for finding in findings(rates)}
    assert [plain(line) for line in found["Fastest"]] == [
        "At 3 messages a second, both patterns: 1.0 ms for half of the messages, no measurable difference.",
        "At 30 messages a second, LONG: 1.0 ms for half of the messages. STREAM 9.0 x as long.",
    ]
    assert found["Least traffic"][0].startswith("At every message rate, ")
    assert [goal.at for goal in goals(rates)] == ["3", "30", "30"]


def test_an_answer_has_a_line_for_each_stretch_of_round_trips_with_another_first() -> None:
    found = {finding.question: finding.answers for finding in findings(pd.concat([NEAR, FAR, FURTHEST]))}
    assert [plain(line) for line in found["Fastest"]] == [
        (
            "Up to 20 ms round trip, LONG and STREAM: 1.0 ms to 11 ms for half of the messages. "
            "POLL 1.6 x to 9.0 x as long."
        ),
        "At 80 ms round trip, STREAM: 41 ms for half of the messages. LONG 2.2 x and POLL 2.9 x as long.",
    ]
    assert [plain(line) for line in found["Least traffic"]] == [
        "At every round trip, all 3 patterns: 20 B per delivery."
    ]
    assert found["Complete"] == ("All 90 deliveries that were due arrived, none twice, no request failed.",)


def test_a_pattern_without_a_result_somewhere_is_compared_where_it_has_one() -> None:
    gone = FAR[FAR["pattern"] != "long"]
    fastest = findings(pd.concat([NEAR, gone, FURTHEST]))[0]
    assert [plain(line).split(":")[0] for line in fastest.answers] == [
        "Without a round trip, LONG and STREAM",
        "At 20 ms round trip, STREAM",
        "At 80 ms round trip, STREAM",
    ]


def test_goals_are_told_for_each_round_trip() -> None:
    found = goals(pd.concat([NEAR, FURTHEST]))
    assert [(plain(goal.at), plain(goal.within), goal.met_by) for goal in found] == [
        ("0 ms", "10 ms", "LONG and STREAM"),
        ("0 ms", "100 ms", "All 3 patterns"),
        ("80 ms", "100 ms", "STREAM"),
        ("80 ms", "1 s", "All 3 patterns"),
    ]
    assert {goal.at for goal in goals(FURTHEST)} == {""}


def test_a_pattern_that_loses_messages_meets_no_goal() -> None:
    assert goals(rows(a=(1, 1, 1)).assign(missed=1)) == []


def test_too_few_messages_say_nothing_about_speed_and_something_about_cost() -> None:
    """Quantiles are taken in each repeat: nine messages have no p99 but their worst, however many repeats there are."""
    few = rows(a=(1, 1, 1), b=(40, 50, 60)).assign(messages=27)
    assert headline(few) == (
        "Too few messages to compare latencies: 9 messages per repeat, and at least 10 are needed. "
        "Measure longer (--window) or more often (--schedule)."
    )
    told = {finding.question: finding.answers for finding in findings(few)}
    assert told["Fastest"] == told["Fastest at 90 %"] == (headline(few),)
    assert told["Least server CPU"][0].startswith("Both patterns")
    assert goals(few) == []
    assert headline(few.assign(messages=30)).startswith("A delivers")
    assert headline(rows(a=(NAN, NAN, NAN)).assign(messages=0)) == "Nothing was delivered."


@pytest.mark.parametrize(("messages", "part", "within"), [(99, "90", "1.5"), (30, "90", "1.5"), (100, "99", "2.0")])
def test_of_fewer_than_100_messages_nobody_tells_a_p99(messages: int, part: str, within: str) -> None:
    sweep = pd.concat([at(20, a=(1, 1, 1), b=(9, 9, 9)), at(40, a=(1, 1, 1), b=(9, 9, 9))]).assign(messages=messages)
    assert f"A leads: {part} % of the messages arrive within {within} ms. " in plain(headline(sweep))
    told = {finding.question for finding in findings(sweep)}
    assert {each for each in told if each.startswith("Fastest at")} == {f"Fastest at {part} %"}
    on_the_line = at(20, a=(6, 6, 6)).assign(messages=messages)
    assert [plain(goal.within) for goal in goals(on_the_line)] == ["10 ms" if part == "90" else "100 ms"]


def test_one_step_of_a_sweep_with_too_few_messages_leaves_its_tail_untold() -> None:
    assert headline(pd.concat([NEAR, FAR.assign(messages=6)])).startswith("Too few messages")
