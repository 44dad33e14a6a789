"""The web page in every shape that Locust has: from the form to the downloads, and what is said of a lost worker."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from reports.basics.units import number
from reports.data.load import load
from tests.loadtests.load_process import http_host
from tests.server_process import ServerProcess
from tests.webui.site import LABELS, OFTEN, SHAPES, Driver, deliveries_of, site

pytestmark = [pytest.mark.slow, pytest.mark.peer, pytest.mark.apart, pytest.mark.timeout(300)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_test_is_driven_from_the_form_to_the_downloads_and_then_another(
    page: Page, publishing: ServerProcess, tmp_path: Path, shape: str
) -> None:
    with site(tmp_path, http_host(publishing), shape) as started:
        driver = Driver(page, started)
        refuse_a_bad_option(driver)
        first = watch_a_test(driver)
        check_final_figures(driver, first)
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


def watch_a_test(driver: Driver) -> Path:
    folder = driver.start()
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
    driver.await_stopped(folder)
    return folder


PATH = re.compile(r"^M[\d.]+ [\d.]+(L[\d.]+ [\d.]+)+")


def check_final_figures(driver: Driver, folder: Path) -> None:
    """What stands on the page is all that was recorded, without a reload, on our tab and on Locust's."""
    assert driver.site.runs() == [folder]
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


def check_downloads(driver: Driver, folder: Path) -> None:
    report, table = folder / "saved.html", folder / "saved.csv"
    assert driver.download("Download HTML report", report) == f"{folder.name}-report.html"
    assert driver.download("Download all figures as CSV", table) == f"{folder.name}-summary.csv"
    assert all(label in report.read_text(encoding="utf-8") for label in LABELS.values())
    with table.open(encoding="utf-8") as file:
        rows = {row["pattern"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(LABELS)
    for row in rows.values():  # a busy machine may end a test with a message under way
        counts = [int(row[name]) for name in ("delivered", "in_flight", "owed", "missed")]
        assert counts[0] > 0 and counts[0] + counts[1] == counts[2] and counts[3] == 0
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
    second = driver.start()
    expect(driver.page.get_by_role("status")).to_contain_text("Running for")
    driver.await_rows(len(LABELS))
    with driver.page.expect_download() as download:
        driver.page.get_by_role("link", name=f"Download the report of {first.name}").click()
    assert download.value.suggested_filename == f"{first.name}-report.html"
    from_s = driver.site.live()["from_s"]
    driver.press("Reset")
    driver.site.await_elapsed(3, since_s=from_s)
    driver.await_rows(len(LABELS))
    driver.press("Stop")
    driver.await_stopped(second)
    assert {file: file.stat().st_mtime_ns for file in first.rglob("*")} == before
    assert driver.site.runs() == [first, second]
    driver.await_kept()
    live = driver.site.live()
    driver.site.end()  # nobody waits for a second report
    recorded = deliveries_of(second)
    counted = recorded[recorded["received_ns"] // 10**9 >= live["from_s"]]
    assert 0 < len(counted) < len(recorded)
    assert {row["pattern"]: row["deliveries"] for row in live["rows"]} == counted.groupby("pattern").size().to_dict()
    assert load(second).finished["window_from_ns"].min() >= (live["from_s"] - 1) * 10**9


def test_a_worker_that_is_lost_makes_the_figures_invalid_and_the_report_says_why(
    page: Page, publishing: ServerProcess, tmp_path: Path
) -> None:
    with site(tmp_path, http_host(publishing), "master and workers", *OFTEN) as started:
        driver = Driver(page, started)
        run = driver.start()
        driver.look_at("Delivery")
        driver.await_rows(len(LABELS))
        started.loads[1].kill()
        expect(page.get_by_role("status")).to_contain_text("1 of 2 workers lost")
        assert {row["Verdict"].split(":")[0][:7] for row in driver.rows().values()} == {"INVALID"}
        driver.press("Stop")
        driver.await_stopped(run)
        expect(page.get_by_text("No report: ")).to_contain_text("1 of 2 workers did not hand in their samples")


def test_the_page_works_below_a_base_path(page: Page, publishing: ServerProcess, tmp_path: Path) -> None:
    with site(tmp_path, http_host(publishing), "one process", "--web-base-path", "/load", *OFTEN) as started:
        driver = Driver(page, started)
        driver.press("Start")
        driver.look_at("Delivery")
        driver.await_rows(len(LABELS))
        assert driver.complaints == []
