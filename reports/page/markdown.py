"""PURE. A run as Markdown, for an issue or a pull request: the answer, the figures, what they are worth."""

from collections.abc import Iterable

import pandas as pd

from reports.basics.exit_codes import markdown_notes, markdown_table, markdown_text
from reports.page.table import TableCell, table
from reports.validity.caution import Ruling


def run_markdown(name: str, ruling: Ruling, summary: pd.DataFrame, goals: str = "") -> str:
    """Return it. goals: the Markdown of goals that the run was held against. Of a worthless run there is no figure."""
    told = [f"## {markdown_text(name)}\n", goals, *(f"{markdown_text(answer)}\n" for answer in ruling.answers)]
    if not ruling.worthless:
        told += [_figures(rows) for _, rows in summary.groupby("scenario", sort=False)]
    told.append(f"**{ruling.verdict}** {markdown_text(ruling.meaning)}\n")
    told.append(markdown_notes(f"{each.what}: {each.cause} {each.remedy}" for each in ruling.cautions))
    return "\n".join(filter(None, told)).rstrip() + "\n"


def _figures(rows: pd.DataFrame) -> str:
    """Every heading says its group: a Markdown table has one row of headings."""
    laid = table(rows)
    where = any(line.where for line in laid.lines)
    units = {column: f", {column.unit}" if column.unit else "" for column in laid.columns}
    header = ["Pattern", *["At"] * where, *(f"{each.group}: {each.title}{units[each]}" for each in laid.columns)]
    lines = ([line.label, *[line.where] * where, *_words(line.cells)] for line in laid.lines)
    return markdown_table(header, lines)


def _words(cells: Iterable[TableCell]) -> list[str]:
    return [
        " ".join(filter(None, (cell.value, cell.clock, f"({cell.interval})" if cell.interval else "")))
        for cell in cells
    ]
