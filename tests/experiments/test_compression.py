"""Compression: repetitive JSON shrinks to a part of itself, nothing is lost, and each stream pays with memory."""

from pathlib import Path

import pytest

from reports.experiments.practices import compression
from tests.experiments.arms import observed_one_by_one
from tests.experiments.checks import check_drawing, check_verdict


@pytest.mark.slow
def test_json_takes_fewer_bytes_compressed_in_streams_and_in_polls_and_nothing_is_lost(tmp_path: Path) -> None:
    found = observed_one_by_one("compression", tmp_path)
    off, on = found["off"].figures, found["on"].figures
    assert on["json_bytes"] < off["json_bytes"] / 2
    assert on["poll_bytes"] < off["poll_bytes"]
    assert on["json_cpu_ms"] > off["json_cpu_ms"]
    assert on["memory_bytes"] > off["memory_bytes"]
    assert off["missed"] == on["missed"] == 0
    check_drawing(compression, found)


def test_the_verdict_quotes_what_was_measured_and_says_when_it_is_not_proven() -> None:
    check_verdict(compression)
