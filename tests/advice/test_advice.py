"""Advice is right where it can be worked out by hand, and refused where nothing is known."""

import json
from collections.abc import Sequence
from dataclasses import replace
from math import exp
from pathlib import Path

import msgspec
import pytest
from markupsafe import escape

import pollbench
from reports.advice.advise import PatternAdvice, Question, advise, ranked
from reports.advice.constraints import Surroundings, conditions, parse_proxy, ruled_out
from reports.advice.goals import Met, parse_goal
from reports.advice.prices import Prices, parse_prices
from reports.advice.recommendation import changes, recommendation
from reports.basics.units import THIN
from reports.model.law import Estimate
from reports.model.model import Model
from reports.page.advice_page import advice_page
from tests.model.conftest import made_up_cells, made_up_model


@pytest.fixture(scope="module")
def model() -> Model:
    return made_up_model(made_up_cells())


def question(**changed: object) -> Question:
    asked = Question(clients=400, rate_per_s=2.0, goals=[parse_goal("p99 < 250ms"), parse_goal("missed == 0")])
    return replace(asked, **changed)  # type: ignore[arg-type]


def by_pattern(rows: Sequence[PatternAdvice]) -> dict[str, PatternAdvice]:
    return {row.pattern: row for row in rows}


def test_short_polling_fails_a_goal_below_its_interval_and_streams_meet_it(model: Model) -> None:
    rows = by_pattern(advise(model, question()))
    assert rows["short_polling"].met is Met.NO
    assert "p99 < 250ms is not met" in rows["short_polling"].why
    assert rows["sse"].met is Met.YES
    assert ranked([*rows.values()])[0].pattern == "sse"


def test_short_polling_is_taken_where_it_is_cheapest_and_soon_enough(model: Model) -> None:
    rows = advise(model, question(clients=100, rate_per_s=30.0, goals=[parse_goal("p99 < 12s")], poll_interval_s=10.0))
    assert ranked(rows)[0].pattern == "short_polling"


def test_a_load_is_shared_out_to_as_many_processes_as_the_model_can_speak_for(model: Model) -> None:
    rows = by_pattern(advise(model, question(clients=15_000, goals=[parse_goal("p99 < 1s")])))
    assert rows["sse"].processes == 10  # of at most 3 times the 500 clients that were measured
    assert rows["sse"].figures["memory"].value == pytest.approx(10 * 60e6 + 15_000 * 20e3, rel=0.25)


def test_nobody_knows_the_latency_of_more_than_three_times_the_measured_unless_asked(model: Model) -> None:
    row = by_pattern(advise(model, question(clients=2000, processes=1)))["sse"]
    assert row.met is Met.UNKNOWN
    assert "p99" not in row.figures and "cores" in row.figures
    assert any(why.startswith("no latency: 2,000 clients a process is 4 times above the 500") for why in row.why)
    asked = by_pattern(advise(model, question(clients=2000, processes=1, extrapolate=True)))["sse"]
    assert "p99" in asked.figures
    assert any(why.startswith("extrapolated: 2,000 clients a process is 4 times above") for why in asked.why)


def test_where_nothing_is_known_it_is_refused_with_how_far_out_it_is(model: Model) -> None:
    with pytest.raises(ValueError, match=r"500 messages a second is 12\.5 times above .* --extrapolate"):
        advise(model, question(rate_per_s=500.0))


def test_browsers_and_proxies_rule_patterns_out(model: Model) -> None:
    around = Surroundings(browser=True, buffering=True)
    rows = by_pattern(advise(model, question(around=around)))
    assert [name for name, row in rows.items() if row.ruled_out] == ["sse", "chunked", "http2_push"]
    assert ranked([*rows.values()])[0].pattern in ("long_polling", "websocket")


@pytest.mark.parametrize(
    ("pattern", "around", "said"),
    [
        ("http2_push", Surroundings(browser=True), "no browser accepts pushes"),
        ("long_polling", Surroundings(cut_s=20.0), "shorten the hold"),
        ("sse", Surroundings(cut_s=60.0, heartbeat_s=0.0), "heartbeats are off"),
        ("websocket", Surroundings(cut_s=10.0), "heartbeats come every 15 s"),
    ],
)
def test_what_rules_a_pattern_out_is_said(pattern: str, around: Surroundings, said: str) -> None:
    assert any(said in reason for reason in ruled_out(pattern, around))


