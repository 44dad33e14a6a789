"""The web page as it is used: what is wrong is said, the form is obeyed, and everybody can read the tab."""

import re
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from reports.basics.units import number
from reports.data.load import load
from tests.accessible import complaints
from tests.loadtests.load_process import http_host
from tests.server_process import serving
from tests.webui.conftest import HOLD_TIMEOUT_S
from tests.webui.site import LABELS, Driver, Site, deliveries_of

pytestmark = [pytest.mark.slow, pytest.mark.peer, pytest.mark.timeout(300)]


# What can go wrong


def test_a_server_that_is_not_there_is_named_in_the_form(page: Page, idle: Site) -> None:
    driver = Driver(page, idle)
    driver.open_form()
    driver.host("http://127.0.0.1:1")
    driver.press("Start")
    expect(page.get_by_role("alert")).to_contain_text("http://127.0.0.1:1 cannot be reached")
    expect(page.get_by_role("alert")).to_contain_text("start a server with: pollbench serve")


def test_users_of_a_pattern_that_is_not_served_are_named_in_the_form(page: Page, idle: Site) -> None:
    with serving("sse") as server:
        driver = Driver(page, idle)
        driver.open_form()
        driver.host(http_host(server))
        driver.choose_only("LongPollingUser", "SseUser")
        driver.press("Start")
        expect(page.get_by_role("alert")).to_contain_text("serves sse, which is nothing for LongPollingUser")


def test_a_test_too_short_to_be_measured_says_so_instead_of_a_report(page: Page, alone: Site) -> None:
    driver = Driver(page, alone)
    driver.open_options()
    driver.option("Poll Interval").fill("600")
    run = driver.start()
    driver.look_at("Delivery")
    expect(page.get_by_role("status")).to_contain_text("Running")
    driver.press("Stop")
    driver.await_stopped(run)
    said = page.get_by_text("No report: ")
    expect(said).to_contain_text("it ended too soon to be measured: it must run 600.5 s longer")
    expect(page.get_by_role("button", name="Download HTML report")).to_be_disabled()
    expect(page.get_by_role("button", name="Download this table as CSV")).to_be_enabled()


# The form


def test_only_the_users_that_were_picked_run(page: Page, alone: Site) -> None:
    driver = Driver(page, alone)
    driver.choose_only("SseUser")
    run = driver.start()
    driver.look_at("Delivery")
    driver.await_rows(1)
    assert list(driver.rows()) == ["Server-Sent Events"]
    alone.await_elapsed(4)
    driver.press("Stop")
    driver.await_stopped(run)
    driver.download("Download all figures as CSV", alone.folder / "saved.csv")
    assert alone.runs() == [run]
    assert load(run).cells["clients"].tolist() == [12]
    assert pd.read_csv(alone.folder / "saved.csv")["wire_bytes_per_delivery"].notna().all()


def test_while_a_test_runs_users_can_be_added_and_options_cannot_be_changed(page: Page, alone: Site) -> None:
    driver = Driver(page, alone)
    run = driver.start()
    driver.look_at("Delivery")
    driver.await_rows(len(LABELS))
    driver.press("Edit")
    driver.open_options()
    driver.option("Poll Interval").fill("2")
    driver.press("Update")
    expect(page.locator("pollbench-problem")).to_contain_text("only the number of users can be changed")
    driver.press("Edit")
    driver.option("Number of users").fill("18")
    driver.press("Update")
    page.wait_for_timeout(4000)
    driver.press("Stop")
    driver.await_stopped(run)
    driver.await_kept()
    alone.end()  # nobody waits for a report
    assert alone.runs() == [run]
    assert set(load(run).finished["clients"]) == {3}


def test_after_a_reload_the_form_shows_the_options_in_force(page: Page, running: Site) -> None:
    driver = Driver(page, running)
    driver.look_at("Delivery")
    page.reload()
    driver.press("Edit")
    driver.open_options()
    expect(driver.option("Hold Timeout")).to_have_value(HOLD_TIMEOUT_S)
    assert driver.complaints == []


@pytest.fixture(scope="module")
def ended(browser: Browser, idle: Site) -> Path:
    """A test that ended by itself, watched from its start. Nobody is advised while it runs."""
    page = browser.new_page()
    driver = Driver(page, idle)
    driver.open_form()
    page.get_by_text("Advanced options").click()
    driver.option("Run time").fill("6s")
    run = driver.start()
    driver.look_at("Delivery")
    expect(page.get_by_role("status")).to_contain_text("Running")
    expect(page.locator("pollbench-advice")).to_be_hidden()
    driver.await_stopped(run)
    assert driver.complaints == []
    page.close()
    return run


