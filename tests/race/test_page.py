"""The race page in a real browser: every lane gets everything, the counts are the server's, and anyone can use it."""

import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from servers import patterns
from tests.race.browser import Stage, until
from tests.server_process import HANG_S, ServerProcess, serving

pytestmark = pytest.mark.slow

LANES = ["short_polling", "long_polling", "chunked", "sse", "websocket"]


class RacePage:
    """The page of a race, with every lane open."""

    def __init__(self, page: Page, race: ServerProcess) -> None:
        self.page = page
        self.race = race

    def state(self) -> dict[str, Any]:
        """Return what the server itself says."""
        url = f"http://127.0.0.1:{self.race.port}/race/state"
        with urllib.request.urlopen(url, timeout=HANG_S) as answer:
            return dict(json.load(answer))

    def lane(self, name: str) -> dict[str, Any]:
        return next(lane for lane in self.state()["lanes"] if lane["name"] == name)

    async def seen(self) -> dict[str, list[int]]:
        """Return the ids that each lane has received, in order of arrival."""
        events: list[dict[str, Any]] = await self.page.evaluate("seen")
        return {name: [each["id"] for each in events if each["lane"] == name] for name in LANES}

    async def until_all_have(self, message_id: int) -> None:
        await until(
            self.page, "id => new Set(seen.filter((it) => it.id === id).map(({ lane }) => lane)).size === 5", message_id
        )

    async def until_all_are(self, state: str) -> None:
        for name in LANES:
            await self.page.wait_for_selector(f"[data-lane={name}][data-state={state}]")

    async def settle(self) -> None:
        """Wait until every lane has had an answer; a held poll gets none before there is a message."""
        await until(self.page, "document.querySelectorAll('[data-lane]').length === 5")
        await self.until_all_have(self.race.post("welcome"))
        await self.until_all_are("open")
        await self.page.evaluate("seen.length = 0")

    async def figure(self, lane: str, name: str) -> str:
        return (await self.page.text_content(f"[data-lane={lane}] [data-figure={name}]")) or ""

    async def status(self, words: str) -> str:
        """Wait until the page has said these words since it was opened, and return all that it said then."""
        told = "heard.find((told) => told.includes(words))"
        await until(self.page, f"words => {told}", words)
        return str(await self.page.evaluate(f"words => {told}", words))

    async def slide(self, knob: str, position: int) -> None:
        """Move a slider by keyboard."""
        await self.page.focus(f"#{knob}")
        await self.page.keyboard.press("Home")
        for _ in range(position):
            await self.page.keyboard.press("ArrowRight")


@asynccontextmanager
async def racing(
    chromium: Stage, race: ServerProcess, asking: str = "interval=0.2", **options: Any
) -> AsyncIterator[RacePage]:
    """asking: what the address sets. Short polls come often, as each test begins when all lanes have had an answer; and
    little is drawn, which takes more of a core than all else, but where a test looks at pictures."""
    look = {"reduced_motion": "reduce"} | options
    async with chromium.page(f"http://127.0.0.1:{race.port}/#{asking}", **look) as page:
        opened = RacePage(page, race)
        await opened.settle()
        yield opened


def posted(race: ServerProcess, count: int) -> list[int]:
    return [race.post(f"message {nth}") for nth in range(count)]


def test_every_lane_gets_every_message_once_and_in_order(chromium: Stage, race: ServerProcess) -> None:
    async def check() -> None:
        posted(race, 3)  # of before, which nobody owes
        async with racing(chromium, race) as page:
            ids = posted(race, 50)
            await page.until_all_have(ids[-1])
            assert await page.seen() == dict.fromkeys(LANES, ids)
            await until(page.page, "document.querySelector('[data-figure=messages]').textContent === '51'")
            assert [await page.figure(name, "messages") for name in LANES] == ["51"] * 5

    chromium.run(check())


