"""A page as axe-core finds it, and the sizes at which tests look at it."""

from typing import Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESK: Final[ViewportSize] = {"width": 1280, "height": 900}
UNFOLD: Final = "for (const each of document.querySelectorAll('details')) each.open = true"


def complaints(page: Page, context: str | None = None) -> str:
    """Return what axe finds in a page, or in the part of it that a CSS selector names; "" for nothing."""
    found = Axe().run(page, context=context)
    return str(found.generate_report()) if found.violations_count else ""


OVER_THE_EDGE: Final = """() => {
  const beyond = (each) => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest("table");
  return document.documentElement.scrollWidth > innerWidth || [...document.querySelectorAll("svg")].some(beyond);
}"""


def scrolls_sideways(page: Page) -> bool:
    """Whether the page is wider than the screen, or anything drawn in it but a table must be scrolled to be seen."""
    return bool(page.evaluate(OVER_THE_EDGE))
