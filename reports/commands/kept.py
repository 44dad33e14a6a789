"""`report`, `explain`, `runs` and `history`: what is done with runs that are kept."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from loadtests.runs.run_folder import RUNS, newest
from reports.commands.cells import write_markdown, write_page
from reports.commands.common import Export, Json, RunFolder, err, fail, out, pattern_names, say, show_table, tell
from reports.commands.exits import DONE, INVALID


def report(
    folder: RunFolder = None,
    show: Annotated[bool, typer.Option("--open", help="open it in the browser")] = False,
    export: Export = None,
) -> int:
    """Write the report of a run again: one HTML page, with its tables and charts as files beside it.

    Examples:

        pollbench report --open
        pollbench report runs/2026-11-24T07-30-00-compare-feed --export-markdown result.md
    """
    page = write_page(folder or newest(RUNS))
    if export:
        write_markdown(page.parent, export)
    say(page)
    if show:
        typer.launch(page.resolve().as_uri())
    return DONE


def explain(folder: RunFolder = None, as_json: Json = False) -> int:
    """Say what a run concludes, the figures behind that with their intervals, the conditions, and what to doubt.

    With --json for a program, which finds the schema with pollbench schema explanation.

    Examples:

        pollbench explain
        pollbench explain runs/2026-11-24T07-30-00-compare-feed --json
    """
    from reports.data.load import NothingMeasured
    from reports.page.explain import explained, told

    try:
        found = explained(folder or newest(RUNS))
    except NothingMeasured as problem:
        return fail(INVALID, str(problem))
    if as_json:
        print(msgspec.json.encode(found).decode())
    else:
        for line in told(found):
            say(line)
    return DONE


Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="the folder that has the runs")]


def runs(
    where: Annotated[Path, typer.Argument(metavar="[DIR]", help="the folder that has the runs")] = RUNS,
    as_json: Json = False,
) -> int:
    """List the runs that are kept: what was measured, the verdict, the fastest pattern's median, the size.

    Verdict and figure are those of each run's report; a run that cannot be read is listed with the reason.

    Example:

        pollbench runs
    """
    from reports.basics.units import quantity
    from reports.kept.listing import listing

    try:
        found = listing(where)
    except OSError as problem:
        raise ValueError(f"{where}: {problem.strerror}; name a folder of runs that can be read") from None
    if as_json:
        print(json.dumps([asdict(each) | {"folder": str(each.folder)} for each in found]))
        return DONE
    if not found:
        tell(f"there is no run in {where}/ yet; make one with: pollbench compare")
        return DONE
    table = Table("run", "what", "finished", "verdict", "comes to", box=None, header_style="dim", padding=(0, 1, 0, 0))
    table.add_column("size", justify="right", no_wrap=True)
    for each in found:
        size = quantity(each.size_bytes, "B")
        table.add_row(each.folder.name, each.what, each.cells, each.verdict, each.headline or each.problem, size)
    out.print(table)
    return DONE


def history(
    asked: RunFolder = None,
    measure: Annotated[str, typer.Option(metavar="NAME", help="a column of summary.csv")] = "p99_ms",
    pattern: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="only this; may be repeated", autocompletion=pattern_names)
    ] = None,
    where: Runs = RUNS,
    as_json: Json = False,
) -> int:
    """Follow a measure over all runs that asked the same question: where it changed, and what else did.

    RUN names the question, by default the newest run's. A change is told when it is proven.

    Examples:

        pollbench history
        pollbench history --measure cpu_ms_per_1000 --pattern sse
    """
    from reports.kept.history import history

    with err.status("measuring the runs anew"):
        found = history(where, asked or newest(where), measure, pattern or ())
    if as_json:
        print(msgspec.json.encode(found.as_json()).decode())
        return DONE
    for line in found.told():
        say(line)
    for line in found.left_out:
        tell(f"left out: {line}")
    for title, header, rows in found.tables():
        out.print()
        show_table(header, rows, title=title, title_justify="left", padding=(0, 1, 0, 0))
    return DONE
