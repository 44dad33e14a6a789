"""A real browser, Debian's Chromium, and pages in it that are watched for errors and for strangers they talk to."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

CHROMIUM: Final = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # It would talk to Google's servers at every start.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
HANG_MS: Final = 60_000
"""Only catches hangs; no test asserts how long anything took."""
OURS: Final = "127.0.0.1"
REMEMBER_DELIVERIES: Final = "window.seen = []; document.addEventListener('delivery', (it) => seen.push(it.detail));"
Result = TypeVar("Result")


class Stage:
    """One browser and the loop it is driven from; a fake server of a test can live on the same loop."""

    def __init__(self, runner: asyncio.Runner, browser: Browser) -> None:
        self._runner = runner
        self.browser = browser

    def run(self, check: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(check)

    @asynccontextmanager
    async def page(self, url: str, *, trouble: bool = False, **context: Any) -> AsyncIterator[Page]:
        """Open a page of its own; see that nothing is logged as an error, unless trouble is what the test makes, and
        that nothing leaves the loopback."""
        opened = await self.browser.new_context(**context)
        opened.set_default_timeout(HANG_MS)
        watch = Watch(opened)
        try:
            await opened.add_init_script(REMEMBER_DELIVERIES)
            page = await opened.new_page()
            page.on("websocket", lambda socket: watch.asked.append(socket.url))
            await page.goto(url)
            yield page
        finally:
            await opened.close()
        assert watch.crashes == [], watch.crashes
        assert trouble or watch.errors == [], watch.errors
        assert {urlsplit(each).hostname for each in watch.asked} == {OURS}, watch.asked


async def until(page: Page, condition: str, argument: Any = None) -> None:
    """Wait until JavaScript is true; an expression, or a function of the argument. Playwright's own wait_for_function
    compiles it in the page, which our Content-Security-Policy forbids."""
    async with asyncio.timeout(HANG_MS / 1000):
        while not await page.evaluate(condition, argument):
            await page.wait_for_timeout(20)


class Watch:
    """What happens in a browser context that a test does not look for."""

    def __init__(self, context: BrowserContext) -> None:
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.crashes: list[str] = []
        context.on("request", lambda request: self.asked.append(request.url))
        context.on("weberror", lambda wrong: self.crashes.append(str(wrong.error)))
        context.on("console", self._console)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(f"{message.type}: {message.text}")


@contextmanager
def stage() -> Iterator[Stage]:
    """Start the browser, and end it."""
    with asyncio.Runner() as runner:
        playwright = runner.run(async_playwright().start())
        sandbox = os.geteuid() != 0  # Chromium refuses to run as root with its sandbox
        launch = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, chromium_sandbox=sandbox)
        browser = runner.run(launch)
        try:
            yield Stage(runner, browser)
        finally:
            runner.run(browser.close())
            runner.run(playwright.stop())