def test_the_page_counts_requests_and_empty_answers_as_the_server_does(chromium: Stage) -> None:
    """No client is stopped here: nobody could say whether a request that was given up had reached the server."""

    async def check() -> None:
        with serving(module="servers.race") as race:
            async with racing(chromium, race, asking="") as page:
                await page.until_all_have(posted(race, 4)[-1])
                shown = "document.getElementById('counted').textContent.match(/\\d+/g).map(Number)"
                await until(
                    page.page,
                    f"(([sent, empty, counted, its]) => its > 2 && sent === counted && empty === its)({shown})",
                )
                sent, empty, *_ = await page.page.evaluate(shown)
                lanes = page.state()["lanes"]
                # The next poll may have been counted meanwhile.
                assert sum(lane["requests"] for lane in lanes) - sent in (0, 1)
                assert sum(lane["empty"] for lane in lanes) - empty in (0, 1)
                assert {lane["name"] for lane in lanes if lane["empty"]} == {"short_polling"}
                assert [page.lane(name)["requests"] for name in LANES[2:]] == [1, 1, 1]
                assert page.lane("long_polling")["requests"] >= 3

    chromium.run(check())


def test_bytes_are_those_that_the_lane_carried(chromium: Stage, race: ServerProcess) -> None:
    async def check() -> None:
        async with racing(chromium, race) as page:
            before = page.lane("websocket")["bytes"]
            await page.until_all_have(posted(race, 20)[-1])
            each = (page.lane("websocket")["bytes"] - before) / 20
            body = len(
                json.dumps(
                    {"id": 20, "due_ns": 10**13, "published_ns": 10**13, "timestamp": "x" * 27, "content": "x" * 9}
                )
            )
            assert each > body / 2
            await until(
                page.page,
                "document.querySelector('[data-lane=websocket] [data-figure=bytes]').textContent !== '\u2013'",
            )
            assert float((await page.figure("websocket", "bytes")).replace(",", "")) >= each / 2

    chromium.run(check())


def test_connections_that_are_cut_are_resumed_without_a_loss(chromium: Stage, race: ServerProcess) -> None:
    async def check() -> None:
        async with racing(chromium, race, trouble=True) as page:
            ids = posted(race, 10)
            await page.until_all_have(ids[-1])
            connections = page.lane("websocket")["connections"]
            await page.page.get_by_role("button", name="Cut connections").click()
            await page.page.wait_for_selector(
                "[data-lane=websocket][data-state=waiting], [data-lane=sse][data-state=waiting]"
            )
            ids += posted(race, 10)
            await page.until_all_are("open")
            ids += posted(race, 10)
            await page.until_all_have(ids[-1])
            assert await page.seen() == dict.fromkeys(LANES, ids)
            assert page.lane("websocket")["connections"] > connections

    chromium.run(check())


def test_a_server_that_starts_again_is_found_and_followed(chromium: Stage) -> None:
    async def check() -> None:
        with serving(module="servers.race") as first:
            port = first.port
            async with racing(chromium, first, trouble=True) as page:
                before = posted(first, 5)
                await page.until_all_have(before[-1])
                assert first.stop() == (0, "")
                await until(
                    page.page, "document.getElementById('counted').textContent.startsWith('The server does not answer')"
                )
                with serving("--port", str(port), module="servers.race") as second:
                    ids = posted(second, 2)
                    await until(page.page, "seen.length === 35")
                    ids += posted(second, 3)
                    await until(page.page, "seen.length === 50")
                    assert await page.seen() == {name: [*before, *ids] for name in LANES}

    chromium.run(check())


def test_the_rate_slider_sets_the_schedule_of_the_feed(chromium: Stage, race: ServerProcess) -> None:
    async def check() -> None:
        async with racing(chromium, race) as page:
            newest = page.state()["newest_id"]
            await page.slide("rate", 8)
            assert await page.page.get_attribute("#rate", "aria-valuetext") == "20 a second"
            await page.status("20 a second. Figures start again.")
            assert page.state()["schedule"] == "poisson:20"
            await page.until_all_have(newest + 10)
            await page.slide("rate", 0)
            await page.status("none on schedule.")
            assert page.state()["schedule"] == "manual"

    chromium.run(check())


def test_a_slider_follows_what_another_page_has_set(chromium: Stage, race: ServerProcess) -> None:
    async def check() -> None:
        async with racing(chromium, race) as one, racing(chromium, race) as other:
            await one.slide("rtt", 2)
            await until(other.page, "document.getElementById('rtt').getAttribute('aria-valuetext') === '20 ms'")
            await one.slide("rtt", 3)
            await until(other.page, "document.getElementById('rtt').value === '3'")

    chromium.run(check())