def test_nginx_as_it_comes_lets_every_pattern_but_pushes_through() -> None:
    buffering, nginx, cut_s = parse_proxy("nginx")
    around = Surroundings(buffering=buffering, nginx=nginx, cut_s=cut_s)
    assert cut_s == 60
    assert not any(list(ruled_out(name, around)) for name in ("short_polling", "long_polling", "sse", "websocket"))
    assert any("X-Accel-Buffering" in need for need in conditions("sse", around))


def test_six_connections_of_a_browser_are_said_unless_there_is_tls() -> None:
    assert any("six connections" in need for need in conditions("sse", Surroundings(browser=True)))
    assert not list(conditions("sse", Surroundings(browser=True, tls=True)))


def test_tls_costs_a_record_for_each_delivery(model: Model) -> None:
    plain, sealed = (
        by_pattern(advise(model, question(around=Surroundings(tls=tls))))["sse"].figures for tls in (False, True)
    )
    assert sealed["cores"].value - plain["cores"].value == pytest.approx(800 * 1e-6)
    assert sealed["mbit"].value - plain["mbit"].value == pytest.approx(800 * 22 * 8e-6)


def test_heartbeats_cost_a_delivery_each_where_a_feed_is_silent(model: Model) -> None:
    """Of a Poisson feed that is silent for 20 s on average, a gap has e^-0.75 / (1 - e^-0.75) heartbeats of 15 s."""
    silent, beating = (
        by_pattern(advise(model, question(rate_per_s=0.05, around=Surroundings(heartbeat_s=every))))["sse"].figures
        for every in (0.0, 15.0)
    )
    law = model.laws["sse"]["cores"]
    each = law.coefficients[law.terms.index("delivery")]
    more = beating["cores"].value - silent["cores"].value
    assert more == pytest.approx(400 * 0.05 * each * exp(-0.75) / (1 - exp(-0.75)))


def test_several_processes_need_something_that_shares_the_feed(model: Model) -> None:
    rows = by_pattern(advise(model, question(processes=2)))
    assert any("share a feed through Redis" in need for need in rows["sse"].needs)
    assert not any("Redis" in need for need in by_pattern(advise(model, question()))["sse"].needs)


def test_money_is_cores_memory_and_traffic_of_a_month() -> None:
    prices = Prices("EUR", core_hour=0.02, gb_memory_hour=0.003, gb_sent=0.08)
    found = prices.month(Estimate(2.0, 1.0, 4.0), Estimate(1e9, 1e9, 1e9), Estimate(1e6, 1e6, 1e6))
    assert found.value == pytest.approx(730 * (2 * 0.02 + 0.003) + 730 * 3.6 * 0.08)
    assert found.high - found.low == pytest.approx(730 * 3 * 0.02)


def test_the_recommendation_says_what_to_use_what_it_takes_and_what_comes_next(model: Model) -> None:
    asked = question(rtt_s=0.06)
    told = recommendation(asked, advise(model, asked)).replace(THIN, " ")
    assert told.startswith("For 400 clients and 2 messages a second, 60 ms away, use Server-Sent Events: p99 ")
    assert "comes next (p99 " in told
    assert "Short polling: p99 < 250ms is not met" in told


def test_it_says_when_to_move_on(model: Model) -> None:
    asked = question(clients=100, rate_per_s=30.0, goals=[parse_goal("p99 < 12s")], poll_interval_s=10.0)
    moves = [str(change) for change in changes(model, asked)]
    assert any(move.startswith("Between ") and "move on to" in move for move in moves)
    assert any("the answer stays" in move for move in moves)


def test_no_pattern_is_recommended_where_none_meets_the_goal(model: Model) -> None:
    asked = question(goals=[parse_goal("p99 < 1us")])
    assert "no pattern is known to meet p99 < 1us" in recommendation(asked, advise(model, asked))


