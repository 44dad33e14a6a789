"""A summary gives the figures that rows give, within three digits, and says what it cannot give."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.data.load import NOT_KEPT, ReportError, load
from reports.measures.measures import conservation, per_cell
from reports.measures.summarised import UNKNOWN
from reports.page.page import write_report
from reports.validity.evidence import evidence

WITHIN = 1e-3
NOT_TOLD = {*UNKNOWN, *(f"{name}_floor" for name in ("p50_ms", "p90_ms", "p99_ms", "max_ms"))}
EXACT = {"messages", "received", "negative", "polls_due", "polls_unsent", "errors", "users", "ordered_users"}


@pytest.fixture(scope="module")
def both(with_rows: Path, summarised: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return per_cell(load(with_rows)), per_cell(load(summarised))


def test_every_figure_is_that_of_the_rows_within_three_digits(both: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    rows, kept = both
    assert {*rows} == {*kept}
    figures = [name for name in rows if pd.api.types.is_numeric_dtype(rows[name]) and name not in NOT_TOLD]
    assert len(figures) > 60
    for name in figures:
        assert np.allclose(kept[name], rows[name], rtol=WITHIN, atol=0, equal_nan=True), name
        assert name not in EXACT or (kept[name] == rows[name]).all()


def test_what_a_summary_cannot_tell_is_unknown_and_not_zero(both: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    rows, kept = both
    assert kept[[*NOT_TOLD]].isna().all(axis=None)
    assert rows["p99_ms_floor"].notna().all()


def test_each_client_lost_what_it_lost(with_rows: Path, summarised: Path) -> None:
    pd.testing.assert_frame_equal(conservation(load(summarised)), conservation(load(with_rows)), check_dtype=False)


def test_the_report_says_what_it_cannot_show_and_leaves_out_what_needs_rows(summarised: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(summarised, tmp_path / "run"))
    page = write_report(copied).read_text(encoding="utf-8")
    assert "Only a summary of the deliveries was kept" in page
    drawn = {file.stem.removeprefix("small-") for file in (copied / "charts").glob("*.svg")}
    assert {"latency", "percentiles", "theory", "requests", "bytes"} <= drawn
    assert not drawn & {"timeline", "over-time", "fan-out"}


def test_a_question_that_needs_every_row_is_refused_with_the_remedy(summarised: Path) -> None:
    run = load(summarised)
    for table in NOT_KEPT:
        with pytest.raises(ReportError, match="--keep rows"):
            run.rows.of(table, str(run.finished["cell"].iloc[0]))


def test_theory_agrees_with_a_summary_as_with_rows(with_rows: Path, summarised: Path) -> None:
    of_rows, of_summary = (
        {(each.pattern, each.name): each for each in evidence(folder).theory} for folder in (with_rows, summarised)
    )
    assert {name for _, name in of_summary} >= {"p50_ms", "p99_ms", "mean_ms"}
    for key, found in of_summary.items():
        assert np.isclose(found.theory, of_rows[key].theory, rtol=WITHIN)
        assert found.agrees == of_rows[key].agrees
