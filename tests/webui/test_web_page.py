"""The web page, driven in a real browser from the form to the downloads, in every shape that Locust has."""

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from loadtests.records.manifest import SESSION
from reports.basics.units import number
from reports.data.load import load
from reports.measures.measures import per_cell
from tests.accessible import complaints
from tests.loadtests.load_process import http_host
from tests.server_process import ServerProcess, serving
from tests.webui.site import LABELS, SHAPES, Driver, Site, site

pytestmark = [pytest.mark.slow, pytest.mark.peer, pytest.mark.timeout(300)]


# From the form to the downloads


@pytest.mark.parametrize("shape", SHAPES)
def test_a_test_is_driven_from_the_form_to_the_downloads_and_then_another(
    page: Page, publishing: ServerProcess, tmp_path: Path, shape: str
) -> None:
    with site(tmp_path, http_host(publishing), shape) as started:
        driver = Driver(page, started)
        refuse_a_bad_option(driver)
        watch_a_test(driver)
        first = check_final_figures(driver)
        check_downloads(driver, first)
        check_a_second_test(driver, first)
        assert driver.complaints == []


def refuse_a_bad_option(driver: Driver) -> None:
    driver.open_options()
    driver.option("Poll Interval").fill("often")
    driver.press("Start")
    expect(driver.page.get_by_role("alert")).to_have_text(
        re.compile("^Poll Interval 'often' is not a duration: write 5s")
    )
    assert driver.site.runs() == []
    driver.option("Poll Interval").fill("0.2")


def watch_a_test(driver: Driver) -> None:
    driver.press("Start")
    driver.look_at("Delivery")
    driver.await_rows(len(LABELS))
    assert list(driver.rows()) == sorted(LABELS.values(), key=list(LABELS.values()).index)
    for row in driver.rows().values():
        assert (row["Missed"], row["Twice"], row["Errors"]) == ("0", "0", "0")
        assert row["Verdict"].split()[0] in {"VALID", "SUSPECT"}  # a busy machine has a late generator
    for title, lines in (("Delivery latency, p50", 6), ("Delivery latency, p99", 6), ("Empty responses", 2)):
        chart = driver.page.locator("figure").filter(has_text=title)
        expect(chart.locator("path.line")).to_have_count(lines)
        expect(chart.locator("path.line").first).to_have_attribute("d", PATH)
    driver.press("Stop")
    driver.await_stopped()


PATH = re.compile(r"^M[\d.]+ [\d.]+(L[\d.]+ [\d.]+)+")


def check_final_figures(driver: Driver) -> Path:
    """What stands on the page is all that was recorded, without a reload, on our tab and on Locust's."""
    (folder,) = driver.site.runs()
    driver.await_kept()
    recorded = deliveries_of(folder)
    told = {row["pattern"]: row for row in driver.site.live()["rows"]}
    assert {pattern: row["deliveries"] for pattern, row in told.items()} == recorded.groupby("pattern").size().to_dict()
    for pattern, row in told.items():
        assert driver.rows()[LABELS[pattern]]["p99 (ms)"] == number(row["p99_ms"])
        own = recorded[recorded["pattern"] == pattern]
        exact_ms = np.quantile(own["received_ns"] - own["due_ns"], 0.99, method="inverted_cdf") / 1e6
        assert row["p99_ms"] == pytest.approx(exact_ms, rel=0.011)
    driver.look_at("Statistics")
    for pattern, row in told.items():
        line = driver.page.get_by_role("row").filter(has_text="DELIVERY").filter(has_text=pattern)
        expect(line.get_by_role("cell").nth(2)).to_have_text(str(row["deliveries"]))
    driver.look_at("Delivery")
    return folder


