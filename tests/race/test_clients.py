"""The clients that people will copy, each in a real browser against a server that misbehaves as the test says."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Page

from tests.race.browser import Stage, until
from tests.race.scripted import Line, Refuses, Says, Script, scripted

POLLS = ["short_polling", "long_polling"]
STREAMS = ["chunked", "sse", "websocket"]
HELD = Says(held=True)
FOLLOW = """async ([name, options]) => {
  const { follow } = await import(`/race/${name}.js`);
  window.log = [];
  window.stop = new AbortController();
  const on = {};
  for (const what of ["request", "empty", "remark", "state"]) on[what] = (...said) => log.push([what, ...said]);
  on.message = (message, atMs) => log.push(["message", message.id, atMs]);
  const url = `${location.origin}/feed/${name}`;
  window.following = follow(url, { intervalMs: 20, ...options, signal: stop.signal, on });
}"""


class Client:
    """A client at work in a page, and what it has reported."""

    def __init__(self, page: Page, script: Script) -> None:
        self.page = page
        self.script = script

    async def told(self, what: str) -> list[Any]:
        """Return what it reported of one kind, without the kind."""
        log: Sequence[Any] = await self.page.evaluate("log")
        return [said[0] if len(said) == 1 else said for kind, *said in log if kind == what]

    async def messages(self) -> list[int]:
        return [message_id for message_id, _ in await self.told("message")]

    async def until(self, condition: str) -> None:
        """Wait until JavaScript that looks at `log` is true."""
        await until(self.page, condition)

    async def until_message(self, message_id: int) -> None:
        await self.until(f"log.some(([what, id]) => what === 'message' && id === {message_id})")

    async def stop(self) -> None:
        await self.page.evaluate("async () => { stop.abort(); await following; }")


@asynccontextmanager
async def following(chromium: Stage, name: str, *plan: Says | Refuses, **options: Any) -> AsyncIterator[Client]:
    async with scripted(*plan) as script, chromium.page(f"http://127.0.0.1:{script.port}/", trouble=True) as page:
        await page.evaluate(FOLLOW, [name, options])
        client = Client(page, script)
        yield client
        await client.stop()


def messages(*ids: int) -> list[Line]:
    return [{"id": each} for each in ids]


@pytest.mark.parametrize("name", POLLS + STREAMS)
def test_a_client_resumes_where_it_was_cut_off(chromium: Stage, name: str) -> None:
    async def check() -> None:
        async with following(chromium, name, Says(messages(1, 2)), Says(messages(3)), HELD) as client:
            await client.until_message(3)
            assert await client.messages() == [1, 2, 3]
            assert client.script.cursors[:2] == [0, 2]

    chromium.run(check())


@pytest.mark.parametrize("name", POLLS + STREAMS)
def test_a_client_follows_a_server_that_began_anew(chromium: Stage, name: str) -> None:
    async def check() -> None:
        ahead: Line = {"type": "ahead", "first_id": 1}
        plan = (Says([ahead, *messages(1, 2)]), Says(messages(3)), HELD)
        async with following(chromium, name, *plan, lastId=57) as client:
            await client.until_message(3)
            assert await client.told("remark") == [["ahead", 1]]
            assert await client.messages() == [1, 2, 3]
            assert client.script.cursors[:2] == [57, 2]

    chromium.run(check())


@pytest.mark.parametrize("name", ["short_polling", "long_polling", "chunked", "websocket"])
def test_an_old_cursor_is_given_up_even_when_there_is_no_message_yet(chromium: Stage, name: str) -> None:
    async def check() -> None:
        plan = (Says([{"type": "ahead", "first_id": 1}]), Says(messages(1)), HELD)
        async with following(chromium, name, *plan, lastId=57) as client:
            await client.until_message(1)
            assert client.script.cursors[:2] == [57, 0]

    chromium.run(check())


@pytest.mark.parametrize("name", POLLS + STREAMS)
def test_what_the_server_has_forgotten_is_told_and_not_asked_for_again(chromium: Stage, name: str) -> None:
    async def check() -> None:
        plan = (Says([{"type": "gone", "first_id": 8}, *messages(8, 9)]), Says(messages(10)), HELD)
        async with following(chromium, name, *plan, lastId=3) as client:
            await client.until_message(10)
            assert await client.told("remark") == [["gone", 8]]
            assert client.script.cursors[:2] == [3, 9]

    chromium.run(check())


@pytest.mark.parametrize("name", ["short_polling", "long_polling", "chunked"])
def test_a_client_that_is_refused_waits_as_long_as_it_was_told(chromium: Stage, name: str) -> None:
    async def check() -> None:
        refusal = Refuses(429, {"Retry-After": "1"})
        async with following(chromium, name, refusal, Says(messages(1)), HELD) as client:
            await client.until_message(1)
            waits = [said for said in await client.told("state") if said[0] == "waiting"]
            assert waits[0][1] == "429: not now"
            assert 1000 <= waits[0][2] <= 1200

    chromium.run(check())


@pytest.mark.parametrize(("name", "reason"), [("sse", "the browser gave up"), ("websocket", "closed with code 1006")])
def test_a_client_that_never_learns_why_it_was_refused_still_comes_back(
    chromium: Stage, name: str, reason: str
) -> None:
    async def check() -> None:
        async with following(chromium, name, Refuses(503), Says(messages(1)), HELD) as client:
            await client.until_message(1)
            waits = [said for said in await client.told("state") if said[0] == "waiting"]
            assert waits[0][1].startswith(reason)
            assert 0 <= waits[0][2] <= 200

    chromium.run(check())


@pytest.mark.parametrize("name", POLLS + STREAMS)
def test_a_client_that_is_stopped_lets_go_and_asks_no_more(chromium: Stage, name: str) -> None:
    async def check() -> None:
        async with following(chromium, name, HELD) as client:
            await client.until("log.some(([what]) => what === 'request')")
            while not client.script.cursors:
                await client.page.wait_for_timeout(10)
            await client.stop()
            while not client.script.left:
                await client.page.wait_for_timeout(10)
            reported = await client.page.evaluate("log.length")
            await client.page.wait_for_timeout(300)
            assert len(client.script.cursors) == 1
            assert await client.page.evaluate("log.length") == reported

    chromium.run(check())


@pytest.mark.parametrize("name", ["chunked", "websocket"])
def test_a_server_that_vanished_without_a_word_is_noticed(chromium: Stage, name: str) -> None:
    async def check() -> None:
        plan = (Says(messages(1), held=True), Says(messages(2), held=True))
        async with following(chromium, name, *plan, silenceMs=300) as client:
            await client.until_message(2)
            waits = [said for said in await client.told("state") if said[0] == "waiting"]
            assert waits[0][1] == "nothing came for 0.3 s"

    chromium.run(check())


@pytest.mark.parametrize("name", ["chunked", "websocket"])
def test_the_reason_for_which_a_server_closes_is_passed_on(chromium: Stage, name: str) -> None:
    async def check() -> None:
        plan = (Says([*messages(1), {"type": "closed", "reason": "too slow"}]), Says(messages(2)), HELD)
        async with following(chromium, name, *plan) as client:
            await client.until_message(2)
            assert ["waiting", "too slow"] in [said[:2] for said in await client.told("state")]
            assert client.script.cursors[:2] == [0, 1]

    chromium.run(check())


@pytest.mark.parametrize("name", POLLS)
def test_empty_answers_are_told_apart(chromium: Stage, name: str) -> None:
    async def check() -> None:
        async with following(chromium, name, Says(), Says(), Says(messages(1)), HELD) as client:
            await client.until_message(1)
            log = await client.page.evaluate("log.map(([what]) => what)")
            assert [each for each in log if each in {"request", "empty", "message"}][:6] == [
                *("request", "empty"),
                *("request", "empty"),
                *("request", "message"),
            ]

    chromium.run(check())


def test_nobody_polls_for_a_page_that_is_hidden(chromium: Stage) -> None:
    async def check() -> None:
        async with following(chromium, "short_polling", Says()) as client:
            await client.until("log.filter(([what]) => what === 'request').length > 2")
            await client.page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
            await client.until("log.at(-1)[1] === 'hidden'")
            asked = len(client.script.cursors)
            await client.page.wait_for_timeout(200)
            assert len(client.script.cursors) == asked
            await client.page.evaluate(
                "() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')) }"
            )
            await client.until("log.at(-1)[1] !== 'hidden'")
            await client.until(f"log.filter(([what]) => what === 'request').length > {asked}")

    chromium.run(check())


@pytest.mark.parametrize("name", ["short_polling", "chunked", "websocket"])
def test_a_browser_that_is_offline_waits_for_the_network_instead_of_trying(chromium: Stage, name: str) -> None:
    async def check() -> None:
        async with (
            scripted(Says(messages(1))) as script,
            chromium.page(f"http://127.0.0.1:{script.port}/", trouble=True) as page,
        ):
            client = Client(page, script)
            await page.evaluate(f"import('/race/{name}.js')")
            await page.context.set_offline(True)
            await page.evaluate(FOLLOW, [name, {}])
            await client.until("log.at(-1)[1] === 'offline'")
            asked = await client.told("request")
            await page.wait_for_timeout(600)  # longer than the first pauses of a backoff
            assert await client.told("request") == asked
            assert script.cursors == []
            await page.context.set_offline(False)
            await client.until_message(1)
            await client.stop()

    chromium.run(check())
