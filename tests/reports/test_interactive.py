"""What the page's script does, in a real browser with the network cut: hover, zoom, sort, copy."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from loadtests.scenario.scenarios import Scenario
from reports.charts.chart_data import Scene, scenes
from reports.data.load import load
from reports.measures.measures import summary
from reports.page import interactive
from reports.page.page import write_report
from tests.accessible import UNFOLD
from tests.reports.conftest import THREE
from tests.synthetic import write_run

SIZE_MAX_BYTES = 3_000_000
SWEEP = Scenario(
    name="grow",
    purpose="a sweep",
    clients=(2, 9),
    schedule="poisson:8",
    poll_interval_s=0.2,
    window_s=1.0,
    rtt_ms=(0.0, 60.0),
)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("sweep"), [SWEEP], repeats=2, labels=THREE)


@pytest.fixture(scope="module")
def swept_scene(swept: Path) -> Scene:
    return scene_of(swept)


def scene_of(folder: Path) -> Scene:
    """The scene that shows the sweeps of a run."""
    run = load(folder)
    return scenes(run, summary(run), "VALID")[-1]


@pytest.fixture(scope="module")
def written(swept: Path) -> Path:
    return write_report(swept).resolve()


@pytest.fixture
def page(browser: Browser, written: Path) -> Iterator[Page]:
    """The report in a browser without a network; whatever it complains of fails the test."""
    context = browser.new_context(offline=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown = context.new_page()
    complaints: list[str] = []
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    shown.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    shown.goto(written.as_uri())
    shown.evaluate(UNFOLD)
    yield shown
    context.close()
    assert not complaints


def test_the_page_stays_small(written: Path) -> None:
    assert written.stat().st_size < SIZE_MAX_BYTES


@pytest.mark.parametrize("name", ["latency", "percentiles", "over-time", "latency-by-clients", "latency-by-rtt"])
@pytest.mark.peer
def test_a_chart_is_explored_and_the_picture_comes_back(page: Page, name: str) -> None:
    figure = page.locator(f"figure[data-scene=grow][data-chart={name}]")
    expect(figure.locator(".chart.wide svg")).to_be_visible()
    figure.get_by_role("button", name="Explore").click()
    expect(figure.locator(".uplot canvas")).to_be_visible()
    expect(figure.locator(".chart.wide svg")).to_be_hidden()
    box = figure.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(figure.locator(".u-legend .u-value").first).to_contain_text(re.compile(r"\d"))
    figure.get_by_role("button", name="Picture").click()
    expect(figure.locator(".chart.wide svg")).to_be_visible()


@pytest.mark.peer
def test_a_sweep_shows_any_measure_at_any_distance(page: Page) -> None:
    figure = page.locator("figure[data-scene=grow][data-chart=latency-by-clients]")
    figure.get_by_role("button", name="Explore").click()
    figure.get_by_role("combobox", name="Show").select_option("Server, CPU / 1,000")
    near = "0\N{NARROW NO-BREAK SPACE}ms round trip, 8 messages a second"
    figure.get_by_role("combobox", name="at", exact=True).select_option(near)
    expect(figure.locator(".uplot")).to_have_count(1)


@pytest.mark.peer
def test_a_sweep_of_the_message_rate_names_its_crossovers(
    browser: Browser, frequent: Path, frequent_page: Path
) -> None:
    context = browser.new_context(offline=True)
    shown = context.new_page()
    shown.goto(frequent_page.as_uri())
    shown.evaluate(UNFOLD)
    figure = shown.locator("figure[data-scene=frequent][data-chart=latency-by-rate]")
    figure.get_by_role("button", name="Explore").click()
    drawn = interactive.charts(scene_of(frequent))["latency-by-rate"]
    assert drawn["xLog"]
    for view in drawn["views"]:
        figure.get_by_role("combobox", name="Show").select_option(view["measure"])
        expect(figure.locator(".crossovers li")).to_have_text([mark["text"] for mark in view["marks"]])
    assert any(view["marks"] for view in drawn["views"])
    context.close()


@pytest.mark.peer
def test_on_paper_the_picture_stands(page: Page) -> None:
    figure = page.locator("figure[data-scene=grow][data-chart=latency]")
    figure.get_by_role("button", name="Explore").click()
    page.emulate_media(media="print")
    expect(figure.locator(".chart.wide svg")).to_be_visible()
    expect(figure.locator(".explorer")).to_be_hidden()


@pytest.mark.peer
def test_the_table_sorts_both_ways_by_mouse_and_keyboard(page: Page) -> None:
    header = page.locator("table.figures").first.locator("thead tr").last.locator("th", has_text="p50")
    column = header.evaluate("header => header.cellIndex")

    def values() -> list[float]:
        cells = page.locator("table.figures").first.locator(f"tbody tr td:nth-child({column + 1})").all()
        return [float(cell.evaluate("cell => cell.firstChild.textContent").replace(",", "")) for cell in cells]

    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert values() == sorted(values())
    header.get_by_role("button").press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    assert values() == sorted(values(), reverse=True)


@pytest.mark.peer
def test_the_table_is_copied_as_markdown(page: Page) -> None:
    page.get_by_role("button", name="Copy as Markdown").first.click()
    expect(page.get_by_role("button", name="Copied").first).to_be_visible()
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert len(lines) == 2 + page.locator("table.figures").first.locator("tbody tr").count()
    assert len({line.replace(r"\|", "").count("|") for line in lines}) == 1
    assert "| Delivery latency: p50 ms |" in lines[0]
    assert "| Server: CPU / 1,000 ms |" in lines[0]


@pytest.mark.peer
def test_every_section_has_a_link_that_leads_to_it(page: Page) -> None:
    links = page.locator("a.permalink").all()
    assert len(links) > 5
    for link in links:
        target = str(link.get_attribute("href"))
        assert page.locator(f'[id="{target[1:]}"]').count() == 1, target


@pytest.mark.peer
def test_a_link_to_what_is_folded_unfolds_it_and_paper_shows_all(browser: Browser, written: Path) -> None:
    context = browser.new_context(offline=True)
    shown = context.new_page()
    shown.goto(f"{written.as_uri()}#grow-latency")
    expect(shown.locator("figure[data-scene=grow][data-chart=latency] .chart.wide svg")).to_be_visible()
    expect(shown.locator("#side-by-side")).to_be_hidden()
    shown.get_by_role("navigation").get_by_role("link", name="What was run").click()
    expect(shown.locator(".about").first).to_be_visible()
    shown.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(shown.locator("details:not([open])")).to_have_count(0)
    shown.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(shown.locator("#side-by-side")).to_be_hidden()
    context.close()


def test_curves_share_one_x_and_every_value_is_one_that_the_scene_has(swept_scene: Scene) -> None:
    drawn = interactive.charts(swept_scene)
    for name, chart in drawn.items():
        for view in chart.get("views", [chart]):
            assert all(len(line["values"]) == len(view["x"]) for line in view["series"]), name
            assert view["x"] == sorted(view["x"]), name
    line = drawn["percentiles"]["series"][0]
    known = swept_scene.curves[line["pattern"]]["mid"].dropna().to_numpy()
    for value in line["values"]:
        assert value is None or np.isclose(known, value, rtol=1e-4).any()


def test_the_share_delivered_rises_from_nothing_to_all(swept_scene: Scene) -> None:
    for line in interactive.charts(swept_scene)["latency"]["series"]:
        assert line["values"] == sorted(line["values"])
        assert line["values"][-1] == 100


def test_data_cannot_end_the_script_that_holds_it(swept_scene: Scene) -> None:
    told = str(interactive.data([swept_scene]))
    assert "<" not in told
    assert json.loads(told).keys() == {"grow"}
