"""`report`: write the report of a run again."""

from typing import Annotated

import typer

from loadtests.runs import runner
from loadtests.runs.run_folder import newest
from reports.commands.cells import write_page
from reports.commands.common import RunFolder, out
from reports.commands.exits import DONE


def report(
    folder: RunFolder = None,
    show: Annotated[bool, typer.Option("--open", help="open it in the browser")] = False,
) -> int:
    """Write the report of a run again: one HTML page, with its tables and charts as files beside it.

    Examples:

        pollbench report --open
        pollbench report runs/2026-11-24T07-30-00-compare-feed
    """
    page = write_page(folder or newest(runner.RUNS))
    out.print(page, highlight=False, soft_wrap=True)
    if show:
        typer.launch(page.resolve().as_uri())
    return DONE
