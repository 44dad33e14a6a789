"""PURE. How wrong two clocks can make a latency, and a difference of two latencies.

A latency subtracts an instant of the publisher's clock from one of the load's. Where these are two clocks, what was
added to make them one is known to within an error (docs/clocks.md). Each latency is wrong by at most that, so each
quantile is too: quantiles keep the order of values. Where one clock was read in several cells, its error is nearly the
same in each, so a difference between them is only wrong by what the offset may have changed.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Final

import pandas as pd

from loadtests.records.manifest import Cell, LoadClock
from loadtests.scenario.settings import SUMMARY
from reports.basics.units import number, quantity
from servers.timing import NS_PER_MS

CROSSING: Final = frozenset(
    {
        *("p50_ms", "p90_ms", "p99_ms", "max_ms", "mean_ms", "transit_p50_ms", "transit_p99_ms"),
        *("network_p50_ms", "network_p99_ms", "network_mean_ms", "network_tail_ms"),
        *("first_client_ms", "middle_client_ms", "last_client_ms"),
    }
)
"""The measures that subtract instants of two clocks. Others subtract two of one clock: a wait, a hold, a turnaround."""
ERROR: Final = "clock_error_ms"
CHANGE: Final = "clock_change_ms"


def clock_errors(cells: Sequence[Cell]) -> list[dict[str, float | str]]:
    """Return for each cell its ERROR, its CHANGE, and `clock_problems`, one after the other; and `clock_exchanges`, how
    many the load process made that made fewest.

    Of each difference between two of these cells at most the sum of their CHANGE is the clocks'.
    """
    changes = _changes_ns(cells)
    return [
        {
            ERROR: _error_ns(cell) / NS_PER_MS,
            CHANGE: min(change_ns, _error_ns(cell)) / NS_PER_MS,
            "clock_exchanges": min((each.exchanges for each in cell.clocks), default=0),
            "clock_problems": "; ".join(
                dict.fromkeys(f"load process {each.process}: {each.problem}" for each in cell.clocks if each.problem)
            ),
        }
        for cell, change_ns in zip(cells, changes, strict=True)
    ]


def shared_ms(row: Mapping[Any, Any], name: str) -> float:
    """Return the part of a measure's clock error that all cells of its run have in common."""
    return float(row.get(ERROR, 0.0) - row.get(CHANGE, 0.0)) if name in CROSSING else 0.0


def clock_told(row: Mapping[Any, Any], name: str, unit: str = "ms") -> str:
    """Return what stands behind a figure that two clocks may make wrong, such as "\N{PLUS-MINUS SIGN} 0.2 ms (clock)".

    "" for any other. unit: "" where it is said elsewhere.
    """
    error_ms = float(row.get(ERROR, 0.0))
    if name not in CROSSING or not error_ms > 0:
        return ""
    return f"\N{PLUS-MINUS SIGN} {quantity(error_ms, unit) if unit else number(error_ms, 2)} (clock)"


def worst_error_ms(cells: pd.DataFrame | None, name: str) -> float:
    """Return by how much two clocks may make a measure wrong in the worst of some cells of `per_cell`."""
    return float(cells[ERROR].max()) if cells is not None and name in CROSSING and ERROR in cells else 0.0


def change_ms(row: Mapping[Any, Any], name: str) -> float:
    return float(row.get(CHANGE, 0.0)) if name in CROSSING else 0.0


def _error_ns(cell: Cell) -> int:
    return max((each.error_ns for each in cell.clocks), default=0)


def _changes_ns(cells: Sequence[Cell]) -> list[float]:
    """Return how far each cell's error may be from one that all of them share.

    Errors of which no two are further apart than D lie within D / 2 of one in the middle. That holds for cells whose
    load reads one clock; of several clocks a quantile may rest on one here and on another there, and all is unshared.
    So it is of rows that were not kept: what was added to them changed as they came, and only its error is known.
    """
    clocks = [{(each.clock, each.publisher) for each in cell.clocks} for cell in cells]
    alike = {next(iter(found)) for found in clocks if len(found) == 1}
    summed = any(cell.settings.get("keep") == SUMMARY for cell in cells)
    if summed or len(alike) != 1 or any(len(found) > 1 for found in clocks):
        return [float(_error_ns(cell)) for cell in cells]
    known = [cell.clocks[0] for cell in cells if cell.clocks]
    furthest_ns = max((_apart_ns(one, two) for one, two in combinations(known, 2)), default=0.0)
    return [furthest_ns / 2] * len(cells)


def _apart_ns(one: LoadClock, two: LoadClock) -> float:
    """Return how different the errors of two cells can be: each as it is, or what the offset moved unnoticed.

    That is what it can have moved from any instant of one to any of the other, and what was added to their rows moved:
    from the end of one cell to that of the other, and within each.
    """
    first_ns, last_ns = min(one.from_ns, two.from_ns), max(one.at_ns, two.at_ns)
    within_ns = one.at_ns - one.from_ns + two.at_ns - two.from_ns
    drifted_ns = max(one.rho_ppm, two.rho_ppm) * 1e-6 * (last_ns - first_ns + within_ns)
    noticed_ns = abs(one.midpoint_ns - two.midpoint_ns)
    return min(float(one.error_ns + two.error_ns), drifted_ns + noticed_ns)
