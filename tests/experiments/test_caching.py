"""ETag and 304: fewer bytes for every unchanged answer, the more it carries."""

from pathlib import Path

import pandas as pd

from reports.experiments.practices import caching
from tests.experiments.arms import observed
from tests.experiments.checks import check_drawing, check_verdict


def test_an_unchanged_answer_is_smaller_with_an_etag_and_no_larger_the_more_it_stands_for(tmp_path: Path) -> None:
    found = observed("caching", tmp_path)
    off, on = found["off"].figures, found["on"].figures
    assert on["bytes_whole"] < off["bytes_whole"] / 10
    assert on["bytes_cursor"] < off["bytes_cursor"]
    assert on["request_bytes"] > off["request_bytes"]
    assert min(off["cpu_ms_whole"], on["cpu_ms_whole"]) > 0
    sizes = {arm: pd.DataFrame(each.points).set_index("messages")["bytes"] for arm, each in found.items()}
    assert sizes["off"].is_monotonic_increasing
    assert sizes["on"].max() - sizes["on"].min() < 5
    check_drawing(caching, found)


def test_the_verdict_quotes_what_was_measured_and_says_when_it_is_not_proven() -> None:
    check_verdict(caching)
