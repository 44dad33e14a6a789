"""One message per response: the queue grows while the rate is above one message a gap; with all that wait it cannot."""

from pathlib import Path

import pytest

from reports.experiments.practices import one_per_response
from tests.experiments.checks import check_drawing, check_verdict


@pytest.mark.slow
def test_one_message_an_answer_falls_behind_above_one_a_gap_and_loses_nothing(tmp_path: Path) -> None:
    found = {arm: one_per_response.measure(arm, tmp_path / arm, quick=True) for arm in one_per_response.ARMS}
    one, all_ = found["one"].figures, found["all"].figures
    assert one["growth_ms_per_s"] > 5 * abs(all_["growth_ms_per_s"])
    assert one["above_ms"] > 2 * all_["above_ms"]
    assert one["missed"] == all_["missed"] == 0
    check_drawing(one_per_response, found)


def test_the_verdict_quotes_what_was_measured_and_says_when_it_is_not_proven() -> None:
    check_verdict(one_per_response)
