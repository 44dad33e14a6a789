"""TLS: a record's bytes more for each event, a round trip more before a first answer, and nothing lost."""

from pathlib import Path

import pytest

from loadtests.experiments.practices.tls import BRIEFLY
from reports.experiments.practices import tls
from tests.experiments.arms import observed_one_by_one
from tests.experiments.checks import check_drawing, check_verdict


@pytest.mark.slow
def test_a_record_adds_its_bytes_and_a_handshake_its_round_trip_and_nothing_is_lost(tmp_path: Path) -> None:
    found = observed_one_by_one("tls", tmp_path)
    off, on = found["off"].figures, found["on"].figures
    for case in BRIEFLY:  # how long it took says, in a brief run, how busy the machine was
        assert min(each[f"{case}_first_ms"] for each in (off, on)) > 20
    assert on["new_bytes"] > off["new_bytes"] + 100  # a handshake; records are less than what a brief window cuts off
    assert on["new_cpu_ms"] > off["new_cpu_ms"]
    assert off["missed"] == on["missed"] == 0
    check_drawing(tls, found)


def test_the_verdict_quotes_what_was_measured_and_says_when_it_is_not_proven() -> None:
    check_verdict(tls)
