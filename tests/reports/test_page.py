"""The page: what it says word for word, and that it needs nothing but itself."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pandas as pd
import pytest

from loadtests.records.manifest import Advice
from reports.charts import CHARTS
from reports.charts.chart_data import Scene
from reports.data.load import ReportError, Run
from reports.page import interactive
from reports.page.page import render, write_report
from reports.validity.caution import VERDICT_FILE, Facts, Ruling
from reports.validity.checks import cautions
from reports.validity.network import conditions
from tests.bench.report import measure
from tests.reports.conftest import SMALL, as_measured
from tests.synthetic import write_run

GOLDEN = Path(__file__).with_name("report.golden.html")
VOID = {"meta", "link", "br", "hr", "img", "input"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(as_measured(write_run(tmp_path_factory.mktemp("written"), [SMALL], repeats=2)))


class Tags(HTMLParser):
    """Reads a page strictly: every element is closed where it was opened. Keeps tags with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def of(self, *names: str) -> Iterator[tuple[str, dict[str, str | None]]]:
        return ((tag, attributes) for tag, attributes in self.seen if tag in names)


def test_the_page_says_what_it_said(
    run: Run, cells: pd.DataFrame, rows: pd.DataFrame, scene: Scene, pytestconfig: pytest.Config
) -> None:
    """Rewrite it with: pytest tests/reports/test_page.py --update-golden, and read the difference."""
    blank = '<svg viewBox="0 0 1 1"></svg>'
    charts = {chart.name: (blank, blank) for chart in CHARTS if chart.applies(scene)}
    run = replace(run, manifest=msgspec.structs.replace(run.manifest, kind="compare"))
    page = render(Facts(run, cells, rows), cautions(run, cells, rows), [scene], {"small": charts})
    for part in (interactive.script(), interactive.style(), interactive.data([scene])):
        page = page.replace(part, "…")
    if pytestconfig.getoption("--update-golden"):
        GOLDEN.write_text(page, encoding="utf-8")
    assert page == GOLDEN.read_text(encoding="utf-8")


def test_the_page_says_what_to_switch_on_where_experiments_have_told(
    run: Run, cells: pd.DataFrame, rows: pd.DataFrame, scene: Scene
) -> None:
    advice = Advice(
        title="A & B", verdict="Switch it <on>.", command="pollbench experiment x", measured_at="2026-11-24T21:00:00Z"
    )
    told = replace(run, manifest=msgspec.structs.replace(run.manifest, advice={"x": advice}))
    page = render(Facts(told, cells, rows), cautions(told, cells, rows), [scene], {})
    for words in ("What to switch on", "A &amp; B", "Switch it &lt;on&gt;.", "2026-11-24: pollbench experiment x"):
        assert words in page
    assert "What to switch on" not in render(Facts(run, cells, rows), cautions(run, cells, rows), [scene], {})
    Tags(page)


