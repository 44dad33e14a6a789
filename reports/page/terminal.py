"""Results as tables for the terminal: the same numbers as the page, in the same order."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pandas as pd
from rich.table import Table

from loadtests.records.manifest import Calibration, Cell
from reports.basics.records import records
from reports.basics.units import counted
from reports.data.clock_error import clock_told
from reports.data.load import load
from reports.measures.measures import per_cell, summary
from reports.selftest.controls import Reading
from reports.validity.caution import Ruling

COLUMNS: Final = {
    "p50\nms": ("p50_ms", 1.0, 1),
    "p99\nms": ("p99_ms", 1.0, 1),
    "req.\n/msg": ("requests_per_delivery", 1.0, 2),
    "empty\n%": ("empty_ratio", 100.0, 0),
    "bytes\n/msg": ("http_bytes_per_delivery", 1.0, 0),
    "CPU ms\n/1,000": ("cpu_ms_per_1000", 1.0, 0),
    "kB per\nclient": ("memory_per_client_bytes", 1e-3, 1),
    "mis-\nsed": ("missed", 1.0, 0),
    "er-\nrors": ("errors", 1.0, 0),
}
"""Heading -> measure of reports.measures, factor, digits."""


def summary_table(summary: pd.DataFrame) -> Table:
    """Lay out what `measures.summary` gives: one row per situation, medians over the repeats, "" for unknown."""
    sweeps = {
        heading: name
        for heading, name in {"clients": "clients", "rtt\nms": "rtt_ms", "msgs\n/s": "rate_per_s"}.items()
        if summary[name].nunique() > 1
    }
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("pattern", *sweeps, *COLUMNS):
        table.add_column(heading, justify="left" if heading == "pattern" else "right", no_wrap=True)
    for row in records(summary):
        values = (
            " ".join(filter(None, (number(row.get(name), factor, digits), clock_told(row, name, unit=""))))
            for name, factor, digits in COLUMNS.values()
        )
        table.add_row(str(row["label"]), *(f"{row[name]:g}" for name in sweeps.values()), *values)
    return table


class LiveTable:
    """The table of the cells that have ended so far, shown during a run."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._seen: list[pd.DataFrame] = []

    def __call__(self, cell: Cell) -> Table:
        """Measure this cell, add it to those before it, and return the table. Raises ReportError."""
        run = load(self._run_dir, {cell.name})
        self._seen.append(per_cell(run))
        return summary_table(summary(run, pd.concat(self._seen, ignore_index=True)))


def controls_table(found: Mapping[str, Sequence[Reading]]) -> Table:
    """Lay out injected and reported figures: the truth, the figure, and the figure's interval."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("control", "what", "injected", "measured", "interval", "unit", "as injected"):
        table.add_column(heading, justify="right" if heading in {"injected", "measured", "interval"} else "left")
    for name, readings in found.items():
        for reading in readings:
            injected, measured, low, high = (
                f"{value:,.2f}".removesuffix(".00" if not reading.unit else "")
                for value in (reading.injected, reading.measured, reading.low, reading.high)
            )
            told = ("yes" if reading.true else "NO") + "".join(
                f"; {more}" for more in (reading.wrong, reading.beside) if more
            )
            interval = "exact" if low == high else f"{low} to {high}"
            table.add_row(name, reading.what, injected, measured, interval, reading.unit, told)
    return table


def calibration_table(calibration: Calibration, labels: Mapping[str, str]) -> Table:
    """Lay out the instrument's errors: milliseconds reported less milliseconds true."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    columns = ("pattern", "at rest\nms", "median\nms", "p99\nms", "2 delays\nms", "freeze\nms", "CPU us\n/delivery")
    for heading in (*columns, "accurate to\ndeliveries/s", "stopped\nby"):
        table.add_column(heading, justify="left" if heading in {"pattern", "stopped\nby"} else "right", no_wrap=True)
    for name, known in calibration.patterns.items():
        errors_ms = (known.at_rest_ms, known.bias_ms, known.tail_ms, known.bimodal_ms, known.frozen_ms)
        honest = (">= " if known.at_least else "") + number(known.honest_per_s, 1.0, 0)
        figures = (*(number(error_ms, 1.0, 2) for error_ms in errors_ms), number(known.cpu_us, 1.0, 1), honest)
        table.add_row(labels.get(name, name), *figures, known.stopped_by)
    return table


def calibration_answer(calibration: Calibration) -> str:
    """Say in a sentence what the instrument adds at most, up to which load, and where that holds."""
    known = calibration.patterns.values()
    machine = calibration.machine
    return (
        f"With {counted(calibration.clients, 'client')} on {machine.cpu or 'this machine'} "
        f"({counted(machine.cores, 'core')}), medians read at most "
        f"{max(each.bias_ms for each in known):.2f} ms too much, "
        f"and p99 at most {max(each.tail_ms for each in known):.2f} ms, up to half of the "
        f"{min(each.honest_per_s for each in known):,.0f} deliveries a second that every pattern reports truly."
    )


def number(value: float | None, factor: float, digits: int) -> str:
    return "" if value is None or pd.isna(value) else f"{value * factor:,.{digits}f}"


def ruling_lines(ruling: Ruling) -> list[str]:
    """Return a run's answers, then its verdict and every reason for it, worst first, as lines."""
    reasons = [f"  {caution.what}: {caution.cause} {caution.remedy}" for caution in ruling.doubts()]
    return [*ruling.answers, *[""] * bool(ruling.answers), f"{ruling.verdict}: {ruling.meaning}", *reasons]