def test_no_message_is_faster_than_the_delay_that_was_added(chromium: Stage, race: ServerProcess) -> None:
    async def check() -> None:
        async with racing(chromium, race) as page:
            await page.slide("rtt", 6)
            await page.status("Round trip 320 ms. Figures start again.")
            assert page.state()["rtt_ms"] == 320
            ids = posted(race, 5)
            await page.until_all_have(ids[-1])
            late = await page.page.evaluate("seen.map(({ latencyMs }) => latencyMs)")
            error_ms = float((await page.page.inner_text("#clock")).split("±")[1].split()[0])
            assert min(late) >= 160 - error_ms
            await page.slide("rtt", 3)
            await page.status("Round trip 40 ms.")

    chromium.run(check())


def test_a_published_message_is_followed_into_every_lane(chromium: Stage, race: ServerProcess) -> None:
    async def check() -> None:
        async with racing(chromium, race) as page:
            newest = page.state()["newest_id"]
            await page.page.get_by_role("button", name="Publish a message").click()
            await page.until_all_have(newest + 1)
            said = await page.status(f"Message {newest + 1:,}: ")
            for name in LANES:
                assert patterns.facts(name).label in said

    chromium.run(check())


def test_everything_can_be_done_with_the_keyboard(chromium: Stage, race: ServerProcess) -> None:
    async def check() -> None:
        async with racing(chromium, race) as page:
            keyboard = page.page.keyboard
            visited = []
            for _ in range(18):
                await keyboard.press("Tab")
                focus = "(({ id, textContent, ariaLabel }) => id || ariaLabel || textContent)(document.activeElement)"
                visited.append(await page.page.evaluate(focus))
                outline = "getComputedStyle(document.activeElement).outlineStyle"
                assert await page.page.evaluate(outline) != "none"
            stops = [f"Stop {patterns.facts(name).label}" for name in LANES]
            modules = [f"{name}.js" for name in LANES]
            assert visited[:13] == ["rate", "interval", "rtt", "publish", "cut", "pause", "link", *stops, "ask"]
            assert visited[13:] == modules

            await page.page.focus("#publish")
            await keyboard.press("Enter")
            await page.status(": ")
            await page.page.get_by_role("button", name="Stop WebSocket").focus()
            await keyboard.press("Space")
            await page.page.wait_for_selector("[data-lane=websocket][data-state=stopped]")
            ids = posted(race, 3)
            await until(page.page, "id => seen.some((it) => it.lane === 'sse' && it.id === id)", ids[-1])
            assert ids[0] not in (await page.seen())["websocket"]
            assert await page.page.evaluate("document.activeElement.ariaLabel") == "Resume WebSocket"
            await keyboard.press("Space")
            await page.until_all_have(ids[-1])
            assert (await page.seen())["websocket"][-3:] == ids

    chromium.run(check())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1360, 400])
def test_axe_finds_nothing_to_complain_of(chromium: Stage, race: ServerProcess, scheme: str, width: int) -> None:
    async def check() -> None:
        look: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "bypass_csp": True}
        async with racing(chromium, race, **look) as page:
            await page.until_all_have(race.post("something to show"))
            found = await Axe().run(page.page)
            assert found.violations_count == 0, found.generate_report()
            assert await page.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
            rows = await page.page.get_by_role("row").count()
            assert rows == 1 + len(LANES) + 1
            for name in LANES:
                label = patterns.facts(name).label
                assert await page.page.get_by_role("rowheader", name=label).count() == 1

    chromium.run(check())