def check_downloads(driver: Driver, folder: Path) -> None:
    report, table = folder / "saved.html", folder / "saved.csv"
    assert driver.download("Download HTML report", report) == f"{folder.name}-report.html"
    assert driver.download("Download all figures as CSV", table) == f"{folder.name}-summary.csv"
    assert all(label in report.read_text(encoding="utf-8") for label in LABELS.values())
    with table.open(encoding="utf-8") as file:
        rows = {row["pattern"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(LABELS)
    assert all(row["delivered"] == row["owed"] != "0" for row in rows.values())
    expect(driver.page.get_by_role("status")).to_contain_text("The verdict is the report's.")
    shown = folder / "shown.csv"
    assert driver.download("Download this table as CSV", shown) == f"{folder.name}-delivery.csv"
    with shown.open(encoding="utf-8") as file:
        told = {row["label"]: row for row in csv.DictReader(file)}
    for label, row in driver.rows().items():
        assert number(float(told[label]["p99_ms"])) == row["p99 (ms)"]
        assert (told[label]["missed"], told[label]["verdict"]) == (row["Missed"], row["Verdict"].split()[0])


def check_a_second_test(driver: Driver, first: Path) -> None:
    """It has its own numbers and its own folder; a reset has the screen and the report count from then on."""
    before = {file: file.stat().st_mtime_ns for file in first.rglob("*")}
    driver.press("New")
    driver.press("Start")
    expect(driver.page.get_by_role("status")).to_contain_text("Running for")
    driver.await_rows(len(LABELS))
    with driver.page.expect_download() as download:
        driver.page.get_by_role("link", name=f"Download the report of {first.name}").click()
    assert download.value.suggested_filename == f"{first.name}-report.html"
    driver.press("Reset")
    driver.page.wait_for_timeout(1000)
    driver.await_rows(len(LABELS))
    driver.page.wait_for_timeout(3000)
    driver.press("Stop")
    driver.await_stopped()
    assert {file: file.stat().st_mtime_ns for file in first.rglob("*")} == before
    _, second = driver.site.runs()
    driver.await_kept()
    live, recorded = driver.site.live(), deliveries_of(second)
    counted = recorded[recorded["received_ns"] // 10**9 >= live["from_s"]]
    assert 0 < len(counted) < len(recorded)
    assert {row["pattern"]: row["deliveries"] for row in live["rows"]} == counted.groupby("pattern").size().to_dict()
    assert load(second).finished["window_from_ns"].min() >= (live["from_s"] - 1) * 10**9


def deliveries_of(folder: Path) -> pd.DataFrame:
    run = load(folder)
    assert run.manifest.kind == SESSION
    assert set(run.cells["status"]) == {"finished"}
    cells = per_cell(run)
    assert (cells["delivered"] == cells["owed"]).all()
    return run.deliveries.astype({"pattern": str})


# What can go wrong


def test_a_worker_that_is_lost_makes_the_figures_invalid_and_the_report_says_why(
    page: Page, publishing: ServerProcess, tmp_path: Path
) -> None:
    with site(tmp_path, http_host(publishing), "master and workers") as started:
        driver = Driver(page, started)
        driver.press("Start")
        driver.look_at("Delivery")
        driver.await_rows(len(LABELS))
        started.loads[1].kill()
        expect(page.get_by_role("status")).to_contain_text("1 of 2 workers lost")
        assert {row["Verdict"].split(":")[0][:7] for row in driver.rows().values()} == {"INVALID"}
        driver.press("Stop")
        driver.await_stopped()
        expect(page.get_by_text("No report: ")).to_contain_text("1 of 2 workers did not hand in their samples")


def test_a_server_that_is_not_there_is_named_in_the_form(page: Page, alone: Site) -> None:
    driver = Driver(page, alone)
    driver.page.get_by_role("textbox", name="Host", exact=True).fill("http://127.0.0.1:1")
    driver.press("Start")
    expect(page.get_by_role("alert")).to_contain_text("http://127.0.0.1:1 cannot be reached")
    expect(page.get_by_role("alert")).to_contain_text("start a server with: pollbench serve")


def test_users_of_a_pattern_that_is_not_served_are_named_in_the_form(page: Page, tmp_path: Path) -> None:
    with serving("sse") as server, site(tmp_path, http_host(server), "one process") as started:
        driver = Driver(page, started)
        driver.choose_only("LongPollingUser", "SseUser")
        driver.press("Start")
        expect(page.get_by_role("alert")).to_contain_text("serves sse, which is nothing for LongPollingUser")


def test_a_test_too_short_to_be_measured_says_so_instead_of_a_report(page: Page, alone: Site) -> None:
    driver = Driver(page, alone)
    driver.open_options()
    driver.option("Poll Interval").fill("600")
    driver.press("Start")
    driver.look_at("Delivery")
    expect(page.get_by_role("status")).to_contain_text("Running")
    driver.press("Stop")
    driver.await_stopped()
    said = page.get_by_text("No report: ")
    expect(said).to_contain_text("it ended too soon to be measured: it must run 600.5 s longer")
    expect(page.get_by_role("button", name="Download HTML report")).to_be_disabled()
    expect(page.get_by_role("button", name="Download this table as CSV")).to_be_enabled()


# The form


def test_only_the_users_that_were_picked_run(page: Page, alone: Site) -> None:
    driver = Driver(page, alone)
    driver.choose_only("SseUser")
    driver.press("Start")
    driver.look_at("Delivery")
    driver.await_rows(1)
    assert list(driver.rows()) == ["Server-Sent Events"]
    driver.page.wait_for_timeout(3000)
    driver.press("Stop")
    driver.await_stopped()
    driver.download("Download all figures as CSV", alone.folder / "saved.csv")
    (run,) = alone.runs()
    assert load(run).cells["clients"].tolist() == [12]
    assert pd.read_csv(alone.folder / "saved.csv")["wire_bytes_per_delivery"].notna().all()


def test_while_a_test_runs_users_can_be_added_and_options_cannot_be_changed(page: Page, alone: Site) -> None:
    driver = Driver(page, alone)
    driver.press("Start")
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
    driver.await_stopped()
    driver.download("Download all figures as CSV", alone.folder / "saved.csv")
    (run,) = alone.runs()
    assert set(load(run).finished["clients"]) == {3}


def test_after_a_reload_the_form_shows_the_options_in_force(page: Page, alone: Site) -> None:
    driver = Driver(page, alone)
    driver.open_options()
    driver.option("Hold Timeout").fill("7")
    driver.press("Start")
    # The page says that it runs before Locust does, and a reload then takes the start back.
    driver.look_at("Delivery")
    driver.await_rows(len(LABELS))
    page.reload()
    driver.press("Edit")
    driver.open_options()
    expect(driver.option("Hold Timeout")).to_have_value("7")
    assert driver.complaints == []


def test_a_test_that_ends_by_itself_shows_its_final_figures(page: Page, alone: Site) -> None:
    driver = Driver(page, alone)
    page.get_by_text("Advanced options").click()
    driver.option("Run time").fill("6s")
    driver.press("Start")
    driver.look_at("Delivery")
    driver.await_stopped()
    (run,) = alone.runs()
    driver.download("Download all figures as CSV", alone.folder / "saved.csv")
    counted = deliveries_of(run).groupby("pattern").size().to_dict()
    assert {row["pattern"]: row["deliveries"] for row in alone.live()["rows"]} == counted


def test_after_a_test_the_tab_says_what_to_use_for_another_load(page: Page, alone: Site) -> None:
    driver = Driver(page, alone)
    page.get_by_text("Advanced options").click()
    driver.option("Run time").fill("2s")
    advice = page.locator("pollbench-advice")
    driver.press("Start")
    driver.look_at("Delivery")
    expect(advice).to_be_hidden()
    driver.await_stopped()
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


def test_the_tab_follows_the_theme_of_the_page(page: Page, alone: Site) -> None:
    driver = Driver(page, alone)
    driver.press("Start")
    driver.look_at("Delivery")
    driver.await_rows(len(LABELS))
    swatch = page.locator("pollbench-delivery .swatch").first
    light = swatch.evaluate("node => getComputedStyle(node).backgroundColor")
    driver.switch_theme()
    expect(page.locator("pollbench-delivery.dark")).to_be_visible()
    assert swatch.evaluate("node => getComputedStyle(node).backgroundColor") != light


@pytest.mark.parametrize("width", [390, 1440])
def test_the_tab_fits_a_phone_and_axe_finds_nothing_in_it(page: Page, alone: Site, width: int) -> None:
    page.set_viewport_size({"width": 1440, "height": 1000})
    driver = Driver(page, alone)
    driver.press("Start")
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


def test_pointing_at_an_instant_or_walking_with_the_arrows_shows_the_values_then(page: Page, alone: Site) -> None:
    driver = Driver(page, alone)
    driver.press("Start")
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


def test_the_page_writes_numbers_as_the_report_does(page: Page, alone: Site) -> None:
    Driver(page, alone)
    values = [0, 0.00123, 0.0999, 0.42, 0.9996, 1.005, 9.995, 12.34, 99.96, 123.4, 999.6, 1180, 1234567.8]
    script = "async values => values.map((await import(new URL('./pollbench/web/units.js', document.baseURI))).number)"
    assert page.evaluate(script, values) == [number(value) for value in values]


def test_the_page_works_below_a_base_path(page: Page, publishing: ServerProcess, tmp_path: Path) -> None:
    with site(tmp_path, http_host(publishing), "one process", "--web-base-path", "/load") as started:
        driver = Driver(page, started)
        driver.press("Start")
        driver.look_at("Delivery")
        driver.await_rows(len(LABELS))
        assert driver.complaints == []


def test_nothing_is_asked_of_any_other_host(page: Page, alone: Site) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    driver = Driver(page, alone)
    driver.press("Start")
    driver.look_at("Delivery")
    driver.await_rows(len(LABELS))
    assert {url for url in asked if url.startswith("http")} == {url for url in asked if url.startswith(alone.url)}
