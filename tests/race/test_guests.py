"""Streams of others beside the lanes: what comes is counted and drawn, and what may not be read is said."""

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from tests.race.browser import Stage, until
from tests.server_process import HANG_S, serving

EVENTS: Final = b": hello\n\nid: 7\ndata: one\ndata: more of it\n\nevent: named\ndata: two\n\ndata: begun"
LINES: Final = b'{"text": "one"}\n\n{"text": "two"}\nthree\n'


async def _held(request: web.Request, headers: dict[str, str], content: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    await response.write(content)
    await asyncio.Event().wait()
    return response


async def events(request: web.Request) -> web.StreamResponse:
    return await _held(request, {"Content-Type": "text/event-stream", "Access-Control-Allow-Origin": "*"}, EVENTS)


async def lines(request: web.Request) -> web.StreamResponse:
    return await _held(request, {"Access-Control-Allow-Origin": request.headers["Origin"]}, LINES)


async def unreadable(request: web.Request) -> web.StreamResponse:
    return await _held(request, {"Content-Type": "text/event-stream"}, EVENTS)


async def socket(request: web.Request) -> web.WebSocketResponse:
    response = web.WebSocketResponse()
    await response.prepare(request)
    for nth in range(4):
        await response.send_str(f"message {nth}")
    async for _ in response:
        pass
    return response


@asynccontextmanager
async def foreign() -> AsyncIterator[int]:
    """Serve streams of others; yield the port."""
    app = web.Application()
    for handler in (events, lines, unreadable, socket):
        app.router.add_get(f"/{handler.__name__}", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def test_what_comes_from_others_is_counted_and_drawn_and_has_no_latency(chromium: Stage) -> None:
    async def check() -> None:
        async with foreign() as port:
            own = [f"http://127.0.0.1:{port}/events", f"http://127.0.0.1:{port}/lines", f"ws://127.0.0.1:{port}/socket"]
            words = [word for url in own for word in ("--url", url)]
            with serving("sse", *words, module="servers.race") as race:
                async with chromium.page(f"http://127.0.0.1:{race.port}/") as page:
                    for nth, messages in enumerate((2, 3, 4), start=1):
                        row = f"document.querySelector('[data-lane=guest-{nth}]')"
                        await until(
                            page, f"{row}?.querySelector('[data-figure=messages]').textContent === '{messages}'"
                        )
                        assert await page.evaluate(f"{row}.dataset.state") == "open"
                        for figure in ("latest", "median", "worst", "bytes"):
                            assert await page.inner_text(f"[data-lane=guest-{nth}] [data-figure={figure}]") == "\u2013"
                    labels = await page.locator("[data-lane^=guest] b").all_inner_texts()
                    assert labels == [url.partition("://")[2] for url in own]
                    await until(page, "document.getElementById('said').textContent === '4 lanes are running.'")
                    race.post("ours goes on")
                    await until(page, "seen.some(({ lane }) => lane === 'sse')")
                    assert not await page.evaluate("seen.some(({ lane }) => lane.startsWith('guest'))")

    chromium.run(check())


def test_a_stream_that_may_not_be_read_is_named_with_what_it_lacks(chromium: Stage) -> None:
    async def check() -> None:
        async with foreign() as port:
            url = f"http://127.0.0.1:{port}/unreadable"
            with serving("sse", "--url", url, module="servers.race") as race:
                async with chromium.page(f"http://127.0.0.1:{race.port}/", trouble=True) as page:
                    said = f"needs Access-Control-Allow-Origin: http://127.0.0.1:{race.port}"
                    words = "words => document.querySelector('[data-lane=guest-1] .state')?.textContent.includes(words)"
                    await until(page, words, said)
                    await page.get_by_role("button", name="Stop 127.0.0.1").click()
                    await page.wait_for_selector("[data-lane=guest-1][data-state=stopped]")

    chromium.run(check())


def test_the_page_may_ask_whom_the_race_was_told_of_and_nobody_else() -> None:
    words = ["--url", "https://staging.example/events?room=1", "--url", "WSS://staging.example:8443/socket"]
    with (
        serving("sse", *words, module="servers.race") as race,
        urllib.request.urlopen(f"http://127.0.0.1:{race.port}/race/state", timeout=HANG_S) as answer,
    ):
        guests = json.load(answer)["guests"]
        policy = answer.headers["Content-Security-Policy"]
    assert [each["url"] for each in guests] == [
        "https://staging.example/events?room=1",
        "wss://staging.example:8443/socket",
    ]
    assert policy.endswith(" https://staging.example wss://staging.example:8443")


def test_a_stream_with_a_password_in_its_address_is_refused() -> None:
    command = [sys.executable, "-m", "servers.race", "--port", "0", "--url", "http://me:secret@127.0.0.1/events"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --url has a user or a password in it")
    assert "secret" not in done.stderr and done.stderr.count("\n") == 1
