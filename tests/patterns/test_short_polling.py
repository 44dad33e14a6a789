"""Short polling: what it answers at once, and when it may answer with nothing but a status."""

import asyncio
import subprocess

import msgspec
import pytest

from servers.patterns.short_polling import PATH, holds
from tests.http1 import connected, run
from tests.server_process import ServerProcess, serving


def test_nothing_new_is_an_empty_list_at_once(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.post("x")
        async with connected(server.port) as client:
            response = await client.ask(f"{PATH}?last_id={newest}")
            answer = await response.json()
        assert response.status == 200
        assert response.headers["cache-control"] == "no-cache, no-store, must-revalidate"
        assert response.headers["content-type"] == "application/json"
        assert (answer["messages"], answer["count"]) == ([], 0)
        assert answer["polled_at"].endswith("Z")

    run(check())


def test_without_a_cursor_it_answers_everything_kept() -> None:
    """By a server of its own: what other tests post may be more than one answer holds."""

    async def check(server: ServerProcess) -> None:
        for _ in range(3):
            server.post("x")
        stats = server.stats()
        async with connected(server.port) as client:
            answer = await (await client.ask(PATH)).json()
        assert [one["id"] for one in answer["messages"]] == list(range(stats["first_id"], stats["newest_id"] + 1))
        assert "cursor" not in answer

    with serving("short_polling") as server:
        run(check(server))


def test_a_client_that_holds_the_etag_gets_304_without_a_body_until_something_is_published(
    server: ServerProcess,
) -> None:
    async def check() -> None:
        target = f"{PATH}?last_id={server.post('x')}"
        async with connected(server.port) as client:
            first = await client.ask(target)
            await first.read()
            etag = first.headers["etag"]
            again = await client.ask(target, {"If-None-Match": etag})
            assert (again.status, await again.read()) == (304, b"")
            assert again.headers["etag"] == etag
            assert again.headers["cache-control"] == first.headers["cache-control"]
            server.post("y")
            changed = await client.ask(target, {"If-None-Match": etag})
            assert (changed.status, (await changed.json())["count"]) == (200, 1)
            assert changed.headers["etag"] != etag

    run(check())


@pytest.mark.parametrize(
    ("if_none_match", "known"),
    [
        ('W/"a-1"', True),
        ('"a-1"', True),
        ('"x", W/"a-1"', True),
        ("*", True),
        ('W/"a-10"', False),
        ('W/"b-1"', False),
        ("a-1", False),
        ("", False),
    ],
)
def test_validators_are_compared_weakly(if_none_match: str, known: bool) -> None:
    assert holds(if_none_match, 'W/"a-1"') is known


def test_a_client_that_wants_its_connection_closed_gets_that(server: ServerProcess) -> None:
    async def check() -> None:
        for version, headers in (("1.1", {"Connection": "close"}), ("1.0", {})):
            async with connected(server.port) as client:
                response = await client.ask(f"{PATH}?last_id=0", headers, version=version)
                assert response.status == 200
                assert (await response.json())["count"] >= 0
                assert await client.reader.read() == b""

    run(check())


def test_many_polls_on_one_connection_are_answered_in_turn_even_when_pipelined(server: ServerProcess) -> None:
    async def check() -> None:
        newest = [server.post("x") for _ in range(2)][-1]
        async with connected(server.port) as client:
            for back in (0, 1, 0, 2):
                client.writer.write(f"GET {PATH}?last_id={newest - back} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
            counts = [(await (await client.response()).json())["count"] for _ in range(4)]
        assert counts == [0, 1, 0, 2]

    run(check())


@pytest.mark.peer
def test_curl_reads_a_poll(server: ServerProcess) -> None:
    newest = server.post("for curl")
    url = f"http://127.0.0.1:{server.port}{PATH}?last_id={newest - 1}"
    output = subprocess.run(["curl", "--silent", "--fail", url], capture_output=True, check=True, timeout=60).stdout
    assert [one["content"] for one in msgspec.json.decode(output)["messages"]] == ["for curl"]


def test_a_poll_is_never_kept_waiting_by_held_ones(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with connected(server.port) as holder, connected(server.port) as poller:
            held = asyncio.create_task(holder.ask(f"/api/longpoll?last_id={newest}&timeout=300"))
            assert (await poller.ask(f"{PATH}?last_id={newest}")).status == 200
            assert not held.done()
            held.cancel()

    run(check())
