"""Locust's web page as a person drives it: real Locust in each of its shapes, a real server, a real browser."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import pandas as pd
from playwright.sync_api import Locator, Page, expect

from loadtests.records.manifest import SESSION
from reports.data.load import load
from reports.measures.measures import per_cell
from servers.patterns import facts, names
from servers.web.free_port import free_port
from tests.loadtests.load_process import Load
from tests.server_process import HANG_S

SHAPES: Final = ("one process", "forked processes", "master and workers")
LABELS: Final = {name: facts(name).label for name in names()}
OFTEN: Final = ("--poll-interval", "0.2")
"""Or it takes up to 5 s until users who poll have received something."""
HANG_MS: Final = HANG_S * 1000
expect.set_options(timeout=HANG_MS)


class Site:
    """One Locust with its page. folder: where it runs, so that its runs/ is there. loads: the master comes first.

    asked: the addresses that pages of it asked for, where somebody writes them down.
    """

    def __init__(self, url: str, folder: Path, loads: list[Load]) -> None:
        self.url = url
        self.folder = folder
        self.loads = loads
        self.asked: list[str] = []

    def live(self) -> dict[str, Any]:
        """Return what the Delivery tab is told."""
        with urlopen(f"{self.url}/pollbench/live", timeout=HANG_S) as answer:
            return dict(json.load(answer))

    def end(self) -> None:
        """End it at once, with whatever it is still making of its tests."""
        for each in self.loads:
            each.kill()

    def await_that(self, reached: Callable[[], bool], what: str) -> None:
        self.loads[0].until(reached, what)

    def await_elapsed(self, seconds: int, since_s: int = 0) -> None:
        """Wait until a test has run for so long, or since its figures were reset after `since_s`."""

        def has() -> bool:
            live = self.live()
            return bool(live["from_s"] > since_s and live["elapsed_s"] >= seconds)

        self.await_that(has, f"{seconds} s of its test")

    def runs(self) -> list[Path]:
        """Return the folders of all tests so far, oldest first."""
        return sorted((self.folder / "runs").glob("*")) if (self.folder / "runs").is_dir() else []


@contextmanager
def site(folder: Path, host: str, shape: str, *arguments: str) -> Iterator[Site]:
    """Start Locust with its web page, ready to be used, and end it."""
    port, web_port = str(free_port()), str(free_port())
    form = ("--class-picker", "--users", "12", "--spawn-rate", "12", "--host", host, "--exit-code-on-error", "0")
    page = ("--web-host", "127.0.0.1", "--web-port", web_port, *form, *arguments)
    ports = ("--master-bind-port", port, "--master-port", port)
    commands: list[tuple[str, ...]] = {
        "one process": [page],
        "forked processes": [(*page, "--processes", "2", *ports)],
        "master and workers": [
            (*page, "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
            *2 * [("--class-picker", "--worker", "--master-host", "127.0.0.1", "--master-port", port)],
        ],
    }[shape]
    with ExitStack() as stack:
        loads = []
        for nth, command in enumerate(commands):
            loads.append(Load(folder / f"locust-{nth}.log", *command, cwd=folder))
            stack.callback(loads[-1].kill)
        base = arguments[arguments.index("--web-base-path") + 1] if "--web-base-path" in arguments else ""
        started = Site(f"http://127.0.0.1:{web_port}{base}", folder, loads)
        loads[0].until(lambda: workers_of(started) >= (0 if shape == "one process" else 2), "its page and its workers")
        yield started


def workers_of(started: Site) -> int:
    """Return how many workers have joined, -1 while there is no page."""
    try:
        with urlopen(f"{started.url}/worker-count", timeout=HANG_S) as answer:
            return int(json.load(answer)["worker_count"])
    except OSError:
        return -1


class Driver:
    """What a person does with the page."""

    def __init__(self, page: Page, started: Site) -> None:
        self.page = page
        self.site = started
        self.complaints: list[str] = []
        page.on("pageerror", lambda wrong: self.complaints.append(str(wrong)))
        page.goto(f"{started.url}/")

    def open_form(self) -> None:
        """Show the start form, which is a dialog once a test has ended."""
        start, new = (self.page.get_by_role("button", name=name, exact=True) for name in ("Start", "New"))
        expect(start.or_(new)).to_be_visible()
        if new.is_visible():
            new.click()

    def start(self) -> Path:
        """Press Start, and return the folder of the test."""
        before = len(self.site.runs())
        self.press("Start")
        self.site.await_that(lambda: len(self.site.runs()) > before, "its folder")
        return self.site.runs()[-1]

    def open_options(self) -> None:
        self.page.get_by_text("Custom parameters").click()

    def host(self, url: str) -> None:
        """Name whom to measure."""
        self.page.get_by_role("textbox", name="Host", exact=True).fill(url)

    def option(self, label: str) -> Locator:
        return self.page.get_by_label(label)

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def look_at(self, tab: str) -> None:
        self.page.get_by_role("tab", name=tab).click()

    def switch_theme(self) -> None:
        self.page.get_by_role("banner").get_by_role("button").last.click()

    def choose_only(self, *users: str) -> None:
        for box in self.page.locator("tr, li, div").filter(has_text="User Classes").last.get_by_role("checkbox").all():
            box.uncheck()
        for user in users:
            self.page.get_by_role("row", name=user).get_by_role("checkbox").check()

    def await_stopped(self, run: Path) -> None:
        """Wait until Locust's page itself says so, which it does once."""
        expect(self.page.get_by_role("button", name="New", exact=True)).to_be_visible()
        expect(self.page.get_by_role("status")).to_contain_text(f"Final figures of {run.name}.")

    def await_kept(self) -> None:
        """Wait until what was recorded can be downloaded."""
        expect(self.page.locator("pollbench-delivery nav button:enabled")).to_have_count(3)

    def rows(self) -> dict[str, dict[str, str]]:
        """Return the Delivery table by pattern's label and column's title."""
        table = self.page.locator("pollbench-delivery table")
        titles = table.locator("thead th").all_inner_texts()
        lines = [line.locator("th, td").all_inner_texts() for line in table.locator("tbody tr").all()]
        return {line[0]: dict(zip(titles, line, strict=True)) for line in lines}

    def await_rows(self, patterns: int) -> None:
        """Wait until that many patterns have delivered for long enough that a rate can be told."""
        rates = self.page.locator("pollbench-delivery tbody tr td:nth-child(4)")
        expect(rates).to_have_count(patterns)
        for rate in rates.all():
            expect(rate).to_have_text(ANY_RATE)

    def download(self, button: str, to: Path) -> str:
        """Press a download button, save what comes, and return the name it was offered under."""
        with self.page.expect_download(timeout=HANG_MS) as download:
            self.press(button)
        download.value.save_as(to)
        return download.value.suggested_filename


ANY_RATE: Final = re.compile(r"^[\d,.]*[1-9][\d,.]*$")


def deliveries_of(folder: Path) -> pd.DataFrame:
    run = load(folder)
    assert run.manifest.kind == SESSION
    assert set(run.cells["status"]) == {"finished"}
    cells = per_cell(run)
    assert (cells["delivered"] == cells["owed"]).all()
    return run.deliveries.astype({"pattern": str})
