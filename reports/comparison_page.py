"""A comparison as one small HTML file: no script, no font, nothing from the network."""

import math
from dataclasses import dataclass
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from reports.comparison import HEADER, NOTE, Comparison, Row

HALF_WIDTH_PX: Final = 80
MARK_BEFORE: Final = HEADER.index("base")
WIDEST_PERCENT: Final = 100.0
"""Beyond a doubling the marks touch the edge; the numbers stand beside them."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a shift and its interval stand, in px from the left of a box whose middle is no change."""

    at: float
    low: float
    high: float


def comparison_page(comparison: Comparison) -> str:
    """Return the page. Rows come worst first; what is not proven is folded away."""
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    edge = _edge(comparison)
    lines = [(row, row.cells(), _mark(row, edge)) for row in comparison.rows]
    return environment.get_template("comparison.html.j2").render(
        comparison=comparison,
        header=[*HEADER[:MARK_BEFORE], f"-{edge:.0f} % to +{edge:.0f} %", *HEADER[MARK_BEFORE:]],
        mark_before=MARK_BEFORE,
        width=2 * HALF_WIDTH_PX,
        note=NOTE,
        tables={
            "Proven": [line for line in lines if line[0].shift and line[0].verdict != "~"],
            "Not proven": [line for line in lines if line[0].verdict == "~"],
            "Only in one run": [line for line in lines if line[0].shift is None],
        },
    )


def _edge(comparison: Comparison) -> float:
    """Return the percent at the edge of the boxes: the largest bound of any interval, rounded up to a tidy number."""
    bounds = [
        abs(row.percent(bound)) for row in comparison.rows if row.shift for bound in (row.shift.low, row.shift.high)
    ]
    largest = max((bound for bound in bounds if math.isfinite(bound)), default=WIDEST_PERCENT)
    return next((tidy for tidy in (5.0, 10.0, 20.0, 50.0) if largest <= tidy), WIDEST_PERCENT)


def _mark(row: Row, edge: float) -> Mark | None:
    if row.shift is None:
        return None
    share = [min(1.0, max(-1.0, row.percent(x) / edge)) for x in (row.shift.amount, row.shift.low, row.shift.high)]
    at, low, high = (round(HALF_WIDTH_PX * (1 + 0.95 * x), 1) for x in share)
    return Mark(at, low, high)
