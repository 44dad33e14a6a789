"""PURE. Families as Prometheus scrapes them: as text, with classic histograms, and as protobuf, with native ones too.

Only protobuf can carry native histograms, and Prometheus asks for it where it is told to keep them. The messages are
those of io/prometheus/client/metrics.proto, of which this needs seven: too few for a library that generates code.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Final

from loadtests.metrics.family import Labels, MetricFamily
from loadtests.metrics.histogram import SCHEMA, ZERO_S, Histogram

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
PROTOBUF: Final = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
KINDS: Final = {"counter": 0, "gauge": 1, "histogram": 4}


def wants_protobuf(accept: str) -> bool:
    """Say whether who sends this Accept likes protobuf best: it stands first, as Prometheus writes it."""
    return accept.strip().startswith("application/vnd.google.protobuf")


def text(families: Iterable[MetricFamily]) -> str:
    return "".join(f"{line}\n" for family in families for line in _lines(family))


def _lines(family: MetricFamily) -> Iterator[str]:
    if not family.samples:
        return
    yield f"# HELP {family.exposed} {family.about}"
    yield f"# TYPE {family.exposed} {family.kind}"
    for labels, value in family.samples:
        if isinstance(value, Histogram):
            for end_s, count in (*value.classic(), (float("inf"), value.count)):
                yield f"{family.name}_bucket{_labels({**labels, 'le': _number(end_s)})} {count}"
            yield f"{family.name}_sum{_labels(labels)} {_number(value.sum_s)}"
            yield f"{family.name}_count{_labels(labels)} {value.count}"
        else:
            yield f"{family.exposed}{_labels(labels)} {_number(value)}"


def _labels(labels: Labels) -> str:
    told = ",".join(f'{name}="{_quoted(value)}"' for name, value in labels.items())
    return f"{{{told}}}" if told else ""


def _quoted(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return "+Inf" if value == float("inf") else f"{value:.15g}"


def protobuf(families: Iterable[MetricFamily]) -> bytes:
    """Return delimited MetricFamily messages."""
    return b"".join(_sized(_family(family)) for family in families if family.samples)


def _family(family: MetricFamily) -> bytes:
    metrics = b"".join(_message(4, _metric(family, labels, value)) for labels, value in family.samples)
    head = _text(1, family.exposed) + _text(2, family.about) + _integer(3, KINDS[family.kind])
    return head + metrics


def _metric(family: MetricFamily, labels: Labels, value: float | Histogram) -> bytes:
    pairs = b"".join(_message(1, _text(1, name) + _text(2, text)) for name, text in labels.items())
    if isinstance(value, Histogram):
        return pairs + _message(7, _histogram(value))
    return pairs + _message(3 if family.kind == "counter" else 2, _double(1, value))


def _histogram(value: Histogram) -> bytes:
    classic = (
        _message(3, _integer(1, count) + _double(2, end_s))
        for end_s, count in (*value.classic(), (float("inf"), value.count))
    )
    spans, deltas, after, before = b"", b"", 0, 0
    for first, counts in value.spans():
        spans += _message(12, _integer(1, _zigzag(first - after)) + _integer(2, len(counts)))
        after = first + len(counts)
        for count in counts:
            deltas += _integer(13, _zigzag(count - before))
            before = count
    native = _integer(5, _zigzag(SCHEMA)) + _double(6, ZERO_S) + _integer(7, value.zero)
    return _integer(1, value.count) + _double(2, value.sum_s) + b"".join(classic) + native + spans + deltas


def _zigzag(number: int) -> int:
    return 2 * number if number >= 0 else -2 * number - 1


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _sized(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _integer(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _double(field: int, number: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", number)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _sized(content)


def _text(field: int, content: str) -> bytes:
    return _message(field, content.encode())
