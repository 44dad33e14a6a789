"""Coalescing: messages that are due together cost fewer segments in one write, and none is lost either way."""

from pathlib import Path

import pytest

from reports.experiments.practices import coalesce
from tests.experiments.arms import observed_one_by_one
from tests.experiments.checks import check_drawing, check_verdict


@pytest.mark.slow
def test_messages_that_come_together_share_segments_and_those_that_come_alone_have_their_own(tmp_path: Path) -> None:
    found = observed_one_by_one("coalesce", tmp_path)
    each, turn = found["each"].figures, found["turn"].figures
    assert turn["burst_segments"] < each["burst_segments"] / 2
    assert turn["slow_segments"] > each["burst_segments"] / 2
    assert each["missed"] == turn["missed"] == 0
    check_drawing(coalesce, found)


def test_the_verdict_quotes_what_was_measured_and_says_when_it_is_not_proven() -> None:
    check_verdict(coalesce)
