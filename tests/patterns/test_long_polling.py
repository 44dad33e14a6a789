"""Long polling: how long a request is held, how many are, and what ends it."""

import asyncio

import pytest

from servers.patterns.long_polling import PATH
from tests.http1 import connected, run
from tests.server_process import ServerProcess, serving


def test_a_hold_that_sees_no_message_ends_as_an_empty_list(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with connected(server.port) as client:
            response = await client.ask(f"{PATH}?last_id={newest}&timeout=1")
            assert response.status == 200
            assert (await response.json())["messages"] == []
            assert response.headers["cache-control"] == "no-cache, no-store, must-revalidate"

    run(check())


def test_one_message_ends_every_hold_and_a_burst_comes_in_one_answer(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with connected(server.port) as one, connected(server.port) as two, connected(server.port) as other:
            held = [asyncio.create_task(client.ask(f"{PATH}?last_id={newest}")) for client in (one, two)]
            await other.until("held", 2)
            await other.post("x")
            for response in await asyncio.gather(*held):
                assert [message["id"] for message in (await response.json())["messages"]] == [newest + 1]
            await other.until("held", 0)

    run(check())


def test_messages_of_one_instant_are_one_answer() -> None:
    async def check(server: ServerProcess) -> None:
        async with connected(server.port) as client:
            answer = await (await client.ask(f"{PATH}?last_id=0")).json()
        assert answer["count"] == 20

    with serving("long_polling", "--schedule", "burst:20/1.5") as server:
        run(check(server))


def test_a_client_that_wants_one_message_at_a_time_gets_the_oldest_it_has_not_seen(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with connected(server.port) as one, connected(server.port) as batch, connected(server.port) as other:
            held = asyncio.create_task(one.ask(f"{PATH}?last_id={newest}&limit=1"))
            batched = asyncio.create_task(batch.ask(f"{PATH}?last_id={newest}"))
            await other.until("held", 2)
            for text in "xyz":
                await other.post(text)
            seen = [[message["id"] for message in (await (await task).json())["messages"]] for task in (held, batched)]
            assert seen == [[newest + 1], [newest + 1]]
            for expected in (newest + 2, newest + 3):
                answer = await (await one.ask(f"{PATH}?last_id={expected - 1}&limit=1")).json()
                assert ([message["id"] for message in answer["messages"]], answer["count"]) == ([expected], 1)
            pending = await (await batch.ask(f"{PATH}?last_id={newest + 1}")).json()
            assert [message["id"] for message in pending["messages"]] == [newest + 2, newest + 3]

    run(check())


def test_a_server_may_hand_out_one_message_at_a_time_unless_a_client_asks_for_more() -> None:
    async def check(server: ServerProcess) -> None:
        async with connected(server.port) as client:
            for text in "xyz":
                await client.post(text)
            counts = {"last_id=0": 1, "last_id=2": 1, "last_id=0&limit=2": 2, "last_id=0&limit=9": 3}
            for query, count in counts.items():
                answer = await (await client.ask(f"{PATH}?{query}")).json()
                assert len(answer["messages"]) == answer["count"] == count

    with serving("long_polling", "--one-per-response") as server:
        run(check(server))


@pytest.mark.parametrize("limit", ["0", "-1", "1.5", "all", ""])
def test_a_limit_that_is_no_whole_number_is_refused(server: ServerProcess, limit: str) -> None:
    async def check() -> None:
        async with connected(server.port) as client:
            response = await client.ask(f"{PATH}?last_id=0&limit={limit}")
            assert (response.status, (await response.json())["field"]) == (400, "limit")

    run(check())


def test_requests_that_come_while_one_is_held_wait_their_turn(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with connected(server.port) as client, connected(server.port) as other:
            for _ in range(2):
                client.writer.write(f"GET {PATH}?last_id={newest} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
            await other.until("held", 1)
            await other.post("x")
            answers = [(await (await client.response()).json())["count"] for _ in range(2)]
        assert answers == [1, 1]

    run(check())


def test_a_client_that_wants_its_connection_closed_is_held_and_answered_too(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with connected(server.port) as client, connected(server.port) as other:
            held = asyncio.create_task(client.ask(f"{PATH}?last_id={newest}", {"Connection": "close"}))
            await other.until("held", 1)
            await other.post("x")
            assert (await (await held).json())["count"] == 1
            assert await client.reader.read() == b""

    run(check())


@pytest.mark.parametrize("timeout", ["0", "0.99", "301", "-1", "nan", "inf", "", "5s", "1e400"])
def test_a_hold_outside_1_to_300_seconds_is_refused(server: ServerProcess, timeout: str) -> None:
    async def check() -> None:
        async with connected(server.port) as client:
            response = await client.ask(f"{PATH}?last_id=0&timeout={timeout}")
            refusal = await response.json()
        assert response.status == 400
        assert refusal["field"] == "timeout"
        assert "1 to 300" in refusal["error"]

    run(check())


def test_one_client_may_hold_no_more_than_the_limit() -> None:
    async def check(server: ServerProcess) -> None:
        async with connected(server.port) as one, connected(server.port) as two, connected(server.port) as three:
            held = [asyncio.create_task(client.ask(PATH)) for client in (one, two)]
            await three.until("held", 2)
            refused = await three.ask(PATH)
            assert refused.status == 429
            assert 1 <= int(refused.headers["retry-after"]) <= 10
            assert refused.headers["connection"] == "close"
            assert (await refused.json())["field"] == "client"
            async with connected(server.port) as four:
                await four.post("x")
                await asyncio.gather(*held)
                assert (await four.ask(f"{PATH}?last_id=1&timeout=1")).status == 200

    with serving("long_polling", "--max-held", "2") as server:
        run(check(server))


def test_jitter_only_ever_lengthens_a_hold() -> None:
    async def check(server: ServerProcess) -> None:
        async with connected(server.port) as client:
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            await (await client.ask(f"{PATH}?timeout=1")).read()
            assert loop.time() - began_s >= 0.95

    with serving("long_polling", "--hold-jitter") as server:
        run(check(server))
