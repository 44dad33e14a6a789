"""`replicate`: published experiments, each measured in a few runs that are judged together."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from loadtests.runs import runner
from loadtests.runs.progress import duration
from loadtests.scenario.plan import known_name
from reports.commands.cells import ended, run_cells
from reports.commands.ci import judge
from reports.commands.common import Junit, Markdown, err, fail, out, pattern_labels
from reports.commands.exits import DONE

REPLICATE_EPILOG: Final = (
    "Exit codes: 0 all judged claims agree; 1 a cell failed; 2 unreadable; 4 incomplete; 7 a run is INVALID or FAIL, "
    "so "
    "nothing can be judged; 8 a claim disagrees with the publication; 130 interrupted."
)


def _replications() -> list[str]:
    from reports import replications

    return replications.names()


def replicate(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="a replication, or list, or all", autocompletion=_replications)
    ],
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="continue this replication")] = None,
    junit: Junit = None,
    markdown: Markdown = None,
) -> int:
    """Repeat a published experiment, scaled to this machine, and compare the results.

    Examples:

        pollbench replicate list
        pollbench replicate pimentel2012
    """
    known = _replications()
    if name == "list":
        return _list_replications(known)
    names = known if name == "all" else [known_name(name, dict.fromkeys(known), "replication")]
    if resume is not None and len(names) > 1:
        raise ValueError(f"--resume {resume} continues one replication: name it instead of all")
    codes = [_replicate(each, resume, junit, markdown) for each in names]
    return max(codes)


def _list_replications(names: Sequence[str]) -> int:
    from reports import replications

    table = Table("name", "what", "takes", box=None, header_style="dim")
    for name in names:
        replication = replications.load(name)
        takes_s = sum(plan.expected_s for plan in replication.stages().values())
        table.add_row(name, replication.TITLE, duration(takes_s))
    out.print(table)
    return DONE


def _replicate(name: str, resume: Path | None, junit: Path | None, markdown: Path | None) -> int:
    """Measure the stages of one replication, each a run folder, and judge them together."""
    from reports import replications
    from reports.replications import replicate as stage

    labels, stages = pattern_labels(), replications.load(name).stages()
    folder = resume or runner.folder_for("replicate", name, datetime.now(UTC))
    for stage_name, plan in stages.items():
        if resume is None:
            runner.begin(folder / stage_name, plan, labels, "compare")
        else:
            runner.check_resumable(folder / stage_name, plan)
    for stage_name, plan in stages.items():
        err.print(f"{name}, {stage_name}: {plan}", highlight=False, soft_wrap=True)
        cells = runner.lacking(folder / stage_name, plan)
        code, problem = ended(run_cells(folder / stage_name, cells, labels), folder / stage_name)
        if code:
            return fail(code, f"{problem}; continue with: pollbench replicate {name} --resume {folder}")
    code = judge(lambda: stage.judge(name, folder), junit, markdown)
    out.print(f"\n{folder / 'index.html'}", highlight=False, soft_wrap=True)
    return code
