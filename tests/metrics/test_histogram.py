"""Latencies are counted exactly, and told alike in every form."""

import json
import math
import struct
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadtests.metrics import otlp, prometheus
from loadtests.metrics.family import MetricFamily
from loadtests.metrics.histogram import PER_OCTAVE, SCHEMA, Histogram, upper_s

LATENCIES = st.lists(st.integers(-10_000, 10**11), max_size=60)


def counted(values_ns: list[int]) -> Histogram:
    histogram = Histogram()
    for part in (values_ns[::2], values_ns[1::2]):  # as batches come
        histogram.take(np.array(part, np.int64))
    return histogram


@given(LATENCIES)
def test_every_latency_is_in_the_bucket_whose_ends_it_lies_between(values_ns: list[int]) -> None:
    histogram = counted(values_ns)
    assert (histogram.count, histogram.sum_ns) == (len(values_ns), sum(values_ns))
    for bucket, count in histogram.counts.items():
        low, high = upper_s(bucket - 1), upper_s(bucket)
        assert sum(low < value / 1e9 <= high for value in values_ns if value > 1000) == count
    for end_s, count in histogram.classic():
        assert count == sum(value / 1e9 <= end_s for value in values_ns)


@given(LATENCIES)
def test_protobuf_and_otlp_tell_the_same_buckets(values_ns: list[int]) -> None:
    histogram = counted(values_ns)
    family = MetricFamily("x_seconds", "histogram", "About.", "s", [({"pattern": "sse"}, histogram)])
    ((_, message),) = fields(prometheus.protobuf([family]), delimited=True)
    told = dict(fields(fields_of(message, 4)[0]))
    native = list(fields(told[7]))
    assert unzigzag(only(native, 5)) == SCHEMA
    assert (only(native, 1), only(native, 7)) == (histogram.count, histogram.zero)
    buckets, at, count = {}, 0, 0
    deltas = iter(unzigzag(value) for number, value in native if number == 13)
    for number, span in native:
        if number == 12:
            offset, length = (value for _, value in fields(span))
            at += unzigzag(offset)
            for _ in range(length):
                count += next(deltas)
                buckets[at] = count
                at += 1
    assert buckets == histogram.counts
    (point,) = json.loads(otlp.payload([family], 1, 2, "0"))["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0][
        "exponentialHistogram"
    ]["dataPoints"]
    first = point["positive"]["offset"] + 1
    assert {
        first + at: int(n) for at, n in enumerate(point["positive"]["bucketCounts"]) if n != "0"
    } == histogram.counts
    assert (int(point["count"]), int(point["zeroCount"])) == (histogram.count, histogram.zero)


def test_an_octave_has_so_many_buckets() -> None:
    assert math.isclose(upper_s(PER_OCTAVE) / upper_s(0), 2)


def test_text_has_every_series_with_its_labels_quoted() -> None:
    family = MetricFamily("x", "counter", "About.", "", [({"name": 'a"b\\c\nd'}, 2.0)])
    assert (
        prometheus.text([family]) == '# HELP x_total About.\n# TYPE x_total counter\nx_total{name="a\\"b\\\\c\\nd"} 2\n'
    )
    assert prometheus.text([MetricFamily("y", "gauge", "About.")]) == ""


def fields(content: bytes, *, delimited: bool = False) -> Any:
    """Yield (number, value) of each field of a protobuf message; a delimited stream is of messages without a number."""
    at = 0

    def varint() -> int:
        nonlocal at
        number = shift = 0
        while True:
            byte = content[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(content):
        number, wire = divmod(varint(), 8) if not delimited else (0, 2)
        if wire == 0:
            yield number, varint()
        elif wire == 1:
            yield number, struct.unpack_from("<d", content, at)[0]
            at += 8
        else:
            length = varint()
            yield number, content[at : at + length]
            at += length


def fields_of(content: bytes, number: int) -> list[Any]:
    return [value for each, value in fields(content) if each == number]


def only(pairs: list[tuple[int, Any]], number: int) -> Any:
    (value,) = (value for each, value in pairs if each == number)
    return value


def unzigzag(number: int) -> int:
    return number >> 1 if number % 2 == 0 else -(number + 1) // 2
