"""What two servers with one feed owe their clients, whatever the pattern, whichever of the two they ask."""

import asyncio
import csv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from redis import Redis

from loadtests.host.redis_server import RedisServer
from servers import patterns
from servers.backplane.backplane import without_id
from servers.feed.feed import stamped
from servers.feed.message import encode
from tests.backplane.sharing import KINDS, PUBSUB, STREAM, Follower, Pair, sharing, state_of, way_to
from tests.http1 import Http1, connected, run
from tests.server_process import HANG_S, ServerProcess, serving

pytestmark = [pytest.mark.peer, pytest.mark.slow]

every_pattern = pytest.mark.parametrize("pattern", patterns.names())


@asynccontextmanager
async def both(pair: Pair) -> AsyncIterator[tuple[Http1, Http1]]:
    async with connected(pair.one.port) as one, connected(pair.two.port) as two:
        yield one, two


@every_pattern
def test_all_messages_arrive_in_order_and_once_through_either_and_are_the_same(pattern: str, pair: Pair) -> None:
    async def check() -> None:
        async with both(pair) as (one, two):
            before = await one.post("where the test begins")
            followers = [Follower(pattern, [server], before) for server in pair]
            following = [asyncio.create_task(each.until(before + 60)) for each in followers]
            posted = [await (two if n % 2 else one).post(f"message {n}") for n in range(60)]
            await asyncio.gather(*following)
        assert posted == list(range(before + 1, before + 61))
        for each in followers:
            assert (each.ids, each.remarks) == (posted, [])
        assert followers[0].lines == followers[1].lines
        assert [line["content"] for line in followers[0].lines] == [f"message {n}" for n in range(60)]
        assert all(0 < line["due_ns"] <= line["published_ns"] for line in followers[0].lines)

    run(check())


@every_pattern
def test_a_client_may_ask_another_server_after_every_message(pattern: str, pair: Pair) -> None:
    async def check() -> None:
        async with both(pair) as (one, two):
            before = await two.post("where the test begins")
            for last_id in range(before, before + 6):
                posted = await one.post("next")
                for server in pair:
                    follower = Follower(pattern, [server], last_id)
                    await follower.until(posted)
                    assert (follower.ids, follower.remarks) == ([last_id + 1], [])

    run(check())


def test_a_server_that_comes_late_has_all_that_a_stream_keeps(redis: RedisServer) -> None:
    shared = ["--redis", redis.url, "--feed", STREAM, "--feed-name", "late", "--history", "200"]

    async def check(late: ServerProcess, posted: int) -> None:
        stats = late.stats()
        assert (stats["first_id"], stats["newest_id"]) == (posted - 199, posted)
        assert stats["backplane"]["missed"] == 0
        for pattern in patterns.names():
            follower = Follower(pattern, [late], posted - 150)
            await follower.until(posted)
            assert (follower.ids, follower.remarks) == (list(range(posted - 149, posted + 1)), [])
            too_late = Follower(pattern, [late], 5)
            await too_late.until(posted)
            assert (too_late.ids, too_late.remarks) == (list(range(posted - 199, posted + 1)), ["gone"])

    with serving(*shared, "--schedule", "burst:300/1") as early:
        run(reached(early, 900))
    with serving(*shared, "--no-publish") as late:
        run(check(late, late.stats()["newest_id"]))


async def reached(server: ServerProcess, message_id: int) -> None:
    await state_of(server, lambda state: state["newest_id"] >= message_id)


def test_a_stream_keeps_the_history_it_was_asked_for(redis: RedisServer) -> None:
    shared = ["--redis", redis.url, "--feed", STREAM, "--feed-name", "trimmed", "--history", "50"]
    with serving(*shared, "--schedule", "burst:500/1") as server:
        run(reached(server, 1000))
    with Redis(port=redis.port) as client:
        assert client.xlen("trimmed:stream:0") == 50


def test_a_server_that_comes_late_to_pubsub_has_nothing_and_says_so(redis: RedisServer) -> None:
    shared = ["--redis", redis.url, "--feed", PUBSUB, "--feed-name", "late-pubsub"]

    async def check(early: ServerProcess) -> None:
        posted = [early.post("before") for _ in range(5)]
        with serving(*shared) as late:
            stats = late.stats()
            assert (stats["first_id"], stats["newest_id"], stats["backplane"]["missed"]) == (6, 5, 0)
            for pattern in patterns.names():
                here, behind = Follower(pattern, [late], posted[-1]), Follower(pattern, [late], posted[1])
                following = [asyncio.create_task(each.until(posted[-1] + 1)) for each in (here, behind)]
                posted.append(early.post("after"))
                await asyncio.gather(*following)
                assert (here.ids, here.remarks) == (posted[-1:], [])
                assert (behind.ids, behind.remarks) == (posted[5:], ["gone"])

    with serving(*shared) as early:
        run(check(early))


@pytest.mark.parametrize("kind", KINDS)
def test_a_cursor_newer_than_a_slow_server_has_yet_is_waited_for_and_never_called_ahead(
    kind: str, redis: RedisServer
) -> None:
    """The second server is 100 ms behind the first; a client that goes to and fro must not get everything twice."""

    async def check(pair: Pair) -> None:
        posted = [pair.one.post("before") for _ in range(3)]
        await reached(pair.two, 3)
        for pattern in patterns.names():
            posted.append(pair.one.post("the first server answers when it has this itself"))
            follower = Follower(pattern, [pair.two], posted[-1])
            following = asyncio.create_task(follower.until(posted[-1] + 1))
            await reached(pair.two, posted[-1])
            posted.append(pair.one.post("next"))
            await following
            assert (follower.ids, follower.remarks) == (posted[-1:], [])

    with (
        way_to(redis.port, "--rtt", "200ms") as way,
        sharing(redis.url, "--feed", kind, "--feed-name", "slow", second_url=way.url) as pair,
    ):
        run(check(pair))


