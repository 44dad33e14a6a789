"""Pages of the tests' browser, and a server that publishes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.loadtests.load_process import http_host
from tests.server_process import ServerProcess, serving
from tests.webui.site import Site, site


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
    with site(tmp_path, http_host(publishing), "one process") as started:
        yield started
