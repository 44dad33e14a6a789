"""PURE. What has been counted so far of everything that is measured, and the families that tell it.

Counted is all that arrives, warm-up included, as on Locust's page; the report alone knows the measured window.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from loadtests.live.counts import Live
from loadtests.live.live_checks import Health, judge
from loadtests.live.timeline import Board, Gatherer
from loadtests.metrics.family import Kind, MetricFamily
from loadtests.metrics.histogram import Histogram
from loadtests.metrics.tail import Batch
from servers.timing import NS_PER_S

VERDICTS: Final = ("VALID", "SUSPECT", "INVALID", "FAIL")
Key = tuple[tuple[str, str], ...]
"""Labels of a situation."""


@dataclass(slots=True)
class Counted:
    """Of one pattern in one situation, all repeats together."""

    live: Live = field(default_factory=Live)
    histogram: Histogram = field(default_factory=Histogram)


class Tally:
    """Counts of one run, or of all tests driven by hand one after the other."""

    def __init__(self) -> None:
        self._counted: dict[Key, Counted] = {}
        self._situation: Mapping[str, str] = {}
        self._gatherers: dict[str, Gatherer] = {}
        self._board = Board()
        self._ruled = ""
        self._lag_ns = 0
        self.cells = {"finished": 0, "failed": 0}

    def begin(self, situation: Mapping[str, str]) -> None:
        """Begin a cell, or a test: users and processes are others. situation: labels without the pattern's."""
        self._situation, self._gatherers, self._board, self._ruled = situation, {}, Board(), ""
        self._lag_ns = 0

    def take(self, batch: Batch) -> None:
        gatherer = self._gatherers.setdefault(batch.process, Gatherer("", {}))
        gatherer.take(batch.table, batch.pattern, batch.rows, batch.clock_error_ns)
        report = gatherer.report()
        if batch.table == "samples":
            self._lag_ns = int(batch.rows["lag_ns"].max())
            self._board.take(batch.process, report)
            return
        counted = self._of(batch.pattern)
        for slices in report.slices.values():
            for live in slices.values():
                counted.live.merge(live)
        if batch.table == "deliveries":
            counted.histogram.take(batch.rows["received_ns"] - batch.rows["due_ns"])

    def rule(self, verdict: str) -> None:
        """From now on say what the report says of all."""
        self._ruled = verdict

    def _of(self, pattern: str) -> Counted:
        key = (("pattern", pattern), *self._situation.items())
        return self._counted.setdefault(key, Counted())

    @property
    def _health(self) -> Health:
        processes = self._board.processes.values()
        return Health(
            cpu_share=max((each.cpu_share for each in processes if each.cpu_share is not None), default=None),
            lag_ms=max((each.lag_ms for each in processes if each.lag_ms is not None), default=None),
        )

    def families(self) -> list[MetricFamily]:
        """Return all that is known now."""
        return [*self._totals(), self._latency(), self._verdicts(), *self._instrument()]

    def _totals(self) -> Iterator[MetricFamily]:
        for name, (kind, about) in TOTALS.items():
            samples = [(dict(key), float(getattr(each.live, name))) for key, each in self._counted.items()]
            unit = "By" if name.startswith("bytes") else ""
            yield MetricFamily(f"pollbench_{NAMES.get(name, name)}", kind, about, unit, [*samples])

    def _latency(self) -> MetricFamily:
        samples = [(dict(key), each.histogram) for key, each in self._counted.items() if each.histogram.count]
        about = "From the instant a message was due to when its client had read it."
        return MetricFamily("pollbench_delivery_latency_seconds", "histogram", about, "s", [*samples])

    def _verdicts(self) -> MetricFamily:
        """One of the four is 1."""
        health, family = (
            self._health,
            MetricFamily("pollbench_verdict", "gauge", "1 for what the figures are worth, 0 else."),
        )
        for key, each in self._counted.items():
            verdict = self._ruled or judge(dict(key)["pattern"], each.live, health).verdict
            family.samples.extend(({**dict(key), "verdict": name}, float(name == verdict)) for name in VERDICTS)
        return family

    def _instrument(self) -> Iterator[MetricFamily]:
        lag = MetricFamily(
            "pollbench_generator_lag_seconds", "gauge", "How late the load generator's loop was at worst.", "s"
        )
        lag.samples.append(({}, self._lag_ns / NS_PER_S))
        yield lag
        busy = self._health.cpu_share
        if busy is not None:
            about = "Part of a core that the busiest load process uses."
            yield MetricFamily("pollbench_generator_cpu_ratio", "gauge", about, "1", [({}, busy)])
        cells = MetricFamily("pollbench_cells", "counter", "Cells that have ended.")
        cells.samples.extend(({"status": status}, float(count)) for status, count in self.cells.items())
        yield cells


NAMES: Final = {
    "empty": "empty_responses",
    "bytes_in": "received_bytes",
    "bytes_out": "sent_bytes",
    "missed": "missed_messages",
    "duplicated": "duplicated_messages",
    "errors": "failed_requests",
}
TOTALS: Final[Mapping[str, tuple[Kind, str]]] = {
    "deliveries": ("counter", "Messages that reached a client, every client's counted."),
    "missed": (
        "gauge",
        "Messages that clients never got although they got newer ones; one that comes late is taken off.",
    ),
    "duplicated": ("counter", "Deliveries of a message that the client had already."),
    "requests": ("counter", "Requests that ended."),
    "empty": ("counter", "Answers that brought no message."),
    "errors": ("counter", "Requests that failed."),
    "bytes_in": ("counter", "HTTP bytes of responses that ended, heads included."),
    "bytes_out": ("counter", "HTTP bytes of requests that ended, heads included."),
}
"""Fields of `Live` that are told, and how."""
