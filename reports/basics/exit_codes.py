"""PURE. How a judgement ends: distinct exit codes for a CI job, and the Markdown that a pull request shows."""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Protocol

from reports.basics.statistics import Interval
from reports.basics.units import number


class ExitCode(IntEnum):
    """How holding a run against goals, or comparing two runs, ends. INVALID comes before the others: numbers that
    cannot be trusted neither meet a goal nor prove a regression. DISAGREES is a replication that did not come out as
    published. USAGE is a file or option that cannot be read."""

    OK = 0
    USAGE = 2
    SLO_MISSED = 5
    REGRESSION = 6
    INVALID = 7
    DISAGREES = 8


class Judgement(Protocol):
    """What `Gate` and `Comparison` have in common: all that a command needs to show one and to end with its code.

    notes: what to know before believing it, one line each. table: rows of text under `header`.
    """

    @property
    def headline(self) -> str: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    @property
    def header(self) -> tuple[str, ...]: ...
    @property
    def exit_code(self) -> ExitCode: ...
    def table(self) -> list[tuple[str, ...]]: ...
    def markdown(self) -> str: ...
    def junit(self) -> bytes: ...


def amount(value: float) -> str:
    """Return three significant digits, and a whole number (a count) as one."""
    return f"{value:,.0f}" if value == round(value) else number(value)


def interval_text(interval: Interval) -> str:
    low, median, high = amount(interval.low), amount(interval.median), amount(interval.high)
    return median if low == high else f"{median} ({low} to {high})"


def markdown_notes(notes: Iterable[str]) -> str:
    """Return a list and the empty line behind it, or nothing."""
    lines = [f"- {markdown_text(note)}\n" for note in notes]
    return "".join([*lines, "\n"]) if lines else ""


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a GitHub table, numbers unaligned; cells may hold any text: what would break the table is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(markdown_text(cell) for cell in line) + " |\n" for line in lines)


def markdown_text(text: str) -> str:
    """Return the text on one line, so that it shows as it is wherever in a document it stands."""
    for special in "\\|<*_`~":
        text = text.replace(special, "\\" + special)
    return " ".join(text.split())