def test_the_page_is_well_formed_and_every_id_is_used_once(written: Path) -> None:
    tags = Tags(written.read_text(encoding="utf-8"))
    ids = [attributes["id"] for _, attributes in tags.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    local = {str(attributes["href"])[1:] for _, attributes in tags.of("a") if str(attributes["href"]).startswith("#")}
    assert local <= set(ids)


def test_the_page_asks_nobody_for_anything(written: Path) -> None:
    page = written.read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert not re.findall(r"url\((?!#)", page)
    assert "@import" not in page
    assert "import(" not in page
    assert "fetch(" not in page
    assert len(page.encode()) < 3_000_000


def test_the_page_can_be_read_without_seeing_it(written: Path) -> None:
    tags = Tags(written.read_text(encoding="utf-8"))
    assert tags.seen[0] == ("html", {"lang": "en"})
    pictures = [attributes for _, attributes in tags.of("svg")]
    assert pictures
    assert all(attributes["role"] == "img" and len(str(attributes["aria-label"])) > 40 for attributes in pictures)
    assert len(list(tags.of("caption"))) == len(list(tags.of("table")))
    assert all("scope" in attributes for _, attributes in tags.of("th"))
    levels = [int(tag[1]) for tag, _ in tags.of("h1", "h2", "h3")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.fixture(scope="module")
def two_scenarios(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a run of two scenarios and two patterns, one of which has a name that looks like markup."""
    other = replace(SMALL, name="other", schedule="burst:4/0.5")
    labels = {"sse": "<b>S&E</b>", "chunked": "Chunked"}
    run = write_run(tmp_path_factory.mktemp("two"), [SMALL, other], repeats=1, labels=labels)
    return write_report(run).read_text(encoding="utf-8")


def test_the_page_does_not_take_names_for_markup(two_scenarios: str) -> None:
    assert "<b>S&E</b>" not in two_scenarios
    assert "&lt;b&gt;S&amp;E&lt;/b&gt;" in two_scenarios


def test_hold_time_is_never_called_latency(written: Path) -> None:
    words = re.sub(r"<[^>]+>", " ", written.read_text(encoding="utf-8"))
    for match in re.finditer(r"\bh[eo]ld\b", words):
        around = words[max(0, match.start() - 60) : match.end() + 60]
        assert "latency" not in around or "not latency" in around, around


def test_the_same_figures_lie_beside_the_page(written: Path) -> None:
    as_text, as_columns = (
        pd.read_csv(written.with_name("summary.csv")),
        pd.read_parquet(written.with_name("summary.parquet")),
    )
    assert list(as_text.columns) == list(as_columns.columns)
    assert as_text["p50_ms"].tolist() == pytest.approx(as_columns["p50_ms"].tolist())
    drawn = {file.name for file in (written.parent / "charts").iterdir()}
    assert {"small-timeline.svg", "small-timeline.png", "small-latency.svg"} <= drawn


def test_the_same_folder_gives_the_same_page(written: Path) -> None:
    before = written.read_bytes()
    assert write_report(written.parent).read_bytes() == before


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    write_run(tmp_path, [SMALL], repeats=1, labels={"sse": "SSE"})
    (tmp_path / "charts").write_text("in the way", encoding="utf-8")
    with pytest.raises(ReportError, match=r"charts: cannot be written \(File exists\)"):
        write_report(tmp_path)


def test_a_run_with_two_scenarios_has_a_section_for_each(two_scenarios: str) -> None:
    assert re.findall(r'<section id="(\w+)"', two_scenarios)[:2] == ["small", "other"]
    assert "4 messages at once, every 500\N{NARROW NO-BREAK SPACE}ms" in two_scenarios
    Tags(two_scenarios)


def test_a_run_at_several_round_trips_answers_for_all_and_folds_the_charts_of_the_nearer(
    distant: Path, tmp_path: Path
) -> None:
    first = CHARTS[: 1 + [chart.name for chart in CHARTS].index("latency")]
    page = write_report(Path(shutil.copytree(distant, tmp_path / "distant")), first)
    text = page.read_text(encoding="utf-8")
    tags = Tags(text)
    assert re.findall(r'<section id="(\w+)"', text)[0] == "distant"
    assert re.findall(r"<summary>(The same.+)</summary>", text.replace("\N{NARROW NO-BREAK SPACE}", " ")) == [
        "The same at 0 ms round trip",
        "The same at 20 ms round trip",
    ]
    figures = [str(attributes["id"]) for _, attributes in tags.of("figure")]
    assert figures[0] == "distant-latency-by-rtt"
    assert [each for each in figures if each.endswith("-timeline")] == [
        "distant-timeline",
        "distant-0ms-timeline",
        "distant-20ms-timeline",
    ]
    rows = re.findall(r'style="--line: var\(--line-(\w+)\)">.*?<small>(.+?)</small>', text)
    assert rows[:18:6] == [("short_polling", f"{ms}\N{NARROW NO-BREAK SPACE}ms round trip") for ms in (0, 20, 80)]
    assert (page.parent / "charts" / "distant-20ms-latency.png").is_file()


def test_a_run_at_several_message_rates_answers_for_all_and_folds_the_charts_of_the_rarer(
    frequent_page: Path,
) -> None:
    text = frequent_page.read_text(encoding="utf-8").replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "3 clients, 4, 16 and 64 messages a second at random instants, round trip 30 ms" in text
    assert "<dt>Messages due</dt><dd>4, 16 and 64 messages a second at random instants</dd>" in text
    assert re.findall(r"<summary>(The same.+)</summary>", text) == [
        "The same at 4 messages a second",
        "The same at 16 messages a second",
    ]
    assert '<th scope="col">Messages a second</th>' in text
    tags = Tags(text)
    ids = [attributes["id"] for _, attributes in tags.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    figures = [str(attributes["id"]) for _, attributes in tags.of("figure")]
    assert figures[:3] == [f"frequent-{name}-by-rate" for name in ("latency", "cost", "requests")]
    assert "Short polling, 4 messages a second" in text


def test_the_page_says_what_the_network_was_like_and_who_made_it(
    scene: Scene, run: Run, cells: pd.DataFrame, rows: pd.DataFrame
) -> None:
    assert conditions(scene.setting) == {}
    setting = {**scene.setting, "jitter_ms": 5.0, "bandwidth_bits_per_s": 10_000_000, "network": "netem"}
    near = replace(scene, setting=setting, rtt_ms=20.0, summary=scene.summary.assign(rtt_ms=20.0))
    page = render(Facts(run, cells, rows), [], [near], {}).replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "round trip 20 ms, jitter up to 5.0 ms each way, bandwidth 10mbit/s for each connection, each way" in page
    assert "<dt>Round trip added</dt><dd>20 ms, by the kernel&#39;s netem</dd>" in page


@pytest.mark.slow
def test_the_benchmark_tells_what_a_report_took(tmp_path: Path) -> None:
    figures = measure(tmp_path, deliveries=6_000)
    assert figures["deliveries"] > 5_000
    assert min(figures.values()) > 0


def test_the_verdict_lies_beside_the_page_and_on_every_chart(worthless: Path) -> None:
    written = worthless
    ruling = msgspec.json.decode(written.with_name(VERDICT_FILE).read_bytes(), type=Ruling)
    assert (ruling.verdict, ruling.worthless) == ("INVALID", True)
    assert ruling.doubts()[0].what == "Nothing here was measured"
    drawn = sorted(written.with_name("charts").glob("*.svg"))
    assert len(drawn) >= 7
    for file in drawn:
        texts = ET.fromstring(file.read_text(encoding="utf-8")).itertext()
        assert {"INVALID", "INVALID: do not decide anything from this chart"} <= {text.strip() for text in texts}, (
            file.name
        )
    page = written.read_text(encoding="utf-8")
    assert page.count(">INVALID: do not decide anything from this chart<") == 2 * len(drawn), (
        "each for the page and for a phone"
    )
    assert "var(--bad)" in page[page.index('id="small-latency"') :]
    # Charts that one explores are drawn by the page's script; its style writes the verdict on them.
    assert '<body data-verdict="INVALID">' in page
    for verdict in ("SUSPECT", "INVALID", "FAIL"):
        assert f'[data-verdict={verdict}] .u-over::before {{ content: "{verdict}' in page


@pytest.fixture(scope="module")
def worthless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run that was made up, which is INVALID."""
    return write_report(write_run(tmp_path_factory.mktemp("worthless"), [SMALL], repeats=2))


def test_a_page_of_an_invalid_run_has_no_answer_in_title_headline_findings_goals_or_bold(worthless: Path) -> None:
    page = worthless.read_text(encoding="utf-8")
    assert "<title>pollbench: No answer: this run is INVALID.</title>" in page
    assert re.findall(r"<h1>(.+)</h1>", page) == ["No answer: this run is INVALID."]
    assert "<p>Nothing here was measured: " in page
    assert not re.findall(
        r"\u00d7 as long|as much|Fastest|Least server|met by|class=\"best\"|Medians of|deliver half", page
    )
    assert "Do not decide anything from these figures" in page


def test_a_page_of_a_run_whose_books_do_not_close_has_no_answer(tmp_path: Path) -> None:
    run = as_measured(write_run(tmp_path, [SMALL], repeats=1))
    file = run / "cells/small-6-sse-1/deliveries.parquet"
    pd.read_parquet(file).iloc[1:].to_parquet(file)
    page = write_report(run, charts=()).read_text(encoding="utf-8")
    assert "<h1>No answer: this run is FAIL.</h1>" in page
    assert "Fastest" not in page


def test_every_chart_of_an_invalid_run_is_marked(worthless: Path) -> None:
    charts = sorted((worthless.parent / "charts").glob("*.svg"))
    assert len(charts) > 5
    assert all(
        "INVALID: do not decide anything from this chart" in chart.read_text(encoding="utf-8") for chart in charts
    )
