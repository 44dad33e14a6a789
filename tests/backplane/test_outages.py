"""Servers die, Redis restarts, freezes and forgets, connections fall silent: what is lost, and that clients know it."""

import asyncio
import csv
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from redis import Redis

from loadtests.host.redis_server import RedisServer
from servers import patterns
from tests.backplane.sharing import KINDS, PUBSUB, STREAM, Follower, Pair, sharing, state_of
from tests.backplane.valve import Valve, in_thread
from tests.http1 import connected, run, until
from tests.server_process import ServerProcess, serving

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.apart]

RATE = 100


def followers_of(servers: Sequence[ServerProcess]) -> list[Follower]:
    """Return a client of every pattern, which begins at the first of the servers."""
    return [Follower(pattern, servers) for pattern in patterns.names()]


async def all_until(followers: Sequence[Follower], last_id: int) -> None:
    await asyncio.gather(*(each.until(last_id) for each in followers))


async def reached(server: ServerProcess, message_id: int) -> None:
    await state_of(server, lambda state: state["newest_id"] >= message_id)


async def outage(redis: RedisServer, servers: Sequence[ServerProcess], how: str) -> None:
    """Take Redis away until all servers have noticed and half a second more, then bring it back."""
    if how == "frozen":
        os.kill(redis.pid, signal.SIGSTOP)
    elif how == "killed":
        os.kill(redis.pid, signal.SIGKILL)
        redis.stop()
    else:
        redis.stop()
    for server in servers:
        await state_of(server, lambda state: not state["connected"])
    await asyncio.sleep(0.5)
    if how == "frozen":
        os.kill(redis.pid, signal.SIGCONT)
    else:
        await asyncio.to_thread(redis.start)
    for server in servers:
        await state_of(server, lambda state: state["connected"])


def journalled(journal: Path) -> list[dict[str, int]]:
    with journal.open(newline="") as file:
        return [{name: int(value) for name, value in row.items()} for row in csv.DictReader(file)]


@pytest.mark.parametrize("kind", KINDS)
def test_clients_of_a_server_that_is_killed_go_on_at_another_and_lose_nothing(kind: str, redis: RedisServer) -> None:
    """With Pub/Sub too, from where the server began: the other was never away, and has kept what it got."""
    shared = ["--redis", redis.url, "--feed", kind, "--feed-name", f"killed-{kind}"]

    async def check(staying: ServerProcess) -> None:
        dying = ServerProcess(*shared, "--no-publish")
        first_id = dying.stats()["first_id"]
        followers = followers_of([dying, staying])
        last_id = first_id + 300
        following = asyncio.create_task(all_until(followers, last_id))
        await until(lambda: all(each.ids for each in followers))
        dying.process.kill()
        dying.process.communicate()
        await following
        for each in followers:
            assert (each.pattern, each.ids, each.remarks) == (each.pattern, list(range(first_id, last_id + 1)), [])
        assert kind == PUBSUB or first_id == 1

    with serving(*shared, "--schedule", f"steady:{RATE}") as staying:
        run(check(staying))


def test_a_publisher_that_is_killed_leaves_ids_that_another_continues(redis: RedisServer) -> None:
    shared = ["--redis", redis.url, "--feed", STREAM, "--feed-name", "publisher-killed"]

    async def check(staying: ServerProcess) -> None:
        dying = ServerProcess(*shared, "--schedule", "steady:500")
        await reached(staying, 100)
        dying.process.kill()
        dying.process.communicate()
        with serving(*shared, "--schedule", f"steady:{RATE}") as heir:
            newest = heir.stats()["newest_id"]
            followers = followers_of([staying])
            await all_until(followers, newest + 50)
        for each in followers:
            assert (each.ids, each.remarks) == (list(range(1, len(each.ids) + 1)), [])

    with serving(*shared, "--no-publish") as staying:
        run(check(staying))


