"""The pages that are made, read by axe-core as a screen reader's user would meet them, wide and on a phone."""

from pathlib import Path
from typing import Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from reports.ci.compare_runs import compare_runs
from reports.ci.comparison_page import comparison_page
from tests.reports.test_interactive import UNFOLD

pytestmark = pytest.mark.peer
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def comparison(frequent: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("compared") / "compare.html"
    page.write_text(comparison_page(compare_runs(frequent, frequent)), encoding="utf-8")
    return page


def complaints(page: Page) -> str:
    found = Axe().run(page)
    return found.generate_report() if found.violations_count else ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_report_and_it_does_not_scroll_sideways(
    browser: Browser, frequent_page: Path, scheme: str
) -> None:
    page = browser.new_page(viewport=PHONE, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(frequent_page.as_uri())
    page.evaluate(UNFOLD)
    page.get_by_role("button", name="Explore").first.click()
    assert complaints(page) == ""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    narrow = page.locator(".chart.narrow svg").last
    box = narrow.bounding_box()
    assert box is not None
    assert box["width"] <= PHONE["width"]
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.locator(".chart.wide svg").last).to_be_visible()
    expect(narrow).to_be_hidden()
    assert complaints(page) == ""
    page.close()


def test_axe_finds_nothing_in_a_comparison(browser: Browser, comparison: Path) -> None:
    page = browser.new_page(viewport=PHONE)
    page.goto(comparison.as_uri())
    page.evaluate(UNFOLD)
    assert complaints(page) == ""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()


def test_a_chart_is_explored_by_keyboard_and_by_touch(browser: Browser, frequent_page: Path) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True)
    page = context.new_page()
    page.goto(frequent_page.as_uri())
    page.evaluate(UNFOLD)
    figure = page.locator("figure[data-chart=latency]").first
    figure.get_by_role("button", name="Explore").tap()
    over = figure.locator(".u-over")
    said = figure.locator(".says")
    over.focus()
    first = said.inner_text()
    page.keyboard.press("ArrowRight")
    expect(said).not_to_have_text(first)
    assert "SSE" in said.inner_text()
    page.keyboard.press("+")
    page.keyboard.press("0")
    over.tap(position={"x": 40, "y": 100})
    expect(figure.locator(".u-legend .u-value").nth(1)).to_contain_text("%")
    context.close()
