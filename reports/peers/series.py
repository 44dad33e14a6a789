"""The run folders of a series -> the rows of its table, and its page as HTML and Markdown."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from loadtests.records.peers import Entrant, Record
from loadtests.runs.run_folder import RunFolder
from reports.basics.output import write
from reports.data.load import ReportError
from reports.peers.table import FAILED, Page, Row, row_of
from reports.validity.evidence import evidence

PAGE: Final = "index.html"
MARKDOWN: Final = "peers.md"


def page_of(root: Path, record: Record, labels: Mapping[str, str]) -> Page:
    """Return the page of what there is in a series. labels: of the patterns."""
    folders = {(each.name, by): root / f"{each.name}-{by}" for each in record.servers for by in each.patterns}
    there = {key: folder for key, folder in folders.items() if folder.is_dir()}
    servers = {each.name: each for each in record.servers}
    rows = [_row(folder, servers[name], labels[by]) for (name, by), folder in there.items()]
    return Page(record, rows, RunFolder.open(next(iter(there.values()))).run)


def _row(folder: Path, server: Entrant, label: str) -> Row:
    try:
        return row_of(server.title, server.version, evidence(folder))
    except ReportError as problem:
        return Row(server.title, server.version, label, FAILED, {}, why=[str(problem)])


def write_page(root: Path, page: Page, also: Path | None) -> None:
    """Write the page into the series, and as Markdown where it is wanted too. Raises ValueError naming the file."""
    files = {root / PAGE: page.html(), root / MARKDOWN: page.markdown()} | ({also: page.markdown()} if also else {})
    for file, text in files.items():
        try:
            write(file, text)
        except OSError as problem:
            raise ValueError(f"{file} cannot be written: {problem.strerror}; name a file that can") from None
