"""PURE. What is told, whoever asks: families of samples, each with its labels and a number or a histogram."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from loadtests.metrics.histogram import Histogram

Labels = Mapping[str, str]
Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """name: with its unit, as Prometheus wants it; a counter's without _total. unit: OpenTelemetry's, "" for none."""

    name: str
    kind: Kind
    about: str
    unit: str = ""
    samples: list[tuple[Labels, float | Histogram]] = field(default_factory=list)

    @property
    def exposed(self) -> str:
        """The name that Prometheus gives the series."""
        return f"{self.name}_total" if self.kind == "counter" else self.name
