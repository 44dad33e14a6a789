"""Pages of the tests' browser, a server that publishes, and Locust with its page, where tests share it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.loadtests.load_process import http_host
from tests.server_process import ServerProcess, serving
from tests.webui.site import LABELS, OFTEN, Driver, Site, site

HOLD_TIMEOUT_S = "7"
"""Of the test that runs: not as usual, so that a form that shows it has been told."""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    yield page
    page.close()


@pytest.fixture(scope="module")
def publishing() -> Iterator[ServerProcess]:
    with serving("--schedule", "steady:20") as server:
        yield server


@pytest.fixture
def alone(publishing: ServerProcess, tmp_path: Path) -> Iterator[Site]:
    """Locust in one process."""
    with site(tmp_path, http_host(publishing), "one process", *OFTEN) as started:
        yield started


@pytest.fixture(scope="module")
def idle(publishing: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Locust in one process, in which no test runs, but one may have ended."""
    with site(tmp_path_factory.mktemp("idle"), http_host(publishing), "one process", *OFTEN) as started:
        yield started


@pytest.fixture(scope="module")
def running(browser: Browser, publishing: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Locust in one process, in which somebody has started a test of all patterns. Those who share it only look: it
    ends with Locust, so that nobody waits for a report."""
    with site(tmp_path_factory.mktemp("running"), http_host(publishing), "one process", *OFTEN) as started:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.on("request", lambda request: started.asked.append(request.url))
        driver = Driver(page, started)
        driver.open_form()
        driver.open_options()
        driver.option("Hold Timeout").fill(HOLD_TIMEOUT_S)
        driver.start()
        driver.look_at("Delivery")
        driver.await_rows(len(LABELS))
        page.close()
        assert driver.complaints == []
        yield started
