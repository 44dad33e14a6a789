"""PURE. Families as OpenTelemetry's collectors take them: OTLP over HTTP, as JSON, with exponential histograms."""

import json
from collections.abc import Iterable
from typing import Any, Final

from loadtests.metrics.family import Labels, MetricFamily
from loadtests.metrics.histogram import SCHEMA, ZERO_S, Histogram

CUMULATIVE: Final = 2


def payload(families: Iterable[MetricFamily], since_ns: int, now_ns: int, version: str) -> bytes:
    """Return an ExportMetricsServiceRequest. since_ns, now_ns: of the wall clock; counts are of what lies between."""
    metrics = [_metric(family, since_ns, now_ns) for family in families if family.samples]
    scope = {"scope": {"name": "pollbench", "version": version}, "metrics": metrics}
    resource = {"attributes": _attributes({"service.name": "pollbench", "service.version": version})}
    return json.dumps({"resourceMetrics": [{"resource": resource, "scopeMetrics": [scope]}]}).encode()


def _metric(family: MetricFamily, since_ns: int, now_ns: int) -> dict[str, Any]:
    times = {"startTimeUnixNano": str(since_ns), "timeUnixNano": str(now_ns)}
    points = [{"attributes": _attributes(labels), **times, **_point(value)} for labels, value in family.samples]
    told: dict[str, Any] = {"name": family.name, "description": family.about, "unit": family.unit}
    match family.kind:
        case "histogram":
            told["exponentialHistogram"] = {"aggregationTemporality": CUMULATIVE, "dataPoints": points}
        case "counter":
            told["sum"] = {"aggregationTemporality": CUMULATIVE, "isMonotonic": True, "dataPoints": points}
        case "gauge":
            told["gauge"] = {"dataPoints": points}
    return told


def _point(value: float | Histogram) -> dict[str, Any]:
    if not isinstance(value, Histogram):
        return {"asDouble": value}
    first, last = min(value.counts, default=1), max(value.counts, default=0)
    return {
        "count": str(value.count),
        "sum": value.sum_s,
        "scale": SCHEMA,
        "zeroCount": str(value.zero),
        "zeroThreshold": ZERO_S,
        # OpenTelemetry numbers a bucket by its lower end, Prometheus by its upper one.
        "positive": {
            "offset": first - 1,
            "bucketCounts": [str(value.counts.get(bucket, 0)) for bucket in range(first, last + 1)],
        },
    }


def _attributes(labels: Labels) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": value}} for name, value in labels.items()]
