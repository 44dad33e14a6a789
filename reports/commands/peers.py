"""`peers`: every server of others that is installed, and ours beside them, in one table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from loadtests.runs import runner
from loadtests.runs.progress import Bar, duration
from loadtests.runs.run_folder import RunFolder
from loadtests.runs.series import folder_of
from loadtests.scenario.overrides import overridden, with_overrides
from loadtests.scenario.plan import Plan, PlannedCell, choose
from loadtests.scenario.scenarios import SCENARIOS
from reports.commands.cells import ended
from reports.commands.common import Json, Out, err, fail, out, pattern_labels, pattern_names
from reports.commands.exits import DONE, EPILOG, INVALID
from reports.commands.target import followed
from servers.timing.clock import wall_timestamp

if TYPE_CHECKING:
    from reports.peers.entrants import Entrant, Record
    from reports.peers.table import Row

PEERS_EPILOG: Final = EPILOG
INSTALLED: Final = Path("build/peers")
LOAD: Final = replace(SCENARIOS["busy"], clients=(100,), schedule="steady:50", window_s=5.0)
"""5,000 deliveries a second: enough to tell servers apart, and within the reach of each of them."""
PAGE: Final = "index.html"


@with_overrides
def peers(
    overrides: Mapping[str, object],
    name: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="which (default: all there are)")
    ] = None,
    pattern: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[,NAME]", help="by which (default: all)", autocompletion=pattern_names),
    ] = None,
    repeats: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="how often each")] = 3,
    installed: Annotated[
        Path, typer.Option(metavar="DIR", help="where scripts/install-peers has put what it installs")
    ] = INSTALLED,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="measure what this series lacks")] = None,
    folder: Out = None,
    write: Annotated[Path | None, typer.Option(metavar="FILE", help="write the page here too, as Markdown")] = None,
    as_json: Json = False,
) -> int:
    """Measure servers of others beside ours: nginx with nchan, FastAPI, Socket.IO and the like, those that are here.

    Nothing is installed: scripts/install-peers does that, in a folder of its own. Each server is started afresh for
    each cell, and the repeats of all take turns.

    Examples:

        pollbench peers
        pollbench peers nchan ws --pattern websocket --clients 500
    """
    from reports.peers.entrants import Record, enter, entrants

    labels = pattern_labels()
    wanted = choose(pattern, labels, "pattern") if pattern else tuple(labels)
    servers, absent = entrants(installed, name or [])
    for title, missing in absent.items():
        err.print(
            f"{title} is left out: it lacks {', '.join(missing)}; scripts/install-peers installs it", soft_wrap=True
        )
    if resume and folder:
        raise ValueError(f"--out {folder} and --resume {resume} exclude each other: a series goes on where it was")
    load = overridden(None, overrides, LOAD)
    plans = {
        f"{each.name}-{by}": Plan(followed(load, (by,), each.asked), (by,), repeats)
        for each in servers
        for by in each.patterns
        if by in wanted
    }
    if not plans:
        raise ValueError(f"none of {', '.join(each.name for each in servers)} is followed by {', '.join(wanted)}")
    root = resume or folder or folder_of("peers")
    if not resume:
        runner.make_folder(root, "continue that series")
    record = enter(root, Record(started_at=wall_timestamp(), servers=servers, absent=absent))
    cells = [
        (root / name, cell)
        for name, plan in plans.items()
        for cell in runner.taken_up(root / name, plan, labels, "run")
    ]
    outcome = _measure(sorted(cells, key=lambda each: each[1].repeat), labels)
    rows = [row for each in record.servers for row in _rows(root, each)]
    code, problem = ended(outcome, root)
    _tell(root, record, rows, write, as_json)
    if code:
        return fail(code, f"{problem}; go on with: pollbench peers --resume {root}")
    return fail(INVALID, f"nothing may be decided from {root}") if all(not row.figures for row in rows) else DONE


def _measure(cells: Sequence[tuple[Path, PlannedCell]], labels: Mapping[str, str]) -> runner.Outcome:
    """Measure cells of several run folders, in this order; one that fails ends none of the others."""
    total = runner.Outcome()
    planned = [cell for _, cell in cells]
    err.print(f"peers: {len(cells)} cells, about {duration(sum(cell.expected_s for cell in planned))}", highlight=False)
    with Bar(err, planned) as bar:
        for folder, cell in cells:
            bar.place = f"{folder.name}: "
            outcome = runner.run_cells(folder, [cell], labels, bar)
            total.cells += outcome.cells
            total.interrupted, total.halted = outcome.interrupted, outcome.halted
            if outcome.interrupted or outcome.halted:
                break
    return total


def _rows(root: Path, entrant: "Entrant") -> "list[Row]":
    """Return what there is of one server, a row a pattern."""
    from reports.data.load import ReportError
    from reports.peers.table import FAILED, Row, row_of
    from reports.validity.evidence import evidence

    labels, rows = pattern_labels(), []
    for by in entrant.patterns:
        folder = root / f"{entrant.name}-{by}"
        if not folder.is_dir():
            continue
        try:
            rows.append(row_of(entrant.title, entrant.version, evidence(folder)))
        except ReportError as problem:
            rows.append(Row(entrant.title, entrant.version, labels[by], FAILED, {}, why=[str(problem)]))
    return rows


def _tell(root: Path, record: "Record", rows: "Sequence[Row]", write: Path | None, as_json: bool) -> None:
    """Write the page, and print the table or the same for machines."""
    from reports.basics import output
    from reports.peers.table import Page

    folders = (root / f"{each.name}-{by}" for each in record.servers for by in each.patterns)
    first = next(folder for folder in folders if folder.is_dir())
    page = Page(record, rows, RunFolder.open(first).run)
    files = {root / PAGE: page.html(), root / "peers.md": page.markdown()} | ({write: page.markdown()} if write else {})
    for file, text in files.items():
        try:
            output.write(file, text)
        except OSError as problem:
            raise ValueError(f"{file} cannot be written: {problem.strerror}; name a file that can") from None
    if as_json:
        told = [row.as_json() for row in rows]
        print(json.dumps({"folder": str(root), "rows": told, "absent": record.absent}, default=str))
        return
    table = Table(*_without_version(page.header), box=None, header_style="dim", padding=(0, 1, 0, 0))
    for row in rows:
        table.add_row(*_without_version(row.cells()))
    out.print(table)
    out.print(f"\n{root / PAGE}", highlight=False, soft_wrap=True)


def _without_version(cells: Sequence[str]) -> Sequence[str]:
    """A terminal is narrower than a page."""
    return [cells[0], *cells[2:]]
