"""PURE. How much a run records: told beforehand, because a disk that fills up ends it."""

from collections.abc import Sequence
from typing import Final

from loadtests.records.rows import DELIVERY, REQUEST
from loadtests.scenario.plan import PlannedCell
from loadtests.scenario.settings import ROWS

KEPT_SHARE: Final = 0.35
"""Of the bytes of rows, what is left of them as Parquet (measured: 17 bytes of a delivery's 52)."""
LARGE_BYTES: Final = 1_000_000_000


def recorded_per_s(cell: PlannedCell) -> float:
    """Return how many bytes of rows a cell writes in a second, if each message is answered by a request of its own."""
    asked_per_s = cell.rate_per_s
    if cell.scenario.poll_interval_s:
        asked_per_s = max(asked_per_s, 1 / cell.scenario.poll_interval_s)
    return cell.clients * (cell.rate_per_s * DELIVERY.size + asked_per_s * REQUEST.size)


def needed_bytes(cells: Sequence[PlannedCell]) -> tuple[float, float]:
    """Return the highest rate (bytes/s) at which these cells write, and how much room they need together (bytes).

    Rows stay on disk until their cell has ended, Parquet for good. Never less than it will be. Cells of which only a
    summary is kept do not count.
    """
    cells = [cell for cell in cells if cell.scenario.keep == ROWS]
    if not cells:
        return 0.0, 0.0
    rows = [recorded_per_s(cell) * cell.scenario.load_s(cell.clients, cell.rtt_ms) for cell in cells]
    return max(map(recorded_per_s, cells)), max(rows) + KEPT_SHARE * sum(rows)