def test_a_busy_feed_does_not_flood_a_screen_reader(chromium: Stage, race: ServerProcess) -> None:
    async def check() -> None:
        async with racing(chromium, race) as page:
            await page.status("5 lanes are running.")
            assert await page.page.locator("[aria-live], output, [role=status], [role=alert], [role=log]").count() == 1
            await page.page.evaluate(
                "() => { window.announced = 0; new MutationObserver(() => announced += 1)"
                ".observe(document.getElementById('said'), { childList: true, characterData: true, subtree: true }) }"
            )
            await page.until_all_have(posted(race, 60)[-1])
            assert await page.page.evaluate("announced") == 0

    chromium.run(check())


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_who_asks_for_less_motion_gets_a_picture_a_second(chromium: Stage, race: ServerProcess, motion: str) -> None:
    async def check() -> None:
        async with racing(chromium, race, reduced_motion=motion) as page:
            await page.until_all_have(race.post("something to draw"))
            pictures, seconds = await page.page.evaluate(
                """async () => {
                  const canvas = document.querySelector("[data-lane=sse] canvas");
                  const looks = [];
                  const sinceMs = performance.now();
                  for (let frame = 0; frame < 60; frame += 1) {
                    await new Promise(requestAnimationFrame);
                    looks.push(canvas.toDataURL());
                  }
                  return [new Set(looks).size, (performance.now() - sinceMs) / 1000];
                }"""
            )
            if motion == "reduce":
                assert pictures <= 2 + seconds
            else:
                assert pictures >= 10

    chromium.run(check())


def test_picture_and_figures_pause_while_messages_go_on(chromium: Stage, race: ServerProcess) -> None:
    async def check() -> None:
        async with racing(chromium, race, reduced_motion="no-preference") as page:
            pause = page.page.get_by_role("button", name="Pause")
            await pause.click()
            assert await pause.get_attribute("aria-pressed") == "true"
            look = (
                "document.querySelector('[data-lane=sse] canvas').toDataURL() + "
                "document.querySelector('[data-lane=sse] [data-figure=messages]').textContent"
            )
            held = await page.page.evaluate(look)
            await page.until_all_have(race.post("not drawn"))
            assert await page.page.evaluate(look) == held
            await pause.click()
            await until(page.page, f"held => {look} !== held", held)

    chromium.run(check())


def test_a_cut_is_announced(chromium: Stage, race: ServerProcess) -> None:
    async def check() -> None:
        async with racing(chromium, race, trouble=True) as page:
            await page.page.get_by_role("button", name="Cut connections").click()
            assert (await page.status("connections are cut.")).startswith("All connections are cut.")

    chromium.run(check())


def test_an_address_carries_the_settings_to_who_opens_it(chromium: Stage, race: ServerProcess) -> None:
    async def check() -> None:
        async with racing(chromium, race) as page:
            before_ms = await page.page.evaluate("parseFloat(document.getElementById('rtt-said').textContent)")
            await page.page.locator("#rtt").press("ArrowRight")
            shown = "document.getElementById('rtt-said').textContent"
            kept = f"() => `${{new URLSearchParams(location.hash.slice(1)).get('rtt')}} ms` === {shown}"
            await until(page.page, kept)
            other = await page.page.context.new_page()
            await other.goto(f"http://127.0.0.1:{race.port}/race/#rate=0&interval=0.5&rtt=20")
            await until(other, f"() => {shown} === '20 ms'")
            await until(other, "() => document.getElementById('interval-said').textContent === '0.5 s'")
            await until(page.page, f"() => {shown} === '20 ms'")
            put = "ms => fetch('/race/rtt', { method: 'PUT', body: JSON.stringify({ rtt_ms: ms }) })"
            await page.page.evaluate(put, before_ms)

    chromium.run(check())


def test_three_tabs_are_all_served_because_every_lane_has_an_origin_of_its_own(
    chromium: Stage, race: ServerProcess
) -> None:
    async def check() -> None:
        async with racing(chromium, race) as page:
            others = [await page.page.context.new_page() for _ in range(2)]
            for other in others:
                await other.goto(page.page.url)
            for other in others:
                await RacePage(other, race).settle()
            newest = race.post("for all")
            for other in [page.page, *others]:
                await RacePage(other, race).until_all_have(newest)

    chromium.run(check())