@pytest.mark.parametrize(
    ("text", "measure", "limit"),
    [
        ("p99 < 1s", "p99", 1000.0),
        ("p50<=20ms", "p50", 20.0),
        ("latency_p99_ms < 250", "p99", 250.0),
        ("missed == 0", "missed", 0.0),
        ("memory <= 2GB", "memory", 2e9),
    ],
)
def test_goals_are_read_as_they_are_typed(text: str, measure: str, limit: float) -> None:
    goal = parse_goal(text)
    assert (goal.measure, goal.limit) == (measure, limit)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fast", "is no goal: write measure, comparison and limit"),
        ("p98 < 1s", "p98 is none of p50, p99"),
        ("p99 =< 1s", "=< is none of <, <="),
        ("p99 < 1", "no unit is no unit of p99: give it as one of us, ms, s, min"),
        ("missed == 0s", "leave the unit out"),
        ("p99 < -1s", "-1 is no number of 0 or more"),
    ],
)
def test_a_goal_that_cannot_be_read_is_told_with_the_remedy(text: str, said: str) -> None:
    with pytest.raises(ValueError) as problem:
        parse_goal(text)
    assert said in str(problem.value) and repr(text) in str(problem.value)


def test_an_interval_across_the_limit_leaves_a_goal_open() -> None:
    goal = parse_goal("p99 < 1s")
    found = [goal.met(Estimate(*each)) for each in ((500, 400, 600), (900, 800, 1100), (2000, 1500, 3000))]
    assert found == [Met.YES, Met.PERHAPS, Met.NO]
    assert goal.met(None) is Met.UNKNOWN


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("core_hour = ", "not TOML"),
        ("cores = 1", "cores is none of currency, core_hour"),
        ('core_hour = "cheap"', "core_hour 'cheap' is no number of 0 or more"),
        ("core_hour = -1", "core_hour -1 is no number"),
        ("core_hour = nan", "core_hour nan is no number"),
        ("currency = 3\ncore_hour = 1", "currency 3 is no short text"),
        ('currency = "EUR"', "no price in it"),
    ],
)
def test_prices_that_cannot_be_read_are_told_with_file_field_and_remedy(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"--price prices\.toml: ") as problem:
        parse_prices(text, "prices.toml")
    assert said in str(problem.value)


def test_a_proxy_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="--proxy 'squid' is none of buffering"):
        parse_proxy("squid")


def test_the_command_prints_the_advice_and_what_it_rests_on(
    model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, prices = tmp_path / "model.json", tmp_path / "prices.toml"
    file.write_bytes(msgspec.json.encode(model))
    prices.write_text('currency = "EUR"\ncore_hour = 0.02\n', encoding="utf-8")
    words = ["advise", "--clients", "400", "--rate", "2", "--rtt", "60ms", "--model", str(file), "--price", str(prices)]
    assert pollbench.main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["advice"].replace(THIN, " ").startswith("For 400 clients and 2 messages a second, 60 ms away, use ")
    assert str(file) in told["model"] and told["coverage"]["of"] == model.coverage.of
    assert {row["pattern"] for row in told["rows"]} == set(model.laws)
    assert all(row["money"]["low"] <= row["money"]["value"] <= row["money"]["high"] for row in told["rows"])
    assert pollbench.main(words) == 0
    text = capsys.readouterr().out
    assert "held-out figures" in text and "EUR" in text


def test_the_page_has_the_advice_the_map_and_what_it_rests_on_and_asks_nobody(model: Model) -> None:
    asked = question(around=Surroundings(browser=True, cut_s=60.0), prices=Prices("EUR", core_hour=0.02))
    rows = advise(model, asked)
    page = advice_page(model, "a model of a test", asked, rows, columns=6, lines=4)
    assert str(escape(recommendation(asked, rows))) in page
    assert all(str(escape(move)) in page for move in changes(model, asked))
    assert all(row.label in page for row in rows) and "no browser accepts pushes" in page
    assert 'id="map-asked"' in page and "EUR a month" in page and "A model of a test" in page
    assert "<script" not in page and "://" not in page.replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "advice.txt"], "--out advice.txt: no .html"),
        (["--out", "none/advice.html"], "--out none/advice.html: No such file or directory; name a file"),
        (["--model", "none.json"], "--model none.json: no such file"),
        (["--price", "none.toml"], "--price none.toml: cannot be read"),
        (["--goal", "soon"], "--goal 'soon' is no goal"),
        (["--rate", "5000"], "use --extrapolate for an answer anyway"),
    ],
)
def test_what_cannot_be_answered_is_one_line_and_exit_code_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["advise", "--clients", "400", *([] if "--rate" in words else ["--rate", "2"]), *words]
    assert pollbench.main(asked) == 2
    assert said in " ".join(capsys.readouterr().err.split())