def test_a_test_that_ends_by_itself_shows_its_final_figures(page: Page, idle: Site, ended: Path) -> None:
    driver = Driver(page, idle)
    driver.look_at("Delivery")
    driver.await_stopped(ended)
    driver.await_kept()
    driver.download("Download all figures as CSV", idle.folder / "saved.csv")
    counted = deliveries_of(ended).groupby("pattern").size().to_dict()
    assert {row["pattern"]: row["deliveries"] for row in idle.live()["rows"]} == counted


def test_after_a_test_the_tab_says_what_to_use_for_another_load(page: Page, idle: Site, ended: Path) -> None:
    driver = Driver(page, idle)
    advice = page.locator("pollbench-advice")
    driver.look_at("Delivery")
    driver.await_stopped(ended)
    driver.option("Clients").fill("many")
    driver.press("Advise")
    expect(advice.get_by_role("alert")).to_contain_text("Invalid value for '--clients'")
    driver.option("Clients").fill("20000")
    driver.press("Advise")
    expect(advice).to_contain_text("For 20,000 clients and 2 messages a second, 60")
    expect(advice).to_contain_text("held-out figures lay in their interval")
    for label in LABELS.values():
        expect(advice.get_by_role("rowheader", name=label)).to_be_visible()
    assert driver.complaints == []


# How it looks


def test_the_tab_follows_the_theme_of_the_page(page: Page, running: Site) -> None:
    driver = Driver(page, running)
    driver.look_at("Delivery")
    driver.await_rows(len(LABELS))
    swatch = page.locator("pollbench-delivery .swatch").first
    light = swatch.evaluate("node => getComputedStyle(node).backgroundColor")
    driver.switch_theme()
    expect(page.locator("pollbench-delivery.dark")).to_be_visible()
    assert swatch.evaluate("node => getComputedStyle(node).backgroundColor") != light


@pytest.mark.parametrize("width", [390, 1440])
def test_the_tab_fits_a_phone_and_axe_finds_nothing_in_it(page: Page, running: Site, width: int) -> None:
    driver = Driver(page, running)
    driver.look_at("Delivery")
    driver.await_rows(len(LABELS))
    page.set_viewport_size({"width": width, "height": 844})
    tab = page.locator("pollbench-delivery")
    expect(tab.locator("figure li").first).to_be_visible(visible=width == 390)
    parts = tab.locator("table, figure, svg").all()
    assert all((box := part.bounding_box()) and box["x"] + box["width"] <= width for part in parts)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_by_role("cell").count() >= len(LABELS) * 10
    assert complaints(page, "pollbench-delivery") == ""


def test_pointing_at_an_instant_or_walking_with_the_arrows_shows_the_values_then(page: Page, running: Site) -> None:
    driver = Driver(page, running)
    driver.look_at("Delivery")
    driver.await_rows(len(LABELS))
    charts = page.locator("pollbench-delivery svg")
    charts.first.hover(position={"x": 150, "y": 100})
    expect(charts.last).to_have_attribute("aria-label", AT_AN_INSTANT)
    page.mouse.move(0, 0)
    expect(charts.last).to_have_attribute("aria-label", NEWEST)
    charts.first.focus()
    page.keyboard.press("ArrowLeft")
    expect(charts.last).to_have_attribute("aria-label", AT_AN_INSTANT)


AT_AN_INSTANT = re.compile(r"at \d+:\d\d: .*Short polling")
NEWEST = re.compile(r"newest: .*Short polling")


def test_the_page_writes_numbers_as_the_report_does(page: Page, idle: Site) -> None:
    Driver(page, idle)
    values = [0, 0.00123, 0.0999, 0.42, 0.9996, 1.005, 9.995, 12.34, 99.96, 123.4, 999.6, 1180, 1234567.8]
    script = "async values => values.map((await import(new URL('./pollbench/web/units.js', document.baseURI))).number)"
    assert page.evaluate(script, values) == [number(value) for value in values]


def test_nothing_is_asked_of_any_other_host(page: Page, running: Site) -> None:
    """Neither by the page on which the test was started, nor by one that is opened later."""
    page.on("request", lambda request: running.asked.append(request.url))
    driver = Driver(page, running)
    driver.look_at("Delivery")
    driver.await_rows(len(LABELS))
    asked = {url for url in running.asked if url.startswith("http")}
    assert f"{running.url}/swarm" in asked
    assert all(url.startswith(running.url) for url in asked)
