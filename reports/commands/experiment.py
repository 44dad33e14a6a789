"""`experiment` and `idle`: common advice, in arms that take turns, and very many clients that only wait."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer
from rich.table import Table

from loadtests import patterns
from loadtests.host.managed_process import ChildFailed
from loadtests.idle.asked import IdleSettings
from loadtests.runs import kept_advice
from loadtests.runs.progress import TurnsBar
from loadtests.runs.run_folder import RUNS, new_folder
from loadtests.runs.target import WrongServer
from loadtests.scenario.overrides import with_options
from loadtests.scenario.plan import known_name
from reports.basics.units import quantity
from reports.commands.ci import judge
from reports.commands.common import (
    Json,
    Junit,
    Markdown,
    Out,
    err,
    fail,
    one_folder,
    out,
    pattern_labels,
    pattern_names,
    say,
    show_table,
    tell,
)
from reports.commands.exits import DONE, FAILED, INCOMPLETE, INTERRUPTED
from servers.patterns import facts
from servers.settings.setting import read, settings

if TYPE_CHECKING:
    from loadtests.experiments.arm_runner import Job
    from loadtests.idle.measured import Idle
    from reports.experiments.result import Results

EXPERIMENT_EPILOG: Final = (
    "Exit codes: 0 measured, and nothing contradicts the advice (~: not proven); 1 a run of an arm failed; "
    "2 unreadable; 4 incomplete, finished runs are kept; 7 an arm has only INVALID runs; "
    "8 the advice is proven wrong in a point; 130 interrupted."
)


def _experiments() -> list[str]:
    from reports import experiments

    return experiments.names()


def experiment(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="an experiment, or list, or all", autocompletion=_experiments)
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="short runs, two repeats: shows only directions, for CI")
    ] = False,
    repeats: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=1000, help="repeats of each arm", show_default="5, or 2 with --quick"),
    ] = None,
    folder: Out = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="continue this experiment")] = None,
    as_json: Json = False,
    junit: Junit = None,
    markdown: Markdown = None,
) -> int:
    """Measure common advice: a practice off and on, in turns, and the size of its effect on this machine.

    Examples:

        pollbench experiment list
        pollbench experiment caching
        pollbench experiment all --quick
    """
    from loadtests import experiments as measuring
    from loadtests.experiments import arm_runner
    from reports.experiments import experiment_page
    from reports.experiments.result import Results

    known = _experiments()
    if name == "list":
        return _list_experiments(known, as_json)
    names = known if name == "all" else [known_name(name, dict.fromkeys(known), "experiment")]
    practices = {each: measuring.load(each) for each in names}
    lacking = {each: line for each, practice in practices.items() if (line := arm_runner.missing_program(practice))}
    if lacking and name != "all":
        raise ValueError(lacking[name])
    for each, line in lacking.items():
        tell(f"{each} is left out: {line}")
    names = [each for each in names if each not in lacking]
    one_folder(folder, resume, "observations are added there")
    root = resume or folder or new_folder("experiment", name)
    places = {each: root / each if name == "all" else root for each in names}
    jobs = [
        enter(each, place, practices[each].ARMS, quick=quick, repeats=repeats, resume=resume)
        for each, place in places.items()
    ]
    code, problem = observe(jobs)
    results = Results(tuple(experiment_page.judge(job.name, job.folder) for job in jobs if job.comparable))
    if name == "all":
        experiment_page.write_index(results.results, root)
    kept_advice.keep(RUNS, results.advice())
    judged = _tell(results, root, as_json, junit, markdown)
    return fail(code, f"{problem}; continue with: pollbench experiment {name} --resume {root}") if code else judged


def enter(
    name: str, place: Path, arms: Collection[str], *, quick: bool, repeats: int | None, resume: Path | None
) -> "Job":
    """Make the folder of an experiment with these of its arms, or go on there. Raises RunRefused."""
    from loadtests import experiments as measuring
    from loadtests.experiments import arm_runner
    from reports import experiments

    practice, read = measuring.with_arms(measuring.load(name), arms), getattr(experiments.load(name), "read", None)
    return arm_runner.enter(name, practice, place, quick=quick, repeats=repeats, resume=resume, read=read)


def observe(jobs: "Sequence[Job]") -> tuple[int, str]:
    """Make the observations that are lacking; return the exit code and what went wrong."""
    from loadtests.experiments import arm_runner

    total = sum(len(job.lacking()) for job in jobs)
    tell(f"experiment: {total} runs")
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
    rows = ((name, each.TITLE, ", ".join(each.ARMS)) for name, each in loaded.items())
    show_table(("name", "what", "compares"), rows)
    return DONE


def _tell(results: "Results", root: Path, as_json: bool, junit: Path | None, markdown: Path | None) -> int:
    """Print the results of experiments, write the files for CI, and return the exit code."""
    if not results.results:
        return DONE
    if as_json:
        print(msgspec.json.encode({"folder": str(root), "experiments": results.written()}).decode())
    code = judge(lambda: results, junit, markdown, silent=as_json)
    if not as_json:
        say(f"\n{root / 'index.html'}")
    return code


IDLE_HEADER: Final = (
    "clients",
    "processes",
    "connected in",
    *("server", "kernel", "client"),
    *("server CPU", "client CPU"),
    *("median", "last", "not reached"),
)


@partial(
    with_options,
    argument="asked",
    table=settings(IdleSettings),
    panel="What waits",
    read=lambda typed: read(IdleSettings, typed),
)
def idle(
    asked: IdleSettings,
    pattern: Annotated[str, typer.Argument(help="see pollbench patterns", autocompletion=pattern_names)] = "sse",
    as_json: Json = False,
) -> int:
    """Let very many clients wait for one message: memory, CPU at rest, time to connect, and the message to all.

    Examples:

        pollbench idle sse --clients 1000,10000
        pollbench idle websocket --clients 100000 --json
    """
    from loadtests.idle.measured import measure

    known = {name: label for name, label in pattern_labels().items() if waits(name)}
    name, found = known_name(pattern, known, "pattern"), list["Idle"]()
    for clients in asked.clients:
        try:
            found.append(measure(name, clients, asked))
        except (ChildFailed, WrongServer) as problem:
            return fail(FAILED, f"--clients {clients}: {problem}")
        if not as_json:
            tell(f"{clients:,} clients done")
    if as_json:
        print(json.dumps([asdict(each) for each in found]))
    else:
        out.print(_waiting(found))
    return DONE


def waits(pattern: str) -> bool:
    """Whether a client of a pattern asks once and waits, on a connection that one process can hold thousands of."""
    return patterns.held(pattern) is not False and not facts(pattern).http2


def _waiting(found: "list[Idle]") -> Table:
    """Memory and CPU are for each client, CPU in a second at rest; the last three columns are of the message."""
    drawn = Table(*IDLE_HEADER)
    for each in found:
        drawn.add_row(
            f"{each.clients:,}",
            f"{each.server_processes} + {each.load_processes}",
            quantity(each.connect_s * 1000, "ms"),
            *(_bytes_of(value) for value in (each.server_bytes, each.kernel_bytes, each.client_bytes)),
            *(f"{value:.2g} us/s" for value in (each.server_cpu_us_per_s, each.client_cpu_us_per_s)),
            *(_ms(value) for value in (each.p50_ms, each.last_ms)),
            f"{each.clients - each.heard:,}",
        )
    return drawn


def _bytes_of(value: float | None) -> str:
    return "unknown" if value is None else quantity(value, "B")


def _ms(value: float | None) -> str:
    return "never" if value is None else quantity(value, "ms")
