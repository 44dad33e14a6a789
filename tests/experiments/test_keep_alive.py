"""Keep-alive: one connection instead of many, and messages that come a round trip earlier."""

from pathlib import Path

import pytest

from reports.experiments.practices import keep_alive
from tests.experiments.arms import observed_one_by_one
from tests.experiments.checks import check_drawing, check_verdict


@pytest.mark.slow
def test_a_connection_for_each_poll_costs_a_round_trip_and_loses_nothing(tmp_path: Path) -> None:
    found = observed_one_by_one("keep-alive", tmp_path)
    off, on = found["off"].figures, found["on"].figures
    assert on["mean_ms"] < off["mean_ms"]
    assert on["connections"] == 20 < off["connections"]
    assert on["segments_per_poll"] < off["segments_per_poll"]
    assert off["missed"] == on["missed"] == 0
    check_drawing(keep_alive, found)


def test_the_verdict_quotes_what_was_measured_and_says_when_it_is_not_proven() -> None:
    check_verdict(keep_alive)
