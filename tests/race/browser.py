"""A real browser, Debian's Chromium, and pages in it that are watched for errors and for strangers they talk to."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

WHOLE: Final = Path(os.environ.get("CHROMIUM") or "/usr/bin/chromium")
CHROMIUM: Final = Path(os.environ.get("CHROMIUM") or shutil.which("chromium-headless-shell") or WHOLE)
"""Without the windows and menus that nobody sees, the same engine takes half the CPU for a page."""
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
LAUNCH: Final[dict[str, Any]] = {
    "executable_path": CHROMIUM,
    "args": FLAGS,
    "chromium_sandbox": os.geteuid() != 0,  # Chromium refuses to run as root with its sandbox
}
HANG_MS: Final = 60_000
"""Only catches hangs; no test asserts how long anything took."""
LOOK_MS: Final = 20
OURS: Final = "127.0.0.1"
REMEMBER: Final = """
window.seen = [];
window.heard = [];
document.addEventListener("delivery", (it) => seen.push(it.detail));
document.addEventListener("DOMContentLoaded", () => {
  const said = document.getElementById("said");
  if (said) new MutationObserver(() => heard.push(said.textContent)).observe(said, { childList: true });
});
"""
"""What has been delivered to the lanes, and what the page has said: one word may soon take the place of another."""
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
            await opened.add_init_script(REMEMBER)
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
    compiles it in the page each time, which our Content-Security-Policy forbids; here the page looks by itself."""
    look = f"const it = ({condition}); return typeof it === 'function' ? it(argument) : it;"
    again = f"while (!holds()) await new Promise((look) => setTimeout(look, {LOOK_MS}));"
    async with asyncio.timeout(HANG_MS / 1000):
        await page.evaluate(f"async (argument) => {{ const holds = () => {{ {look} }}; {again} }}", argument)


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
        browser = runner.run(playwright.chromium.launch(**LAUNCH))
        try:
            yield Stage(runner, browser)
        finally:
            runner.run(browser.close())
            runner.run(playwright.stop())
