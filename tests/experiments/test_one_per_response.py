"""One message per response: the queue grows while the rate is above one message a gap; with all that wait it cannot."""

from pathlib import Path

import pytest

from loadtests.experiments.practices.one_per_response import FASTEST_PER_S, SLOWEST_PER_S, STEP_S, STEPS
from reports.experiments.practices import one_per_response
from servers.feed.schedule import Stairs
from tests.experiments.arms import observed_one_by_one
from tests.experiments.checks import check_drawing, check_verdict


@pytest.mark.slow
def test_one_message_an_answer_falls_behind_above_one_a_gap_and_loses_nothing(tmp_path: Path) -> None:
    found = observed_one_by_one("one-per-response", tmp_path)
    one, all_ = found["one"].figures, found["all"].figures
    assert one["growth_ms_per_s"] > 5 * abs(all_["growth_ms_per_s"])
    assert one["above_ms"] > 2 * all_["above_ms"]
    assert one["missed"] == all_["missed"] == 0
    check_drawing(one_per_response, found)


def test_the_verdict_quotes_what_was_measured_and_says_when_it_is_not_proven() -> None:
    check_verdict(one_per_response)


def test_the_text_names_the_rates_that_are_measured() -> None:
    rates = [count / STEP_S for count in Stairs(SLOWEST_PER_S, FASTEST_PER_S, STEPS, STEP_S).counts()]
    labels = {effect.figure: effect.label for effect in one_per_response.EFFECTS}
    for step, figure in ((0, "below_ms"), (2, "near_ms"), (3, "above_ms")):
        assert f" {rates[step]:.0f}" in labels[figure]
