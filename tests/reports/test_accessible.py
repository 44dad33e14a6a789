"""The pages that are made, read by axe-core as a screen reader's user would meet them, wide and on a phone."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from reports.advice.advise import Question, advise
from reports.advice.goals import parse_goal
from reports.ci.compare_runs import compare_runs
from reports.ci.comparison_page import comparison_page
from reports.claims.folder import GUIDE, read
from reports.claims.grounds import Grounds
from reports.claims.page import PAGE, judge
from reports.model import model_file
from reports.page.advice_page import advice_page
from tests.accessible import DESK, PHONE, UNFOLD, complaints, scrolls_sideways
from tests.race.browser import LAUNCH, WHOLE
from tests.reports.conftest import FREQUENT, THREE, as_measured
from tests.synthetic import write_run
from tests.synthetic_patterns import World

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def slower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of seven repeats, the second of clients further away, compared."""
    folder = tmp_path_factory.mktemp("compared")
    asked = replace(FREQUENT, schedule="poisson:16", window_s=1.0)
    runs = [folder / name for name in ("base", "new")]
    for run, world in zip(runs, (World(), World(one_way_ns=20_000_000)), strict=True):
        run.mkdir()
        as_measured(write_run(run, [asked], repeats=7, labels=THREE, world=world))
    page = folder / "compare.html"
    page.write_text(comparison_page(compare_runs(runs[0], runs[1])), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guide's claims judged where nothing was measured: what the shipped model decides is decided."""
    folder = tmp_path_factory.mktemp("claims")
    guide = read(GUIDE)
    lacking = dict.fromkeys(guide.arms, "it was not measured")
    judge(Grounds(guide, folder, model_file.read(model_file.RECORDED), "the model that ships", lacking))
    return folder / PAGE


@pytest.fixture(scope="module")
def advice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = model_file.read(model_file.RECORDED)
    asked = Question(clients=5000, rate_per_s=2.0, rtt_s=0.06, goals=[parse_goal("p99 < 1s")])
    page = tmp_path_factory.mktemp("advice") / "advice.html"
    told = advice_page(model, "the model that ships", asked, advise(model, asked), columns=6, lines=4)
    page.write_text(told, encoding="utf-8")
    return page


@pytest.mark.parametrize(("scheme", "size"), [("light", PHONE), ("dark", DESK)], ids=["phone", "desk"])
@pytest.mark.parametrize("name", ["slower", "claims", "advice"])
def test_axe_finds_nothing_in_a_page_and_it_fits_the_screen(
    browser: Browser, request: pytest.FixtureRequest, name: str, scheme: str, size: ViewportSize
) -> None:
    made: Path = request.getfixturevalue(name)
    page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(made.as_uri())
    page.evaluate(UNFOLD)
    assert complaints(page) == ""
    assert not scrolls_sideways(page)
    page.close()


@pytest.mark.parametrize("name", ["slower", "claims", "advice"])
def test_the_contents_lead_to_what_they_name_folded_or_not(
    browser: Browser, request: pytest.FixtureRequest, name: str
) -> None:
    made: Path = request.getfixturevalue(name)
    page = browser.new_page(viewport=DESK)
    page.goto(made.as_uri())
    links = page.get_by_role("navigation", name="Contents").get_by_role("link").all()
    assert links
    for link in links:
        link.click()
        expect(page.locator(str(link.get_attribute("href")))).to_be_in_viewport()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_report_and_it_does_not_scroll_sideways(
    browser: Browser, frequent_page: Path, scheme: str
) -> None:
    page = browser.new_page(viewport=PHONE, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(frequent_page.as_uri())
    page.evaluate(UNFOLD)
    assert not scrolls_sideways(page)
    page.get_by_role("button", name="Explore").first.click()
    assert complaints(page) == ""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    first = page.locator("figure").filter(has=page.locator(".wide")).last
    wide, narrow = first.locator(".wide svg"), first.locator(".narrow svg")
    expect(wide).to_be_hidden()
    expect(narrow).to_be_visible()
    page.set_viewport_size(DESK)
    expect(wide).to_be_visible()
    expect(narrow).to_be_hidden()
    assert complaints(page) == ""
    page.close()


def test_a_chart_is_explored_by_keyboard_and_by_touch(browser: Browser, frequent_page: Path) -> None:
    # The one without windows has a finger tell of a mouse.
    whole = browser.browser_type.launch(**{**LAUNCH, "executable_path": WHOLE})
    page = whole.new_page(viewport=PHONE, has_touch=True)
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
    # Which patterns have a value just there is as they were measured.
    expect(figure.locator(".u-legend .u-value").filter(has_text="%").first).to_be_visible()
    whole.close()