def test_a_seventh_stream_to_one_origin_waits_until_another_ends(chromium: Stage, race: ServerProcess) -> None:
    """The limit that the page speaks of, seen."""

    async def check() -> None:
        async with chromium.page(f"http://127.0.0.1:{race.port}/race/icon.svg", trouble=True) as page:
            opened = await page.evaluate(
                """async (url) => {
                  const streams = Array.from({ length: 7 }, () => new AbortController());
                  const heads = streams.map(({ signal }, nth) => fetch(url, { signal }).then(() => nth));
                  await Promise.all(heads.slice(0, 6));
                  const late = new Promise((resolve) => setTimeout(resolve, 500, "waits"));
                  const seventh = await Promise.race([heads[6], late]);
                  streams[0].abort();
                  const then = await heads[6];
                  for (const each of streams) each.abort();
                  return [seventh, then];
                }""",
                f"http://127.0.0.1:{race.port}/api/stream",
            )
            assert opened == ["waits", 6]

    chromium.run(check())


def test_pages_of_other_origins_can_neither_read_nor_publish(chromium: Stage, race: ServerProcess) -> None:
    async def check() -> None:
        with serving() as stranger:
            newest = race.stats()["newest_id"]
            async with chromium.page(f"http://127.0.0.1:{stranger.port}/stats", trouble=True) as page:
                for url in (lane["url"] for lane in RacePage(page, race).state()["lanes"]):
                    said = await page.evaluate("(url) => fetch(url).then(() => 'read', (wrong) => wrong.message)", url)
                    assert said == "Failed to fetch"
                socket = """(url) => new Promise((resolve) => {
                  const socket = new WebSocket(url);
                  socket.onopen = () => resolve("open");
                  socket.onclose = () => resolve("refused");
                })"""
                url = f"ws://127.0.0.1:{race.port}/api/socket"
                assert await page.evaluate(socket, url) == "refused"
                publish = "(url) => fetch(url, { method: 'POST', mode: 'no-cors', body: 'x' }).then(({ type }) => type)"
                assert await page.evaluate(publish, f"http://127.0.0.1:{race.port}/api/message") == "opaque"
            assert race.stats()["newest_id"] == newest

    chromium.run(check())


def test_the_page_itself_may_talk_to_nobody_else(chromium: Stage, race: ServerProcess) -> None:
    async def check() -> None:
        async with racing(chromium, race, trouble=True) as page:
            broken = await page.page.evaluate(
                """async () => {
                  const violation = new Promise((resolve) =>
                    document.addEventListener("securitypolicyviolation", (it) => resolve(it.effectiveDirective)));
                  await fetch("https://outside.invalid/").catch(() => {});
                  return violation;
                }"""
            )
            assert broken == "connect-src"

    chromium.run(check())


def test_the_settings_of_a_browser_that_opens_http2_are_shown_as_it_sent_them(
    chromium: Stage, race: ServerProcess
) -> None:
    async def check() -> None:
        async with racing(chromium, race, ignore_https_errors=True) as page:
            recorded = await page.page.inner_text("#push")
            assert "No lane: browsers refuse it." in recorded
            assert "recorded by our server on 24 November 2026" in recorded
            # Playwright accepts our certificate for pages it opens itself, not for those that a link opens.
            asked = await page.page.context.new_page()
            link = page.page.get_by_role("link", name="Ask this browser")
            await asked.goto(await link.get_attribute("href") or "")
            await until(asked, "document.getElementById('mode').textContent.includes('inline')")
            assert await asked.inner_text("#verdict") == "This browser refuses pushes."
            assert "ENABLE_PUSH = 0" in await asked.inner_text("#settings")
            assert await asked.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
            await until(page.page, "document.getElementById('push').textContent.includes('refuses it.')")
            captured = await page.page.inner_text("#evidence")
            assert captured.startswith("Its first SETTINGS frame, captured ")
            assert "ENABLE_PUSH = 0" in captured
            assert not await page.page.is_visible("#ask")

    chromium.run(check())


def test_the_race_ends_with_pages_open_and_leaves_no_relay(chromium: Stage) -> None:
    async def check() -> None:
        with serving(module="servers.race") as race:
            relays = psutil.Process(race.process.pid).children()
            assert len(relays) == len(LANES)
            async with racing(chromium, race, trouble=True):
                assert race.stop() == (0, "")
            assert not [relay for relay in relays if relay.is_running()]

    chromium.run(check())
