"""PURE. Every observation of two arms as dots on one line each, for a row of a table: nothing hides in a median."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Final

from markupsafe import Markup, escape

from reports.basics.units import quantity

WIDTH_PX: Final = 150
ROW_PX: Final = 11
EDGE_PX: Final = 4


def strip(values: Mapping[str, Sequence[float]], unit: str) -> Markup:
    """Return an `<svg>` with a row of dots per arm, on one scale that begins at 0; "" when there is nothing to show."""
    known = [value for row in values.values() for value in row if isfinite(value)]
    if not known:
        return Markup("")
    low, high = min(0.0, *known), max(0.0, *known)
    reach = (high - low) or 1.0
    dots = [
        f'<circle class="{escape(arm)} nth-{at}" cx="{EDGE_PX + (value - low) / reach * (WIDTH_PX - 2 * EDGE_PX):.1f}" '
        f'cy="{(at + 0.5) * ROW_PX:.1f}" r="2.6"/>'
        for at, (arm, row) in enumerate(values.items())
        for value in row
        if isfinite(value)
    ]
    told = "; ".join(f"{arm}: {', '.join(quantity(value, unit) for value in row)}" for arm, row in values.items())
    height = len(values) * ROW_PX
    zero = EDGE_PX - low / reach * (WIDTH_PX - 2 * EDGE_PX)
    return Markup(  # noqa: S704 - numbers, and text that is escaped
        f'<svg class="strip" width="{WIDTH_PX}" height="{height}" role="img" aria-label="{escape(told)}">'
        f'<title>{escape(told)}</title><line x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{height}"/>'
        f"{''.join(dots)}</svg>"
    )
