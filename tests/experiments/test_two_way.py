"""Clients that send as well: a connection more for each POST, a round trip more for a new one, and nothing lost."""

from pathlib import Path

from loadtests.probes.talkers import Load, Manner, Talk, Talker
from loadtests.users.tcp_info import Meter
from reports.experiments.practices import two_way
from tests.experiments.arms import observed
from tests.experiments.checks import check_drawing, check_verdict


def test_a_frame_is_shorter_than_a_post_a_new_connection_takes_longer_and_nothing_is_lost(tmp_path: Path) -> None:
    found = observed("two-way", tmp_path)
    sse, new, long, socket = (found[arm].figures for arm in ("sse", "new", "long", "socket"))
    assert (sse["connections"], long["connections"], socket["connections"]) == (2, 2, 1)
    assert new["connections"] == 2 + 30, "the stream, the warm-up's and one for each message"
    assert socket["up_bytes"] < sse["up_bytes"] and socket["down_bytes"] < sse["down_bytes"]
    assert abs(new["bytes"] - sse["bytes"]) < 10
    assert min(each["p50_ms"] for each in (sse, long, socket)) >= 20 and new["p50_ms"] >= 40
    assert [(each.figures["lost"], each.figures["repeated"]) for each in found.values()] == [(0, 0)] * 4
    check_drawing(two_way, found)


def test_what_did_not_come_back_to_a_client_or_came_twice_is_counted() -> None:
    meter = Meter()
    one, other = (Talker(Manner("sse", "kept"), ("127.0.0.1", 1), meter) for _ in range(2))
    one.due_ns, other.due_ns = {"a": 10, "b": 20}, {"c": 30}
    one.heard_ns, other.heard_ns = {"a": 15, "c": 45}, {"c": 40, "warm-up": 1}
    one.ids, other.ids = [1, 3, 3], [3]
    talk = Talk([one, other], Load(2, 2, 0.1, 100), meter)
    assert (talk.sent, talk.missing, talk.repeated) == (3, 3, 1)
    assert (talk.latencies_ns(0), talk.latencies_ns(20)) == ([5, 10], [10])


def test_the_verdict_quotes_what_was_measured_and_says_when_it_is_not_proven() -> None:
    check_verdict(two_way)
