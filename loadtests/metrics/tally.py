"""PURE. What has been counted so far of everything that is measured, and the families that tell it.

Counted is all that arrives, warm-up included, as on Locust's page; the report alone knows the measured window.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from loadtests.live.live_checks import Health, judge
from loadtests.metrics.counting import Counted, SoFar
from loadtests.metrics.family import Kind, MetricFamily
from servers.timing import NS_PER_S

VERDICTS: Final = ("VALID", "SUSPECT", "INVALID", "FAIL")
Key = tuple[tuple[str, str], ...]
"""Labels of a situation."""


class Tally:
    """Counts of one run, or of all tests driven by hand one after the other."""

    def __init__(self) -> None:
        self._before: dict[Key, Counted] = {}
        self._now: Mapping[str, SoFar] = {}
        self._situation: Mapping[str, str] = {}
        self._ruled = ""
        self.cells = {"finished": 0, "failed": 0}

    def begin(self, situation: Mapping[str, str]) -> None:
        """Begin a cell, or a test: users and processes are others. situation: labels without the pattern's."""
        self._before, self._now = self._counted(), {}
        self._situation, self._ruled = situation, ""

    def hear(self, told: Mapping[str, SoFar]) -> None:
        """Take what each reader has counted in this cell so far, in place of what it had said before."""
        self._now = told

    def rule(self, verdict: str) -> None:
        """From now on say what the report says of all."""
        self._ruled = verdict

    def _counted(self) -> dict[Key, Counted]:
        """Return what was counted of one pattern in one situation, all repeats and readers together."""
        sums = dict(self._before)
        for told in self._now.values():
            for pattern, counted in told.patterns.items():
                key = (("pattern", pattern), *self._situation.items())
                sums[key] = sums.get(key, Counted()).plus(counted)
        return sums

    @property
    def _health(self) -> Health:
        readers = self._now.values()
        return Health(
            cpu_share=max((each.cpu_share for each in readers if each.cpu_share is not None), default=None),
            lag_ms=max((each.lag_ms for each in readers if each.lag_ms is not None), default=None),
        )

    def families(self) -> list[MetricFamily]:
        """Return all that is known now."""
        sums = self._counted()
        return [*_totals(sums), _latency(sums), self._verdicts(sums), *self._instrument()]

    def _verdicts(self, sums: Mapping[Key, Counted]) -> MetricFamily:
        """One of the four is 1."""
        health, family = (
            self._health,
            MetricFamily("pollbench_verdict", "gauge", "1 for what the figures are worth, 0 else."),
        )
        for key, each in sums.items():
            verdict = self._ruled or judge(dict(key)["pattern"], each.live, health).verdict
            family.samples.extend(({**dict(key), "verdict": name}, float(name == verdict)) for name in VERDICTS)
        return family

    def _instrument(self) -> Iterator[MetricFamily]:
        lag = MetricFamily(
            "pollbench_generator_lag_seconds", "gauge", "How late the load generator's loop was at worst.", "s"
        )
        lag.samples.append(({}, max((each.lag_ns for each in self._now.values()), default=0) / NS_PER_S))
        yield lag
        busy = self._health.cpu_share
        if busy is not None:
            about = "Part of a core that the busiest load process uses."
            yield MetricFamily("pollbench_generator_cpu_ratio", "gauge", about, "1", [({}, busy)])
        cells = MetricFamily("pollbench_cells", "counter", "Cells that have ended.")
        cells.samples.extend(({"status": status}, float(count)) for status, count in self.cells.items())
        yield cells


def _totals(sums: Mapping[Key, Counted]) -> Iterator[MetricFamily]:
    for name, (kind, about) in TOTALS.items():
        samples = [(dict(key), float(getattr(each.live, name))) for key, each in sums.items()]
        unit = "By" if name.startswith("bytes") else ""
        yield MetricFamily(f"pollbench_{NAMES.get(name, name)}", kind, about, unit, [*samples])


def _latency(sums: Mapping[Key, Counted]) -> MetricFamily:
    samples = [(dict(key), each.histogram) for key, each in sums.items() if each.histogram.count]
    about = "From the instant a message was due to when its client had read it."
    return MetricFamily("pollbench_delivery_latency_seconds", "histogram", about, "s", [*samples])


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
