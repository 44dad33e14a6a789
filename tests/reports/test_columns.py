"""A report reads the columns that it needs: with the same figures, and in little more memory than those take."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.charts.chart_data import scenes
from reports.data import load as loading
from reports.data.columns import Columns
from reports.data.load import load
from reports.measures.measures import conservation, per_cell, summary
from tests.reports.conftest import SMALL, THREE
from tests.synthetic import write_run

FRAME = pd.DataFrame({"user": [1, 2, 2], "mode": pd.Categorical(["inline", "pushed", "inline"]), "at_ns": [5, 6, 7]})
BYTES_A_ROW = 130
"""Measured: 84, where a row of deliveries and one of requests have some 120 together, and all at once took 700."""


def columns() -> tuple[Columns, list[str]]:
    asked: list[str] = []

    def column(name: str) -> "pd.Series[int]":
        asked.append(name)
        return FRAME[name]

    return Columns([str(name) for name in FRAME], len(FRAME), column), asked


def test_columns_answer_as_a_frame_does() -> None:
    found, _ = columns()
    mask = FRAME["user"] == 2
    pd.testing.assert_series_equal(found["mode"], FRAME["mode"])
    pd.testing.assert_frame_equal(found[["at_ns", "user"]], FRAME[["at_ns", "user"]])
    pd.testing.assert_frame_equal(found[mask].frame(), FRAME[mask].reset_index(drop=True))
    pd.testing.assert_frame_equal(found[mask][np.array([False, True])].frame(), FRAME.iloc[[2]].reset_index(drop=True))
    made = found[mask].assign(late=lambda rows: rows["at_ns"] - 5, user=lambda rows: rows["user"] * 10)
    expected = FRAME[mask].assign(late=[1, 2], user=[20, 20]).reset_index(drop=True)
    pd.testing.assert_frame_equal(made.frame(), expected[list(made.names)])
    assert (len(found), len(made), "mode" in found, "late" in found, "late" in made) == (3, 2, True, False, True)
    with pytest.raises(KeyError, match="late"):
        found["late"]


def test_only_what_is_asked_for_is_read() -> None:
    found, asked = columns()
    chosen = found[np.array([True, False, True])].assign(late=lambda rows: rows["at_ns"] - 5)
    assert (len(chosen), asked) == (2, [])
    assert chosen["late"].tolist() == [0, 2]
    assert asked == ["at_ns"]


def test_figures_are_the_same_where_memory_keeps_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = load(folder)
    expected = per_cell(kept), summary(kept), conservation(kept)
    monkeypatch.setattr(loading, "KEPT_BYTES", 0)
    again = load(folder)
    for found, frame in zip((per_cell(again), summary(again), conservation(again)), expected, strict=True):
        pd.testing.assert_frame_equal(found, frame, check_exact=True)


def test_memory_holds_some_columns_of_one_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = replace(SMALL, clients=(100,), schedule="poisson:40", window_s=15.0)
    monkeypatch.setattr(loading, "KEPT_BYTES", 0)
    run = load(write_run(tmp_path, [busy], repeats=1, labels=THREE))
    found = summary(run)  # and once what is imported late
    rows = int(run.finished["deliveries_rows"].max())
    assert rows > 50_000
    for work in (lambda: per_cell(run), lambda: [scene.drawn for scene in scenes(run, found, "VALID")]):
        tracemalloc.start()
        work()
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak_bytes < BYTES_A_ROW * rows
