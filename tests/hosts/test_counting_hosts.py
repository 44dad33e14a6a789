"""Hosts that keep their rows: what they counted is the run's summary, and is told as it is counted.

Where the kernel has them, they have clocks of their own.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from loadtests.metrics.destination import Destination
from loadtests.metrics.watched import Watched
from loadtests.summary.kept import FILE, Summary
from reports.data.load import load
from reports.measures.measures import open_books, per_cell
from reports.page.page import write_report
from tests.clocks import elsewhere
from tests.hosts.crews import CLIENTS, SHARED, CrewOf
from tests.metrics.listening import Collector, collecting

pytestmark = pytest.mark.slow

PATTERN = "short_polling"
S = 10**9
AHEAD_S = {"alpha": 3, "beta": elsewhere.back_s(1_000)} if not elsewhere.why_not() else {}


class Kept:
    """A cell whose two hosts keep their rows, and what a collector was told of it."""

    def __init__(self, crew: CrewOf, collector: Collector) -> None:
        for name in ("alpha", "beta"):
            crew.host(name)
        self.folder = crew.folder / "run"
        with Watched(self.folder, Destination(url=collector.url), crew.office) as watched:
            outcome, _ = crew.measure(PATTERN, beside=[watched])
        (self.cell,) = outcome.cells
        assert self.cell.problems == []
        self.codes = {name: host.wait() for name, host in crew.hosts.items()}
        self.left = {file.name for file in (self.folder / "cells" / self.cell.name).iterdir()}
        file = self.folder / "cells" / self.cell.name / FILE
        self.summary = msgspec.json.decode(file.read_bytes(), type=Summary)
        self.run = load(self.folder)
        (self.row,) = per_cell(self.run).to_dict("records")
        metrics = collector.told[-1]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
        self.told: dict[str, Any] = {metric["name"]: metric for metric in metrics}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("kept")
    wrap = {name: elsewhere.command([seconds], folder, []) for name, seconds in AHEAD_S.items()}
    with (
        collecting() as collector,
        CrewOf(folder, replace(SHARED, keep="summary"), wrap=wrap, telling=True) as crew,
    ):
        yield Kept(crew, collector)


def test_no_row_leaves_its_host_and_the_books_close(kept: Kept) -> None:
    assert kept.codes == {"alpha": 0, "beta": 0}
    assert {"cell.json", FILE, "samples.parquet", "published.csv"} <= kept.left
    assert not kept.left & {"raw", "requests.parquet", "deliveries.parquet"}
    assert (kept.row["delivered"], kept.row["missed"], kept.row["duplicated"]) == (24 * CLIENTS, 0, 0)
    assert sorted(kept.summary.users.user) == [*range(1, CLIENTS + 1)]
    assert open_books(kept.run, kept.run.finished.to_dict("records")[0]) == []
    counted = {"requests": kept.summary.requests.recorded, "deliveries": kept.summary.deliveries.recorded}
    assert counted.items() <= kept.cell.rows.items()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what sockets carried")
def test_what_the_sockets_carried_is_held_against_the_deliveries_of_each_process(kept: Kept) -> None:
    assert kept.row["generator_processes"] == 2
    assert kept.row["wire_bytes_per_delivery"] > kept.row["payload_bytes_per_delivery"] > 0


@pytest.mark.skipif(not AHEAD_S, reason=elsewhere.why_not())
def test_what_clocks_were_known_to_be_off_by_is_the_error_of_all_figures(kept: Kept) -> None:
    errors_ns = []
    for known in kept.cell.clocks:
        offset_ns = -AHEAD_S[known.process.partition("@")[2]] * S
        assert known.low_ns <= offset_ns <= known.high_ns
        assert (known.same, known.problem) == (False, "")
        errors_ns.append(known.error_ns)
    assert len(errors_ns) == 2
    assert kept.row["clock_error_ms"] == kept.row["clock_change_ms"] == max(errors_ns) / 1e6
    assert kept.summary.deliveries.early == 0
    assert 0 <= kept.row["p50_ms"] <= kept.row["p90_ms"] < 2_900, "and nobody's is off by 3 s"
    assert "Server and clients read different clocks." in write_report(kept.folder).read_text(encoding="utf-8")


def test_what_is_told_of_hosts_is_what_they_recorded(kept: Kept) -> None:
    for name, table in (("pollbench_deliveries", "deliveries"), ("pollbench_requests", "requests")):
        (point,) = kept.told[name]["sum"]["dataPoints"]
        assert point["asDouble"] == kept.cell.rows[table]
        assert {"key": "pattern", "value": {"stringValue": PATTERN}} in point["attributes"]
    (latency,) = kept.told["pollbench_delivery_latency_seconds"]["exponentialHistogram"]["dataPoints"]
    counts = [*map(int, latency["positive"]["bucketCounts"]), int(latency["zeroCount"])]
    assert sum(counts) == int(latency["count"]) == kept.cell.rows["deliveries"]
    (missed,) = kept.told["pollbench_missed_messages"]["gauge"]["dataPoints"]
    assert missed["asDouble"] == 0
    (busy,) = kept.told["pollbench_generator_cpu_ratio"]["gauge"]["dataPoints"]
    assert busy["asDouble"] > 0
