"""The page of a comparison: everything on it, nothing from elsewhere."""

import math
import re
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from reports.ci.comparison import Comparison
from reports.ci.comparison_page import comparison_page
from reports.ci.questions import compare_cells

MakeCells = Callable[..., pd.DataFrame]
LOW = [10.0, 10.1, 10.2, 10.3, 10.4, 10.5]


@pytest.fixture
def comparison(make_cells: MakeCells) -> Comparison:
    base = make_cells({"sse": {"p99_ms": LOW, "missed": [0] * 6}, "chunked": {"p99_ms": LOW, "missed": [0] * 6}})
    new = make_cells({"sse": {"p99_ms": [3 * value for value in LOW], "missed": [2] * 6}})
    rows, cautions = compare_cells(base, new, ["p99_ms", "missed"])
    return Comparison("<base>", "new", tuple(rows), tuple(cautions))


def test_the_page_needs_nothing_from_the_network(comparison: Comparison) -> None:
    page = comparison_page(comparison)
    assert page.startswith("<!doctype html>")
    assert not re.search(r"<script|<link|<img|@import|url\(|https?:", page)


def test_every_row_and_caution_is_on_the_page_and_text_is_escaped(comparison: Comparison) -> None:
    page = comparison_page(comparison)
    assert "<base>" not in page
    assert "new against &lt;base&gt;: 2 worse" in page
    assert "Only in base: chunked (feed, 50 clients, 5 messages a second)." in page
    for row in comparison.rows:
        assert f"<td>{row.situation.pattern}</td><td>{row.situation.scene}</td><td>{row.measure}</td>" in page
        assert all(part in page for cell in row.cells()[4:] for part in re.split(r" \(|\)", cell))
    assert re.findall(r"<summary>(.+?) \((\d)\)", page) == [("Proven", "2"), ("Only in one run", "2")]


def test_an_invalid_comparison_says_so_and_has_neither_number_nor_answer(comparison: Comparison) -> None:
    assert "INVALID" not in comparison_page(comparison).partition("</style>")[2]
    page = comparison_page(replace(comparison, invalid=("New: the generator was saturated",)))
    assert page.index("Do not decide anything") < page.index("the generator was saturated")
    assert not re.search(r"<table|worse|better|200|\+", page.partition("</style>")[2].partition("<footer>")[0])


def test_marks_stay_in_their_box_also_where_a_shift_has_no_percent(comparison: Comparison) -> None:
    assert any(row.shift and math.isinf(row.percent(row.shift.amount)) for row in comparison.rows)
    marks = [float(x) for x in re.findall(r'(?:cx|x1|x2)="([\d.]+)"', comparison_page(comparison))]
    assert len(marks) == 2 * 5
    assert all(0 <= mark <= 160 for mark in marks)
