"""`python -m tests.screenshots [NAME ...]`: takes the pictures of the documentation from the real thing.

Each carries a digest of the sources of what it shows (tests/pictures.py), and a test compares it. Look at them before
you commit them.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import ViewportSize, sync_playwright

import pollbench
from reports.page.page import write_report
from tests.doc_blocks import SHELL, blocks, commands
from tests.loadtests.load_process import http_host
from tests.pictures import path_of, save
from tests.race.browser import LAUNCH, Stage, stage
from tests.server_process import ROOT, serving
from tests.webui.site import Driver, site

RECORDED: Final = ROOT / "notebooks" / "recorded" / "feed"
STRIPS_FULL_MS: Final = 14_000
CHARTS_FULL_MS: Final = 40_000
REPORT_SIZE: Final[ViewportSize] = {"width": 1180, "height": 1900}
RACE_SIZE: Final = {"width": 1320, "height": 1000}
WEB_UI_SIZE: Final[ViewportSize] = {"width": 1280, "height": 1000}


def report() -> None:
    with tempfile.TemporaryDirectory(prefix="pollbench-") as folder, stage() as browser:
        run = shutil.copytree(RECORDED, Path(folder) / "run")
        taken = browser.run(top_of(browser, write_report(run).as_uri()))
    save(taken, "report.png")


async def top_of(browser: Stage, url: str) -> bytes:
    page = await browser.browser.new_page(viewport=REPORT_SIZE)
    await page.goto(url)
    return await page.screenshot()


def race() -> None:
    with stage() as browser, serving("--schedule", "poisson:2", module="servers.race") as started:
        for scheme, name in (("light", "race.png"), ("dark", "race-dark.png")):
            save(browser.run(strips(browser, f"http://127.0.0.1:{started.port}/", scheme)), name)


async def strips(browser: Stage, url: str, scheme: str) -> bytes:
    async with browser.page(url, color_scheme=scheme, viewport=RACE_SIZE, device_scale_factor=1.5) as page:
        await page.wait_for_timeout(STRIPS_FULL_MS)
        await page.evaluate("document.querySelector('.notes').style.display = 'none'")
        return await page.locator("body").screenshot()


def webui() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="pollbench-") as folder,
        serving("--schedule", "poisson:2") as server,
        site(Path(folder), http_host(server), "one process", "--users", "24", "--spawn-rate", "24") as started,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(**LAUNCH)
        driver = Driver(browser.new_page(viewport=WEB_UI_SIZE), started)
        driver.press("Start")
        driver.look_at("Delivery")
        driver.page.wait_for_timeout(CHARTS_FULL_MS)
        for name in ("webui.png", "webui-dark.png"):
            if name == "webui-dark.png":
                driver.switch_theme()
            driver.page.mouse.move(0, 0)
            driver.page.wait_for_timeout(1000)
            save(driver.page.screenshot(full_page=True), name)
        browser.close()


def decision_map() -> None:
    """Draw the map of the question with which the documentation opens."""
    (asked,) = commands(next(blocks(SHELL, page="docs/index.md")).text)
    with tempfile.TemporaryDirectory(prefix="pollbench-") as folder:
        drawn = Path(folder) / "map.png"
        assert pollbench.main([*asked[1:], "--map", str(drawn)]) == pollbench.DONE
        save(drawn.read_bytes(), "decision-map.png")


TAKERS: Final = {"report": report, "race": race, "webui": webui, "decision-map": decision_map}


def main() -> int:
    wanted = sys.argv[1:] or list(TAKERS)
    if unknown := set(wanted) - set(TAKERS):
        sys.stderr.write(f"screenshots: {', '.join(sorted(unknown))} is none of: {', '.join(TAKERS)}\n")
        return 2
    for name in wanted:
        TAKERS[name]()
        sys.stdout.write(f"{', '.join(str(path) for path in sorted(path_of(name).parent.glob(f'{name}*.png')))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