def test_a_cursor_that_nobody_gave_out_is_ahead_on_a_shared_feed_too(pair: Pair) -> None:
    async def check() -> None:
        async with both(pair) as (one, two):
            newest = await one.post("x")
            answer = await (await two.ask(f"/api/poll?last_id={newest + 5}")).json()
            assert (answer["cursor"], answer["messages"][-1]["id"]) == ("ahead", newest)

    run(check())


def test_an_etag_of_one_server_is_known_to_the_other(pair: Pair) -> None:
    async def check() -> None:
        async with both(pair) as (one, two):
            newest = await one.post("x")
            known = (await one.ask(f"/api/poll?last_id={newest}")).headers["etag"]
            await (await two.ask(f"/api/poll?last_id={newest}")).read()
            assert (await two.ask(f"/api/poll?last_id={newest}", {"If-None-Match": known})).status == 304
            assert not known.startswith('W/"-'), "it must name the feed, or a feed that begins anew would seem the same"

    run(check())


@pytest.mark.parametrize("kind", KINDS)
def test_messages_of_one_instant_are_one_answer_on_every_server(kind: str, redis: RedisServer) -> None:
    async def check(pair: Pair) -> None:
        for server in pair:
            async with connected(server.port) as client:
                answer = await (await client.ask("/api/longpoll?last_id=0")).json()
                assert answer["count"] % 20 == 0
                assert len({message["due_ns"] for message in answer["messages"]}) == answer["count"] / 20

    with sharing(redis.url, "--feed", kind, "--feed-name", f"burst-{kind}", schedule="burst:20/1.5") as pair:
        run(check(pair))


@pytest.mark.parametrize("kind", KINDS)
def test_one_publishes_on_schedule_and_is_told_when_and_the_other_refuses(
    kind: str, redis: RedisServer, tmp_path: Path
) -> None:
    """A runner stops the schedule and then counts, so all that was published must be there by then.

    Redis is 100 ms away from the publisher: when the schedule is stopped, a batch is always on its way.
    """
    journal = tmp_path / "journal.csv"

    async def check(pair: Pair) -> None:
        async with both(pair) as (one, two):
            refused = await two.ask("/api/schedule", method="PUT", body=b'{"schedule": "steady:5"}')
            assert (refused.status, (await refused.json())["field"]) == (409, "schedule")
            newest = 0
            for _ in range(5):
                before = newest
                await (await one.ask("/api/schedule", method="PUT", body=b'{"schedule": "steady:2000"}')).read()
                await asyncio.sleep(0.1)
                await (await one.ask("/api/schedule", method="PUT", body=b'{"schedule": "manual"}')).read()
                newest = pair.one.stats()["newest_id"]
                assert newest > before
                rows = list(csv.DictReader(journal.read_text().splitlines()))
                assert [int(row["id"]) for row in rows] == list(range(1, newest + 1))
                assert all(int(row["due_ns"]) <= int(row["published_ns"]) for row in rows)

    shared = ["--feed", kind, "--feed-name", f"schedule-{kind}", "sse"]
    with (
        way_to(redis.port, "--rtt", "100ms") as way,
        serving(*shared, "--redis", way.url, "--journal", str(journal)) as one,
        serving(*shared, "--redis", redis.url, "--no-publish") as two,
    ):
        run(check(Pair(one, two)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_publisher_that_is_told_to_stop_still_journals_what_is_on_its_way(
    kind: str, redis: RedisServer, tmp_path: Path
) -> None:
    journal, name = tmp_path / "journal.csv", f"stopped-{kind}"
    with (
        way_to(redis.port, "--rtt", "500ms") as way,
        serving("sse", "--feed", kind, "--feed-name", name, "--redis", way.url, "--journal", str(journal)) as server,
    ):
        url = f"http://127.0.0.1:{server.port}/api/schedule"
        urlopen(Request(url, b'{"schedule": "steady:2000"}', method="PUT"), timeout=HANG_S).close()
        run(reached(server, 500))
    rows = list(csv.DictReader(journal.read_text().splitlines()))
    with Redis(port=redis.port) as client:
        assert client.get(f"{name}:newest") == rows[-1]["id"].encode()


def test_statistics_tell_the_state_of_the_backplane(pair: Pair) -> None:
    newest = pair.one.post("x")
    state = pair.one.stats()["backplane"]
    assert state["kind"] in KINDS
    assert state["newest_id"] == newest
    assert state["messages"] > 0
    fine = {"connected": True, "reconnects": 0, "missed": 0, "given_up": 0, "error": ""}
    assert {name: state[name] for name in fine} == fine


def test_a_feed_in_memory_has_no_backplane(server: ServerProcess) -> None:
    assert server.stats()["backplane"] is None


@given(content=st.text(max_size=200), ids=st.integers(1, 2**53 - 1))
def test_a_body_put_together_in_redis_is_the_body_encoded_here(content: str, ids: int) -> None:
    message = stamped(0, content, 5)
    (rest,) = without_id([message])
    assert b'{"id":%d' % ids + rest == encode(replace(message, id=ids))
