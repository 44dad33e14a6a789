"""`claims` and `replicate`: what others say, and what they have published, put to the test."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from loadtests.runs import runner
from loadtests.runs.progress import duration
from loadtests.runs.run_folder import new_folder
from loadtests.scenario.plan import PlannedCell, choose, known_name
from reports.commands.cells import ended, run_cells
from reports.commands.ci import judge
from reports.commands.common import (
    Json,
    Junit,
    Markdown,
    Out,
    err,
    fail,
    one_folder,
    pattern_labels,
    say,
    show_table,
    tell,
)
from reports.commands.exits import DONE, FAILED
from reports.commands.experiment import enter, observe

if TYPE_CHECKING:
    from reports.claims.folder import Folder

CLAIMS_EPILOG: Final = (
    "Exit codes: 0 judged, no claim refuted; 1 a cell or a run of an experiment failed; 2 wrong option or "
    "unreadable input; 4 incomplete, what was measured is kept; 7 nothing can be judged; 8 a claim is refuted, as some "
    "of the guide's are; 130 interrupted."
)
REPLICATE_EPILOG: Final = (
    "Exit codes: 0 all judged claims agree; 1 a cell failed; 2 unreadable; 4 incomplete; 7 a run is INVALID or FAIL, "
    "so "
    "nothing can be judged; 8 a claim disagrees with the publication; 130 interrupted."
)
BEGIN, END = "<!-- claims: begin -->", "<!-- claims: end -->"


def claims(
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="your own claims (docs/claims.md)")] = None,
    only: Annotated[
        list[str] | None, typer.Option("--claim", metavar="NAME[,NAME]", help="claims to judge (default: all)")
    ] = None,
    where: Out = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="continue in this folder: measure what is missing, and judge again"),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="default: runs/model.json, or the one that is included")
    ] = None,
    document: Annotated[
        Path | None, typer.Option("--docs", metavar="FILE", help=f"put the result into this page, after {BEGIN}")
    ] = None,
    as_json: Json = False,
    junit: Junit = None,
    markdown: Markdown = None,
) -> int:
    """Test common claims about polling, streaming and push: those of the guide, in under 15 minutes.

    Examples:

        pollbench claims
        pollbench claims my-claims --claim dashboard
        pollbench claims --resume runs/2026-11-24T07-30-00-claims
    """
    from reports.claims import page
    from reports.claims.folder import GUIDE, read
    from reports.claims.grounds import Grounds
    from reports.model import model_file

    asked = read(folder or GUIDE)
    if only:
        asked = asked.only(choose(only, asked.claims, "claim"))
    written = _around(document) if document else None
    chosen, rests_on = model_file.chosen(model)
    root = _root(where, resume)
    lacking = _lacking(asked)
    code, problem = _measure(asked, root, lacking)
    go_on = f"{problem}; continue with: pollbench claims {folder or ''} --resume {root}"
    if code not in (DONE, FAILED):
        return fail(code, go_on)
    with err.status("judging, and writing the reports"):
        judged = page.judge(Grounds(asked, root, chosen, f"{rests_on}; {chosen.coverage}", lacking))
    if document and written:
        document.write_text(judged.document().join(written), encoding="utf-8")
    if as_json:
        print(json.dumps({"folder": str(root), **judged.as_json()}))
    ruled = judge(lambda: judged, junit, markdown, silent=as_json)
    if not as_json:
        say(f"\n{root / page.PAGE}")
    return fail(code, go_on) if code else ruled


def _root(where: Path | None, resume: Path | None) -> Path:
    """Return the folder to measure into, made unless it is gone on with."""
    one_folder(where, resume, "new cells are added to the resumed folder")
    if resume is None:
        root = where or new_folder("claims")
        runner.make_folder(root, "go on there")
        return root
    if not resume.is_dir() or (resume / "run.json").exists():
        raise ValueError(f"--resume {resume}: no folder that `pollbench claims` made; drop it to begin a new one")
    return resume


def _lacking(asked: "Folder") -> dict[str, str]:
    """Return the experiments that cannot be made here, and why; say so."""
    from loadtests import experiments
    from loadtests.experiments.arm_runner import missing_program

    lacking = {name: why for name in asked.arms if (why := missing_program(experiments.load(name)))}
    for name, why in lacking.items():
        tell(f"{name} is left out: {why}")
    return lacking


def _measure(asked: "Folder", root: Path, lacking: dict[str, str]) -> tuple[int, str]:
    """Measure what the folder lacks; return the exit code and what went wrong. What fails stops nothing else."""
    labels, plans = pattern_labels(), asked.plans
    lacked = {name: runner.taken_up(root / name, plan, labels, "compare") for name, plan in plans.items()}
    expected_s = sum(cell.expected_s for cells in lacked.values() for cell in cells)
    tell(f"claims: {sum(map(len, lacked.values()))} cells, about {duration(expected_s)}")
    steps = [partial(_run, root / name, cells, labels) for name, cells in lacked.items() if cells]
    failed = DONE, ""
    for step in [*steps, partial(_experiment, asked, root, lacking)]:
        code, problem = step()
        if code not in (DONE, FAILED):
            return code, problem
        failed = (code, problem) if code else failed
    return failed


def _run(folder: Path, cells: Sequence[PlannedCell], labels: Mapping[str, str]) -> tuple[int, str]:
    return ended(run_cells(folder, cells, labels), folder)


def _experiment(asked: "Folder", root: Path, lacking: dict[str, str]) -> tuple[int, str]:
    """Make the runs of arms that the folder lacks; return the exit code and what went wrong."""
    from loadtests.experiments.observations import SETUP, read_observations
    from reports.claims.claim import Repeated
    from reports.claims.grounds import EXPERIMENTS

    jobs = []
    for name, arms in asked.arms.items():
        if name not in lacking:
            place, how = root / EXPERIMENTS / name, asked.shared.experiments.get(name, Repeated())
            made = {(each.arm, each.repeat) for each in read_observations(place, arms)}
            if made.issuperset(product(arms, range(1, how.repeats + 1))):
                continue  # whatever has changed since, it is only judged
            begun = place if (place / SETUP).exists() else None
            jobs.append(enter(name, place, arms, quick=how.quick, repeats=how.repeats, resume=begun))
    return observe(jobs) if any(job.lacking() for job in jobs) else (DONE, "")


def _around(file: Path) -> tuple[str, str]:
    """Return what a page has before and behind what claims write. Raises ValueError naming file and remedy."""
    try:
        before, begun, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    except (OSError, UnicodeDecodeError) as problem:
        raise ValueError(f"--docs {file}: cannot be read ({problem}); name a page of the documentation") from None
    _, ends, behind = rest.partition(END)
    if not (begun and ends):
        raise ValueError(f"--docs {file}: it needs a line {BEGIN} and, behind it, a line {END}")
    return f"{before}{BEGIN}\n\n", f"\n{END}{behind}"


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

    rows = []
    for name in names:
        replication = replications.load(name)
        takes_s = sum(plan.expected_s for plan in replication.stages().values())
        rows.append((name, replication.TITLE, duration(takes_s)))
    show_table(("name", "what", "takes"), rows)
    return DONE


def _replicate(name: str, resume: Path | None, junit: Path | None, markdown: Path | None) -> int:
    """Measure the stages of one replication, each a run folder, and judge them together."""
    from reports import replications
    from reports.replications import replicate as stage

    labels, stages = pattern_labels(), replications.load(name).stages()
    folder = resume or new_folder("replicate", name)
    for stage_name, plan in stages.items():
        if resume is None:
            runner.begin(folder / stage_name, plan, labels, "compare")
        else:
            runner.check_resumable(folder / stage_name, plan)
    for stage_name, plan in stages.items():
        tell(f"{name}, {stage_name}: {plan}")
        cells = runner.lacking(folder / stage_name, plan)
        code, problem = ended(run_cells(folder / stage_name, cells, labels), folder / stage_name)
        if code:
            return fail(code, f"{problem}; continue with: pollbench replicate {name} --resume {folder}")
    code = judge(lambda: stage.judge(name, folder), junit, markdown)
    say(f"\n{folder / 'index.html'}")
    return code
