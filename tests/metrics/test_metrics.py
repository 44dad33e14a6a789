"""A real run is told while it is measured: what is scraped is what was recorded, and the dashboard finds it all."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

import pollbench
from loadtests.metrics.destination import Destination, parse_metrics
from servers.web.free_port import free_port
from tests.metrics.listening import Collector, Scrape, collecting, scraped, value

ROOT = Path(pollbench.__file__).parent
DASHBOARD = ROOT / "docs/examples/grafana-dashboard.json"
BRIEF = ["--clients", "4", "--schedule", "steady:20", "--warmup", "200ms", "--window", "2s", "--drain", "300ms"]
HANG_S = 270


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as started:
        yield started


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> tuple[Path, Scrape]:
    """A run of two patterns, and the last scrape of it, which has the report's verdict."""
    folder, port = tmp_path_factory.mktemp("told") / "run", free_port()
    command = [
        sys.executable,
        str(ROOT / "pollbench.py"),
        "compare",
        "--pattern",
        "sse,short_polling",
        "--repeats",
        "1",
    ]
    where = ["--metrics", f"prometheus:{port}", "--metrics", f"otlp:{collector.url}", "--poll-interval", "200ms"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    last: Scrape = []
    with subprocess.Popen([*command, *BRIEF, *where, "--out", str(folder)], env=environment, cwd=folder.parent) as run:
        deadline = time.monotonic() + HANG_S
        while run.poll() is None:
            assert time.monotonic() < deadline, "the run does not end"
            with suppress(OSError):
                last = scraped(port)
            time.sleep(0.2)
    assert run.returncode in {pollbench.DONE, pollbench.INVALID}
    return folder, last


@pytest.mark.slow
def test_what_is_scraped_is_what_was_recorded(told: tuple[Path, Scrape]) -> None:
    folder, scrape = told
    for pattern in ("sse", "short_polling"):
        (cell,) = folder.glob(f"cells/*-{pattern}-1")
        deliveries = pd.read_parquet(cell / "deliveries.parquet")
        requests = pd.read_parquet(cell / "requests.parquet")
        assert value(scrape, "pollbench_deliveries_total", pattern=pattern) == len(deliveries)
        assert value(scrape, "pollbench_requests_total", pattern=pattern) == len(requests)
        assert value(scrape, "pollbench_empty_responses_total", pattern=pattern) == requests["empty"].sum()
        assert value(scrape, "pollbench_missed_messages", pattern=pattern) == 0
        latency_ns = deliveries["received_ns"] - deliveries["due_ns"]
        name = "pollbench_delivery_latency_seconds"
        assert value(scrape, f"{name}_count", pattern=pattern) == len(deliveries)
        assert value(scrape, f"{name}_sum", pattern=pattern) == pytest.approx(latency_ns.sum() / 1e9)
        for each, labels, count in scrape:
            if each == f"{name}_bucket" and labels["pattern"] == pattern:
                assert count == (latency_ns <= float(labels["le"]) * 1e9).sum()


@pytest.mark.slow
def test_the_last_verdict_is_the_reports(told: tuple[Path, Scrape]) -> None:
    folder, scrape = told
    verdict = json.loads((folder / "verdict.json").read_bytes())["verdict"]
    states = {(had["pattern"], had["verdict"]): number for name, had, number in scrape if name == "pollbench_verdict"}
    assert {key: number for key, number in states.items() if number} == {
        ("sse", verdict): 1.0,
        ("short_polling", verdict): 1.0,
    }


@pytest.mark.slow
def test_every_query_of_the_dashboard_finds_its_series(told: tuple[Path, Scrape]) -> None:
    _, scrape = told
    known: dict[str, set[str]] = {}
    for name, labels, _ in scrape:
        known.setdefault(name, set()).update(labels)
        if name.endswith("_bucket"):  # a native histogram, of which a text knows nothing, is called what they are of
            known.setdefault(name.removesuffix("_bucket"), set()).update(labels.keys() - {"le"})
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(asked) > 8
    for expression in asked:
        names = re.findall(r"\bpollbench_\w+", expression)
        assert names
        for name in names:
            assert name in known, f"{expression}: nothing is called {name}"
        wanted = {label.strip() for by in re.findall(r"\bby \(([^)]*)\)", expression) for label in by.split(",")}
        wanted |= set(re.findall(r"[{,](\w+)=~?", expression))
        assert wanted <= set.union(*(known[name] for name in names)), expression


@pytest.mark.slow
def test_a_collector_is_told_the_same_sums(told: tuple[Path, Scrape], collector: Collector) -> None:
    _, scrape = told
    assert {each["path"] for each in collector.told} == {"/v1/metrics"}
    metrics = collector.told[-1]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    by_name = {metric["name"]: metric for metric in metrics}
    for point in by_name["pollbench_deliveries"]["sum"]["dataPoints"]:
        labels = {each["key"]: each["value"]["stringValue"] for each in point["attributes"]}
        assert point["asDouble"] == value(scrape, "pollbench_deliveries_total", pattern=labels["pattern"])
    latency = by_name["pollbench_delivery_latency_seconds"]["exponentialHistogram"]["dataPoints"]
    for point in latency:
        counts = [*map(int, point["positive"]["bucketCounts"]), int(point["zeroCount"])]
        assert sum(counts) == int(point["count"]) > 0


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["statsd:1"], "--metrics 'statsd:1': write prometheus:PORT"),
        (["prometheus:http"], "--metrics 'http' is not a port"),
        (["prometheus:1", "prometheus:2"], "'prometheus:2': write .* each once"),
        (["otlp:localhost"], "metrics"),
    ],
)
def test_what_cannot_be_read_is_refused(texts: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_metrics(texts)


def test_both_places_can_be_asked_for() -> None:
    assert parse_metrics(["prometheus:0", "otlp:http://c:4318"]) == Destination(0, "http://c:4318")
