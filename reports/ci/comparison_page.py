"""A comparison as one HTML file, in the report's style: no script, no font, nothing from the network."""

import math
from dataclasses import dataclass
from typing import Final

from reports.basics.templating import template
from reports.ci.comparison import NOTE, Comparison, Difference

HALF_WIDTH_PX: Final = 80
WIDEST_PERCENT: Final = 100.0
"""Beyond a doubling the marks touch the edge; the numbers stand beside them."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a shift and its interval stand, in px from the left of a box whose middle is no change."""

    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PageRow:
    """One row of the page. figures: base, new, shift, delta and p, each with what stands small beneath it."""

    row: Difference
    figures: list[tuple[str, str]]
    mark: Mark | None


def comparison_page(comparison: Comparison) -> str:
    """Return the page. Rows come worst first; what is not proven is folded away."""
    edge = _edge(comparison)
    rows = () if comparison.invalid else comparison.rows
    lines = [PageRow(row, _figures(row), _mark(row, edge)) for row in rows]
    return template("comparison.html.j2").render(
        comparison=comparison,
        scale=f"-{edge:.0f} % to +{edge:.0f} %",
        width=2 * HALF_WIDTH_PX,
        note=NOTE,
        tables={
            "Proven": [line for line in lines if line.row.shift and line.row.verdict != "~"],
            "Not proven": [line for line in lines if line.row.verdict == "~"],
            "Only in one run": [line for line in lines if line.row.shift is None],
        },
    )


def _figures(row: Difference) -> list[tuple[str, str]]:
    *_, base, new, shift, interval, delta, p = row.cells()
    before, after = (cell.rstrip(")").partition(" (") for cell in (base, new))
    return [(before[0], before[2]), (after[0], after[2]), (shift, interval), (delta, ""), (p, "")]


def _edge(comparison: Comparison) -> float:
    """Return the percent at the edge of the boxes: the largest bound of any interval, rounded up to a tidy number."""
    shifts = [(row, row.shift) for row in comparison.rows if row.shift]
    bounds = [abs(row.percent(bound)) for row, shift in shifts for bound in (shift.low, shift.high)]
    largest = max(filter(math.isfinite, bounds), default=WIDEST_PERCENT)
    return next((tidy for tidy in (5.0, 10.0, 20.0, 50.0) if largest <= tidy), WIDEST_PERCENT)


def _mark(row: Difference, edge: float) -> Mark | None:
    if row.shift is None:
        return None
    shares = [min(1.0, max(-1.0, row.percent(x) / edge)) for x in (row.shift.amount, row.shift.low, row.shift.high)]
    at, low, high = (round(HALF_WIDTH_PX * (1 + 0.95 * share), 1) for share in shares)
    return Mark(at, low, high)
