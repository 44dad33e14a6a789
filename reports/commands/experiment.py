"""`experiment`: common advice, tried in arms that take turns."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer
from rich.table import Table

from loadtests.runs import advice, runner
from loadtests.runs.progress import TurnsBar
from loadtests.runs.series import folder_of
from loadtests.scenario.plan import known_name
from reports.commands.ci import judge
from reports.commands.common import Json, Junit, Markdown, Out, err, fail, out
from reports.commands.exits import DONE, FAILED, INCOMPLETE, INTERRUPTED

if TYPE_CHECKING:
    from reports.experiments.arm_runner import Job
    from reports.experiments.results import Results

EXPERIMENT_EPILOG: Final = (
    "Exit codes: 0 measured, and nothing is proven to be against the advice (what is not proven at all says ~); "
    "1 a run of an arm failed; 2 unreadable; 4 incomplete, what was measured is kept; 7 an arm has INVALID runs only; "
    "8 something is proven to be otherwise than the advice has it; 130 interrupted."
)


def _experiments() -> list[str]:
    from reports import experiments

    return experiments.names()


def experiment(
    name: Annotated[str, typer.Argument(metavar="NAME", help="which, or list, or all", autocompletion=_experiments)],
    quick: Annotated[bool, typer.Option("--quick", help="short runs, two repeats: shows directions, for CI")] = False,
    repeats: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=1000, help="how often each (default: 5)")
    ] = None,
    folder: Out = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="measure what this experiment lacks")] = None,
    as_json: Json = False,
    junit: Junit = None,
    markdown: Markdown = None,
) -> int:
    """Try common advice: a practice off and on, in turns, and by how much it matters here.

    Examples:

        pollbench experiment list
        pollbench experiment caching
        pollbench experiment all --quick
    """
    from reports import experiments
    from reports.experiments import arm_runner
    from reports.experiments import results as stage

    known = _experiments()
    if name == "list":
        return _list_experiments(known, as_json)
    names = known if name == "all" else [known_name(name, dict.fromkeys(known), "experiment")]
    lacking = {each: line for each in names if (line := experiments.lacking(experiments.load(each)))}
    if lacking and name != "all":
        raise ValueError(lacking[name])
    for each, line in lacking.items():
        err.print(f"{each} is left out: {line}", highlight=False, soft_wrap=True)
    names = [each for each in names if each not in lacking]
    if folder and resume:
        raise ValueError(f"--out {folder} and --resume {resume} exclude each other: observations are added there")
    root = resume or folder or folder_of(f"experiment-{name}")
    places = {each: root / each if name == "all" else root for each in names}
    jobs = [
        arm_runner.enter(each, experiments.load(each), place, quick=quick, repeats=repeats, resume=resume)
        for each, place in places.items()
    ]
    code, problem = observe(jobs)
    results = stage.Results(tuple(stage.judge(job) for job in jobs if job.comparable))
    if name == "all":
        stage.write_index(results.results, root)
    advice.keep(runner.RUNS, results.advice())
    judged = _tell(results, root, as_json, junit, markdown)
    return fail(code, f"{problem}; go on with: pollbench experiment {name} --resume {root}") if code else judged


def observe(jobs: "Sequence[Job]") -> tuple[int, str]:
    """Make the observations that are lacking; return the exit code and what went wrong."""
    from reports.experiments import arm_runner

    total = sum(len(job.lacking()) for job in jobs)
    err.print(f"experiment: {total} runs", highlight=False)
    with TurnsBar(err, total) as bar:
        outcome = arm_runner.observe(jobs, bar)
    if outcome.interrupted:
        return INTERRUPTED, "interrupted"
    if outcome.halted:
        return INCOMPLETE, outcome.halted
    return (FAILED, "; ".join(outcome.failed)) if outcome.failed else (DONE, "")


def _list_experiments(names: Sequence[str], as_json: bool) -> int:
    from reports import experiments

    loaded = {name: experiments.load(name) for name in names}
    if as_json:
        print(json.dumps({name: {"title": each.TITLE, "advice": each.ADVICE} for name, each in loaded.items()}))
        return DONE
    table = Table("name", "what", "compares", box=None, header_style="dim")
    for name, each in loaded.items():
        table.add_row(name, each.TITLE, ", ".join(each.ARMS))
    out.print(table)
    return DONE


def _tell(results: "Results", root: Path, as_json: bool, junit: Path | None, markdown: Path | None) -> int:
    """Print what experiments came to, write what CI asked for, and return the exit code."""
    if not results.results:
        return DONE
    if as_json:
        print(json.dumps(msgspec.to_builtins({"folder": str(root), "experiments": results.as_json()})))
    code = judge(lambda: results, junit, markdown, silent=as_json)
    if not as_json:
        out.print(f"\n{root / 'index.html'}", highlight=False, soft_wrap=True)
    return code