@pytest.mark.parametrize("how", ["restarted", "killed", "frozen"])
def test_with_a_stream_no_client_notices_that_redis_was_away(how: str, own_redis: RedisServer, tmp_path: Path) -> None:
    journal = tmp_path / "journal.csv"

    async def check(pair: Pair) -> None:
        followers = followers_of(pair) + followers_of(pair[::-1])
        following = asyncio.create_task(all_until(followers, 600))
        await reached(pair.two, 50)
        await outage(own_redis, pair, how)
        await following
        for each in followers:
            assert (each.pattern, each.ids, each.remarks) == (each.pattern, list(range(1, len(each.ids) + 1)), [])
            assert {later["due_ns"] - sooner["due_ns"] for sooner, later in pairwise(each.lines)} == {10**9 // RATE}
        for server in pair:
            state = server.stats()["backplane"]
            assert (state["missed"], state["given_up"], state["connected"]) == (0, 0, True)
            assert state["reconnects"] >= 1
            assert state["error"]
        rows = journalled(journal)
        assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
        gaps_ns = {later["due_ns"] - sooner["due_ns"] for sooner, later in pairwise(rows)}
        assert gaps_ns == {10**9 // RATE}
        assert max(row["published_ns"] - row["due_ns"] for row in rows) > 400_000_000

    with sharing(
        own_redis.url, "--feed", STREAM, schedule=f"steady:{RATE}", publisher=["--journal", str(journal)]
    ) as pair:
        run(check(pair))


@pytest.mark.parametrize("how", ["restarted", "frozen"])
def test_with_pubsub_what_was_published_meanwhile_is_lost_and_every_client_and_the_journal_tell_how_much(
    how: str, own_redis: RedisServer, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.csv"

    async def check(pair: Pair) -> None:
        first_id = pair.two.stats()["first_id"]
        followers = followers_of([pair.two])
        following = asyncio.create_task(all_until(followers, sys.maxsize))
        await reached(pair.two, first_id + 50)
        await outage(own_redis, pair, how)
        # How long it took is the machine's business, so the end is told only now; and by the publisher, which has given
        # ids to what was lost when it is connected again.
        last_id = pair.one.stats()["backplane"]["newest_id"] + 50
        await until(lambda: all(each.ids[-1] >= last_id for each in followers))
        following.cancel()
        owed = set(range(first_id, last_id + 1))
        lost = owed - set(followers[0].ids)
        assert len(lost) >= 40
        for each in followers:
            assert each.ids == sorted(set(each.ids))
            assert (each.pattern, owed - set(each.ids)) == (each.pattern, lost)
            assert "gone" in each.remarks
        state = pair.two.stats()["backplane"]
        assert state["missed"] == len(lost)
        rows = journalled(journal)
        assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
        assert {later["due_ns"] - sooner["due_ns"] for sooner, later in pairwise(rows)} == {10**9 // RATE}
        assert 0 < pair.one.stats()["backplane"]["given_up"] <= len(lost)

    with sharing(
        own_redis.url, "--feed", PUBSUB, schedule=f"steady:{RATE}", publisher=["--journal", str(journal)]
    ) as pair:
        run(check(pair))


@pytest.mark.parametrize("kind", KINDS)
def test_while_redis_is_frozen_streams_and_holds_live_on_and_nothing_is_claimed(
    kind: str, own_redis: RedisServer
) -> None:
    async def check(pair: Pair) -> None:
        newest = pair.one.post("before")
        followers = [Follower(pattern, [pair.two]) for pattern in ("chunked", "websocket")]
        following = asyncio.create_task(all_until(followers, newest + 1))
        async with connected(pair.two.port) as held, connected(pair.two.port) as asking:
            await reached(pair.two, newest)
            hold = asyncio.create_task(held.ask(f"/api/longpoll?last_id={newest}&timeout=30"))
            os.kill(own_redis.pid, signal.SIGSTOP)
            for server in pair:
                state = await state_of(server, lambda state: not state["connected"])
                assert "no answer" in state["error"]
            beats = [each.heartbeats for each in followers]
            brief = await asking.ask(f"/api/longpoll?last_id={newest}&timeout=1")
            assert (brief.status, (await brief.json())["messages"]) == (200, [])
            assert all(each.heartbeats > before for each, before in zip(followers, beats, strict=True))
            for method, target in [("POST", "/api/message?content=x"), ("GET", f"/api/poll?last_id={newest + 1}")]:
                refused = await asking.ask(target, method=method)
                assert (refused.status, refused.headers["retry-after"]) == (503, "1")
                assert (await refused.json())["field"] == "redis"
            assert not hold.done()
            os.kill(own_redis.pid, signal.SIGCONT)
            for server in pair:
                await state_of(server, lambda state: state["connected"])
            assert pair.one.post("after") == newest + 1
            assert (await (await hold).json())["count"] == 1
        await following

    with sharing(own_redis.url, "--feed", kind) as pair:
        run(check(pair))


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_that_falls_silent_without_closing_is_given_up_though_redis_lives(
    kind: str, redis: RedisServer
) -> None:
    """What a firewall that forgets a connection does: no FIN, no RST, nothing ever again."""

    async def check(pair: Pair, valve: Valve) -> None:
        newest = pair.one.post("before")
        followers = followers_of([pair.two])
        following = asyncio.create_task(all_until(followers, newest + 1))
        await reached(pair.two, newest)
        valve.hush()
        await state_of(pair.two, lambda state: state["reconnects"] == 1)
        assert pair.one.stats()["backplane"]["reconnects"] == 0
        assert pair.one.post("after") == newest + 1
        await following
        for each in followers:
            assert (each.ids[-2:], each.remarks) == ([newest, newest + 1], [])

    async def with_valve() -> None:
        async with Valve(redis.port) as valve:
            name = f"silent-{kind}"
            start = partial(sharing, redis.url, "--feed", kind, "--feed-name", name, second_url=valve.url)
            async with in_thread(start) as pair:
                await check(pair, valve)

    run(with_valve())


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_cut_off_by_redis_itself_comes_back(kind: str, own_redis: RedisServer) -> None:
    async def check(pair: Pair, client: Redis) -> None:
        pair.one.post("before")
        for server in pair:
            await reached(server, 1)
        # A server may have been between two connections just then.
        while not all(server.stats()["backplane"]["reconnects"] for server in pair):
            for client_type in ("normal", "pubsub"):
                client.client_kill_filter(_type=client_type, skipme=True)
            await asyncio.sleep(0.5)
        for server in pair:
            await state_of(server, lambda state: state["connected"])
        assert [pair.two.post("x"), pair.one.post("x")] == [2, 3]

    with sharing(own_redis.url, "--feed", kind) as pair, Redis(port=own_redis.port) as client:
        run(check(pair, client))


@pytest.mark.parametrize("kind", KINDS)
def test_ids_that_redis_forgot_are_never_given_out_again_and_everyone_is_told(
    kind: str, own_redis: RedisServer
) -> None:
    """Redis is emptied, and a server that knows nothing of the past publishes before the others have noticed."""

    async def check(pair: Pair, client: Redis) -> None:
        before = [pair.one.post("before") for _ in range(50)]
        followers = followers_of(pair)
        following = asyncio.create_task(all_until(followers, before[-1] + 1))
        for server in pair:
            await reached(server, before[-1])
        await asyncio.sleep(0.3)
        for server in pair:
            os.kill(server.process.pid, signal.SIGSTOP)
        client.flushall()
        with serving("--redis", own_redis.url, "--feed", kind) as new:
            assert new.post("by somebody who knows nothing of the past") == 1
            for server in pair:
                os.kill(server.process.pid, signal.SIGCONT)
            for server in pair:
                await state_of(server, lambda state: state["newest_id"] > 50)
            after = pair.two.post("after")
            await following
            newcomer = Follower("sse", [new])
            await newcomer.until(after)
        assert after > 51
        for each in followers:
            assert (each.pattern, each.ids, each.remarks) == (each.pattern, [*before, after], ["gone"])
        assert newcomer.ids == [1, after]
        assert pair.one.stats()["backplane"]["missed"] >= 1

    with sharing(own_redis.url, "--feed", kind) as pair, Redis(port=own_redis.port) as client:
        run(check(pair, client))


@pytest.mark.parametrize("kind", KINDS)
def test_a_redis_that_was_emptied_and_has_overtaken_what_servers_know_is_found_out_all_the_same(
    kind: str, own_redis: RedisServer
) -> None:
    """Its ids look as if nothing had happened; but the feed has another token."""

    async def check(pair: Pair, client: Redis) -> None:
        before = [pair.one.post("before") for _ in range(20)]
        followers = followers_of(pair)
        await all_until(followers, before[-1])
        for server in pair:
            os.kill(server.process.pid, signal.SIGSTOP)
        client.flushall()
        with serving("--redis", own_redis.url, "--feed", kind) as new:
            others = [new.post("by somebody who knows nothing of the past") for _ in range(30)]
            for server in pair:
                os.kill(server.process.pid, signal.SIGCONT)
            for server in pair:
                await state_of(server, lambda state: state["missed"] >= 1)
            after = pair.two.post("after")
            await all_until(followers, after)
        for each in followers:
            assert (each.pattern, each.ids) == (each.pattern, [*before, *others[20:], after])
            assert set(each.remarks) == {"gone"}

    with sharing(own_redis.url, "--feed", kind) as pair, Redis(port=own_redis.port) as client:
        run(check(pair, client))


def test_a_redis_that_keeps_nothing_on_disk_is_no_reason_to_use_an_id_twice(tmp_path: Path) -> None:
    async def check(pair: Pair, redis: RedisServer) -> None:
        before = [pair.one.post("before") for _ in range(5)]
        await reached(pair.two, 5)
        await outage(redis, pair, "restarted")
        after = [pair.two.post("after") for _ in range(5)]
        assert after == list(range(after[0], after[0] + 5))
        assert after[0] > 5
        followers = followers_of(pair)
        await all_until(followers, after[-1])
        assert all(each.ids == before + after for each in followers)

    with RedisServer(tmp_path, appendonly=False) as redis, sharing(redis.url, "--feed", STREAM) as pair:
        run(check(pair, redis))


def test_a_redis_that_refuses_to_write_is_tried_again_until_it_takes_what_was_published(
    own_redis: RedisServer,
) -> None:
    """It answers, but will not take anything: full memory, a read-only replica."""

    async def check(pair: Pair, client: Redis) -> None:
        followers = followers_of(pair)
        following = asyncio.create_task(all_until(followers, 200))
        await reached(pair.two, 20)
        client.config_set("maxmemory", 1)
        state = await state_of(pair.one, lambda state: state["reconnects"] >= 2)
        assert "maxmemory" in state["error"] or "memory" in state["error"]
        client.config_set("maxmemory", 0)
        await following
        for each in followers:
            assert (each.ids, each.remarks) == (list(range(1, len(each.ids) + 1)), [])

    with (
        sharing(own_redis.url, "--feed", STREAM, schedule=f"steady:{RATE}") as pair,
        Redis(port=own_redis.port) as client,
    ):
        run(check(pair, client))


def fill(client: Redis) -> None:
    client.config_set("maxmemory", 1)


def empty(client: Redis) -> None:
    client.config_set("maxmemory", 0)


def make_read_only(client: Redis) -> None:
    client.replicaof("127.0.0.1", 9)


def make_writable(client: Redis) -> None:
    client.replicaof("NO", "ONE")


@pytest.mark.parametrize(
    ("refuse", "accept", "why"),
    [
        pytest.param(fill, empty, "memory", id="out of memory"),
        pytest.param(make_read_only, make_writable, "read only", id="read-only"),
    ],
)
def test_with_pubsub_what_a_redis_refused_to_take_is_named_and_no_id_stands_for_two_messages(
    refuse: Callable[[Redis], None], accept: Callable[[Redis], None], why: str, own_redis: RedisServer, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.csv"

    async def check(pair: Pair, client: Redis) -> None:
        first_id = pair.two.stats()["first_id"]
        followers = followers_of([pair.two])
        following = asyncio.create_task(all_until(followers, sys.maxsize))
        await reached(pair.two, first_id + 20)
        await asyncio.to_thread(refuse, client)
        state = await state_of(pair.one, lambda state: state["given_up"] >= 20 and state["error"])
        assert why in state["error"]
        await asyncio.to_thread(accept, client)
        await state_of(pair.one, lambda state: state["connected"] and state["given_up_ids"])
        last_id = pair.one.stats()["backplane"]["newest_id"] + 20
        await until(lambda: all(each.ids and each.ids[-1] >= last_id for each in followers))
        following.cancel()
        await check_that_all_are_named(pair, followers, first_id, journal)
        given_up = pair.one.stats()["backplane"]
        assert sum(last - first + 1 for first, last in given_up["given_up_ids"]) == given_up["given_up"]
        assert ids_in(given_up["given_up_ids"]) & set(followers[0].ids) == set()

    with (
        sharing(
            own_redis.url, "--feed", PUBSUB, schedule=f"steady:{RATE}", publisher=["--journal", str(journal)]
        ) as pair,
        Redis(port=own_redis.port) as client,
    ):
        run(check(pair, client))


def test_with_pubsub_ids_that_nobody_got_since_redis_was_emptied_are_named(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.csv"

    async def check(pair: Pair, client: Redis) -> None:
        first_id = pair.two.stats()["first_id"]
        followers = followers_of([pair.two])
        following = asyncio.create_task(all_until(followers, sys.maxsize))
        for _ in range(3):
            await reached(pair.two, pair.two.stats()["newest_id"] + 20)
            client.flushall()
        last_id = pair.two.stats()["newest_id"] + 50
        await until(lambda: all(each.ids and each.ids[-1] >= last_id for each in followers))
        following.cancel()
        assert pair.two.stats()["backplane"]["missed"] >= 1
        await check_that_all_are_named(pair, followers, first_id, journal)

    with (
        sharing(
            own_redis.url, "--feed", PUBSUB, schedule=f"steady:{RATE}", publisher=["--journal", str(journal)]
        ) as pair,
        Redis(port=own_redis.port) as client,
    ):
        run(check(pair, client))


def ids_in(spans: Sequence[tuple[int, int]]) -> set[int]:
    return {number for first, last in spans for number in range(first, last + 1)}


async def check_that_all_are_named(pair: Pair, followers: Sequence[Follower], first_id: int, journal: Path) -> None:
    """Every id up to what all have got was delivered, or is named as missed; and is the message of the journal."""
    # A message is journalled when Redis has told the publisher its id, and by then the other may have delivered it.
    newest_id = max(each.ids[-1] for each in followers)
    await until(lambda: journalled(journal)[-1]["id"] >= newest_id)
    rows = journalled(journal)
    due_ns = {row["id"]: row["due_ns"] for row in rows}
    assert len(due_ns) == len(rows)
    missed = ids_in(pair.two.stats()["backplane"]["missed_ids"])
    for each in followers:
        owed = set(range(first_id, each.ids[-1] + 1))
        assert each.ids == sorted(set(each.ids))
        assert (each.pattern, owed - set(each.ids)) == (each.pattern, {number for number in missed if number in owed})
        assert {line["id"]: line["due_ns"] for line in each.lines}.items() <= due_ns.items()


def test_what_has_no_id_when_its_publisher_stops_is_named_by_its_instants(own_redis: RedisServer) -> None:
    server = ServerProcess("sse", "--redis", own_redis.url, "--feed", PUBSUB, "--schedule", f"steady:{RATE}")

    async def check() -> None:
        await reached(server, 10)
        own_redis.stop()
        await state_of(server, lambda state: state["given_up"] >= 10)

    run(check())
    code, errors = server.stop()
    assert code == 0
    assert re.fullmatch(
        r"warning: \d\d+ messages reached nobody and have no ids, .*: those due from \d+ to \d+ ns\n", errors
    )
