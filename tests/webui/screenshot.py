"""`python -m tests.webui.screenshot`: takes the pictures of the web page that the README shows, light and dark.

Each picture keeps a digest of what it shows, so that a test notices when the page has changed and the picture has not.
"""

import hashlib
import io
import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import ViewportSize, sync_playwright

from tests.loadtests.load_process import http_host
from tests.server_process import ROOT, serving
from tests.webui.site import CHROMIUM, Driver, site

PICTURES: Final = {"light": ROOT / "docs" / "webui.png", "dark": ROOT / "docs" / "webui-dark.png"}
SHOWN: Final = ("loadtests/delivery_page.py", "loadtests/web/*", "servers/palette.py")
DIGEST: Final = "pollbench:digest"
RUNNING_MS: Final = 40_000
SIZE: Final[ViewportSize] = {"width": 1280, "height": 1000}


def digest() -> str:
    """Name the state of what the pictures show."""
    sources = hashlib.sha256()
    for pattern in SHOWN:
        for file in sorted(ROOT.glob(pattern)):
            sources.update(file.read_bytes())
    return sources.hexdigest()


def digest_of(picture: Path) -> str:
    with Image.open(picture) as image:
        return str(image.info.get(DIGEST, ""))


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="pollbench-") as folder,
        serving("--schedule", "poisson:2") as server,
        site(Path(folder), http_host(server), "one process", "--users", "24", "--spawn-rate", "24") as started,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        driver = Driver(browser.new_page(viewport=SIZE), started)
        driver.press("Start")
        driver.look_at("Delivery")
        driver.page.wait_for_timeout(RUNNING_MS)
        for theme, picture in PICTURES.items():
            if theme == "dark":
                driver.switch_theme()
            driver.page.mouse.move(0, 0)
            driver.page.wait_for_timeout(1000)
            save(driver.page.screenshot(full_page=True), picture)
        browser.close()


def save(taken: bytes, picture: Path) -> None:
    info = PngInfo()
    info.add_text(DIGEST, digest())
    with Image.open(io.BytesIO(taken)) as image:
        # 256 colours are more than the page has; they make a third of the file.
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(picture, optimize=True, pnginfo=info)
    sys.stdout.write(f"{picture.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
