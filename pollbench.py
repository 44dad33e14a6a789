"""The front door: every command is a few lines that call a stage, and only this file sees all stages.

Progress and errors go to stderr, an error as one line; results go to stdout, where `--json` makes them readable for
machines. Stages are imported when needed: pandas alone would make `--help` wait for half a second.
"""

# ruff: noqa: E402, I001  (Ctrl-C while the rest is imported ends in silence; `signal` itself takes 20 ms to import)
import os
import _signal  # type: ignore[import-not-found]

_before = _signal.signal(_signal.SIGINT, lambda *_: os._exit(130))

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from loadtests.runs import advice, runner, webui
from loadtests.host import standard_streams
from loadtests.runs.signals import heeded
from loadtests.scenario.enough import ENOUGH_MESSAGES, long_enough
from loadtests.scenario.overrides import overridden, with_overrides
from loadtests.scenario.plan import Plan, PlannedCell, choose, known_name, remaining
from loadtests.runs.commands import OURS, Programs
from loadtests.runs.progress import Bar, TurnsBar, duration
from loadtests.scenario.scenarios import SCENARIOS, Scenario
from loadtests.scenario.settings import typed
from loadtests.runs.series import folder_of, run_series
from servers.timing.clock import wall_timestamp

signal.signal(signal.SIGINT, _before)

if TYPE_CHECKING:
    from reports.validity.caution import Ruling
    from reports.experiments.results import Results
    from reports.experiments.arm_runner import Job
    from reports.basics.exit_codes import Judgement

DONE, FAILED, USAGE, UNREACHABLE, INCOMPLETE, INVALID, UNTRUE, UNWRITTEN, INTERRUPTED = 0, 1, 2, 3, 4, 7, 8, 74, 130
EPILOG: Final = (
    "Exit codes: 0 done; 1 a cell failed, the others are kept and reported; 2 wrong option or unreadable input; "
    "3 server not reachable, not ours, or its port taken; 4 the run is incomplete, finished cells are kept; "
    "7 nothing may be decided from the run: its verdict is INVALID or FAIL; "
    "74 the result could not be written to stdout; "
    "130 interrupted (Ctrl-C, SIGTERM, a closed terminal), finished cells are kept and reported."
)
app = typer.Typer(
    help="Polling, long polling, streaming or push: measure which one your service needs, and what it costs.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
out = Console(width=None if sys.stdout and sys.stdout.isatty() else 120)
err = Console(stderr=True)


def _patterns() -> dict[str, str]:
    """Return name -> label of every pattern there is."""
    from servers import patterns

    return {name: patterns.load(name).LABEL for name in patterns.names()}


def _pattern_names() -> list[str]:
    return list(_patterns())


def _scenario_names() -> list[str]:
    return list(SCENARIOS)


def _experiments() -> list[str]:
    from reports import experiments

    return experiments.names()


def _replications() -> list[str]:
    from reports import replications

    return replications.names()


BENCHMARKS: Final = ("servers.bench.benchmarks", "servers.bench.http2", "loadtests.benchmarks", "reports.benchmarks")
Json = Annotated[bool, typer.Option("--json", help="print the result as one JSON object")]


def _a_folder(folder: Path | None) -> Path | None:
    if str(folder) == "-":
        raise ValueError(
            "--out - is not a folder: a run is many files; name a folder, and print the result with --json"
        )
    return folder


Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", callback=_a_folder, help="run folder to make (default: runs/TIME-...)"),
]
RunFolder = Annotated[Path | None, typer.Argument(metavar="[RUN]", help="run folder (default: the newest in runs/)")]
Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="write JUnit XML for the CI server")]
Markdown = Annotated[
    Path | None,
    typer.Option("--markdown", metavar="FILE", envvar="GITHUB_STEP_SUMMARY", help="append a summary for a PR"),
]
JUDGED_EPILOG: Final = (
    "Exit codes: 0 fine; 2 unreadable or incomparable; 5 a goal was missed; 6 a regression was proven; "
    "7 nothing can be judged, as a run is invalid."
)
REPLICATE_EPILOG: Final = (
    "Exit codes: 0 all that is judged agrees; 1 a cell failed; 2 unreadable; 4 incomplete; 7 nothing can be judged, "
    "as a run is invalid; 8 something disagrees with what was published; 130 interrupted."
)
EXPERIMENT_EPILOG: Final = (
    "Exit codes: 0 measured, and nothing is proven to be against the advice (what is not proven at all says ~); "
    "1 a run of an arm failed; 2 unreadable; 4 incomplete, what was measured is kept; 7 an arm has INVALID runs only; "
    "8 something is proven to be otherwise than the advice has it; 130 interrupted."
)
CONTROLS_EPILOG: Final = (
    "Exit codes: 0 every fault was reported as it was injected; 1, 2, 4, 130 as for all commands; 8 one was not."
)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def serve(context: typer.Context) -> None:
    """Run the reference servers, to poke with curl or with your own client.

    Everything behind `serve` goes to python -m servers as it is; `pollbench serve --help` lists it.

    Examples:

        pollbench serve --schedule steady:1
        pollbench serve sse websocket --port 9000
    """
    os.execv(sys.executable, [sys.executable, "-m", "servers", *context.args])  # noqa: S606


@app.command()
@with_overrides
def run(
    overrides: Mapping[str, object],
    pattern: Annotated[str, typer.Argument(help="see pollbench patterns", autocompletion=_pattern_names)],
    scenario: Annotated[str, typer.Argument(help="see pollbench scenarios", autocompletion=_scenario_names)] = "feed",
    repeats: Annotated[int, typer.Option(metavar="N", help="how often")] = 1,
    folder: Out = None,
    as_json: Json = False,
) -> int:
    """Measure one pattern under one scenario.

    Examples:

        pollbench run sse
        pollbench run long_polling quiet --hold-timeout 10 --repeats 3
    """
    labels = _patterns()
    plan = Plan(
        _enough(overridden(scenario, overrides, SCENARIOS["feed"]), overrides),
        (known_name(pattern, labels, "pattern"),),
        repeats,
    )
    return _measure(_new_run("run", folder, plan, labels), plan, labels, as_json)


@app.command()
@with_overrides
def compare(
    overrides: Mapping[str, object],
    pattern: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[,NAME]", help="which (default: all)", autocompletion=_pattern_names),
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(metavar="NAME", help="which (default: feed)", autocompletion=_scenario_names)
    ] = None,
    repeats: Annotated[int | None, typer.Option(metavar="N", help="how often each (default: 3)")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="measure what this run lacks")] = None,
    folder: Out = None,
    as_json: Json = False,
) -> int:
    """Measure patterns side by side and write a report: all six in under 3 minutes.

    Examples:

        pollbench compare
        pollbench compare --scenario busy --pattern long_polling,sse --clients 200 --repeats 5
        pollbench compare --resume runs/2026-11-24T07-30-00-compare-feed
    """
    labels = _patterns()
    saved = runner.reopen(resume) if resume else Plan(SCENARIOS["feed"], tuple(labels), 3)
    wanted = overridden(scenario, overrides, saved.scenario)
    plan = Plan(
        wanted if resume else _enough(wanted, overrides),
        choose(saved.patterns if pattern is None else pattern, labels, "pattern"),
        saved.repeats if repeats is None else repeats,
    )
    if resume is None:
        return _measure(_new_run("compare", folder, plan, labels), plan, labels, as_json)
    if folder is not None:
        raise ValueError(
            f"--out {folder} and --resume {resume} exclude each other: cells are added where the others are"
        )
    runner.check_resumable(resume, plan)
    return _measure(resume, plan, labels, as_json)


@app.command()
def report(
    folder: RunFolder = None,
    show: Annotated[bool, typer.Option("--open", help="show it in the browser")] = False,
) -> int:
    """Make the report of a run again: one HTML page, with its tables and charts as files beside it.

    Examples:

        pollbench report --open
        pollbench report runs/2026-11-24T07-30-00-compare-feed
    """
    page = _page(folder or runner.newest())
    out.print(page, highlight=False, soft_wrap=True)
    if show:
        typer.launch(page.resolve().as_uri())
    return DONE


@app.command()
def scenarios(as_json: Json = False) -> int:
    """List the scenarios: what each is for, and how long it takes.

    Example:

        pollbench scenarios
    """
    times_s = {name: Plan(each, tuple(_patterns()), 3).expected_s for name, each in SCENARIOS.items()}
    if as_json:
        print(json.dumps([asdict(each) | {"compare_s": times_s[name]} for name, each in SCENARIOS.items()]))
        return DONE
    table = Table("scenario", "for", "clients", "schedule", "compare takes", box=None, header_style="dim")
    for name, each in SCENARIOS.items():
        schedules = ", ".join(each.schedules.values())
        table.add_row(name, each.purpose, typed("clients", each.clients), schedules, duration(times_s[name]))
    out.print(table)
    return DONE


@app.command()
def patterns(as_json: Json = False) -> int:
    """List the patterns that can be measured.

    Example:

        pollbench patterns
    """
    labels = _patterns()
    if as_json:
        print(json.dumps(labels))
        return DONE
    for name, label in labels.items():
        out.print(f"{name:16}{label}")
    return DONE


@app.command()
def ui(port: Annotated[int, typer.Option(metavar="PORT", min=1, max=65535, help="of the web page")] = 8089) -> int:
    """Start a server and Locust's web UI: pick patterns, turn the knobs, watch.

    Example:

        pollbench ui
    """
    return webui.serve(port, lambda line: out.print(line, highlight=False, soft_wrap=True))


@app.command(epilog=CONTROLS_EPILOG)
def controls(
    quick: Annotated[bool, typer.Option("--quick", help="shorter windows and larger faults: half a minute")] = False,
    folder: Out = None,
    as_json: Json = False,
) -> int:
    """Test the instrument: measure servers that are wrong on purpose, and see whether the report tells the truth.

    Example:

        pollbench controls --quick
    """
    from reports.selftest.controls import Reading, controls, readings
    from reports.data.load import load
    from reports.page.page import write_report
    from reports.page.terminal import controls_table

    chosen = controls(quick=quick)
    found: dict[str, list[Reading]] = {}

    def measured(name: str, run_dir: Path) -> None:
        write_report(run_dir)
        found[name] = readings(chosen[name], load(run_dir))

    folder = folder or folder_of("controls")
    code = _measure_series(folder, "controls", {name: control.plan for name, control in chosen.items()}, measured)
    if as_json:
        rows = [{"control": name, **asdict(each), "true": each.true} for name in found for each in found[name]]
        print(json.dumps({"run": str(folder), "readings": rows}))
    else:
        out.print(controls_table(found))
        out.print(f"\n{folder}", highlight=False, soft_wrap=True)
    untrue = [name for name, each in found.items() if not all(reading.true for reading in each)]
    if code == DONE and untrue:
        return _fail(UNTRUE, f"not reported as injected: {', '.join(untrue)}; do not trust this instrument here")
    return code


@app.command()
def calibrate(
    quick: Annotated[bool, typer.Option("--quick", help="fewer and shorter steps: under 40 s")] = False,
    folder: Out = None,
    as_json: Json = False,
) -> int:
    """Find out how much the instrument itself adds on this machine, and up to which rate it is honest.

    Kept in runs/calibration.json, and quoted by the report of every run that begins there: under 3 minutes.

    Example:

        pollbench calibrate
    """
    from loadtests.host import environment
    from loadtests.runs.calibration import FILE
    from loadtests.records.manifest import Calibration
    from reports.selftest import calibration as stage
    from reports.page.terminal import calibration_table

    labels = _patterns()
    with tempfile.TemporaryDirectory(prefix="pollbench-") as scratch:
        measured = folder or Path(scratch)
        plans = stage.plans(list(labels), quick=quick)
        code = _measure_series(measured, "calibrate", plans, lambda *_: None, Programs(journal_writes=True))
        if code != DONE:
            return code
        found = Calibration(
            measured_at=wall_timestamp(),
            machine=environment.machine(),
            versions=environment.versions(),
            clients=stage.CLIENTS,
            patterns=stage.calibrate(measured),
        )
    runner.RUNS.mkdir(exist_ok=True)
    runner.save(runner.RUNS / FILE, found)
    if as_json:
        print(json.dumps(msgspec.to_builtins(found)))
    else:
        out.print(calibration_table(found, labels))
        out.print(f"\n{runner.RUNS / FILE}", highlight=False, soft_wrap=True)
    return DONE


@app.command()
def race(
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="of the page, 0 for any free one")] = 8090,
    no_open: Annotated[bool, typer.Option("--no-open", help="only print the address of the page")] = False,
) -> int:
    """Watch the patterns in your browser: real clients side by side on one feed.

    Examples:

        pollbench race
        pollbench race --no-open --port 9000
    """
    from loadtests.runs import race as stage

    def say(line: str) -> None:
        out.print(line, highlight=False, soft_wrap=True)

    return stage.serve(port, say, show=(lambda _: None) if no_open else typer.launch)


@app.command()
def benchmarks(as_json: Json = False) -> int:
    """Measure how fast this suite itself is, beside plain peers.

    Example:

        pollbench benchmarks
    """
    figures: dict[str, dict[str, float]] = {}
    for module in filter(find_spec, BENCHMARKS):
        command = [sys.executable, "-m", module, "--json"]
        figures[module] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)  # noqa: S603
    if as_json:
        print(json.dumps(figures))
        return DONE
    table = Table("benchmark", "figure", "value", box=None, header_style="dim")
    for module, values in figures.items():
        for name, value in values.items():
            table.add_row(module, name, f"{value:,.4g}")
    out.print(table)
    return DONE


@app.command(epilog=JUDGED_EPILOG)
def gate(
    folder: RunFolder = None,
    slo: Annotated[Path, typer.Option(metavar="FILE", help="goals, see docs/gates.md")] = Path("slo.toml"),
    junit: Junit = None,
    markdown: Markdown = None,
) -> int:
    """Hold a run against its goals, for CI.

    Example:

        pollbench gate runs/2026-11-24T07-30-00-compare-feed --slo slo.toml --junit gate.xml
    """
    from reports.ci.gates import check_slo

    return _judge(lambda: check_slo(folder or runner.newest(), slo), junit, markdown)


@app.command(name="compare-runs", epilog=JUDGED_EPILOG)
def compare_runs(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="run folder to compare with")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="run folder to judge")],
    measure: Annotated[str, typer.Option(metavar="NAME[,NAME]", help="ask about these only")] = "",
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="write the comparison as a page")] = None,
    junit: Junit = None,
    markdown: Markdown = None,
) -> int:
    """Say what became better or worse from one run to another, and what is not proven.

    Example:

        pollbench compare-runs runs/before runs/after --html compare.html
    """
    from reports.ci import compare_runs as stage
    from reports.ci.comparison_page import comparison_page
    from reports.ci.questions import JUDGED

    def judge() -> "Judgement":
        comparison = stage.compare_runs(base, new, measure.split(",") if measure else JUDGED)
        if html:
            html.write_text(comparison_page(comparison), encoding="utf-8")
        return comparison

    return _judge(judge, junit, markdown)


@app.command(epilog=REPLICATE_EPILOG)
def replicate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="which, or list, or all", autocompletion=_replications)],
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="measure what this replication lacks")] = None,
    junit: Junit = None,
    markdown: Markdown = None,
) -> int:
    """Run a published experiment again, scaled to this machine, and see what agrees.

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
    from reports.replications import replicate as stage
    from reports import replications

    labels, stages = _patterns(), replications.load(name).stages()
    folder = resume or runner.folder_for("replicate", name, datetime.now(UTC))
    for stage_name, plan in stages.items():
        if resume is None:
            runner.begin(folder / stage_name, plan, labels, "compare")
        else:
            runner.check_resumable(folder / stage_name, plan)
    for stage_name, plan in stages.items():
        err.print(f"{name}, {stage_name}: {plan}", highlight=False, soft_wrap=True)
        cells = remaining(plan, runner.finished_cells(folder / stage_name, [cell.name for cell in plan.cells()]))
        code, problem = _ended(_run_cells(folder / stage_name, cells, labels), folder / stage_name)
        if code:
            return _fail(code, f"{problem}; go on with: pollbench replicate {name} --resume {folder}")
    code = _judge(lambda: stage.judge(name, folder), junit, markdown)
    out.print(f"\n{folder / 'index.html'}", highlight=False, soft_wrap=True)
    return code


@app.command(epilog=EXPERIMENT_EPILOG)
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
    from reports.experiments import results as stage
    from reports import experiments
    from reports.experiments import arm_runner

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
    code, problem = _observe(jobs)
    results = stage.Results(tuple(stage.judge(job) for job in jobs if job.comparable))
    if name == "all":
        stage.write_index(results.results, root)
    advice.keep(runner.RUNS, results.advice())
    judged = _tell(results, root, as_json, junit, markdown)
    return _fail(code, f"{problem}; go on with: pollbench experiment {name} --resume {root}") if code else judged


def _observe(jobs: "Sequence[Job]") -> tuple[int, str]:
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
    code = _judge(lambda: results, junit, markdown, silent=as_json)
    if not as_json:
        out.print(f"\n{root / 'index.html'}", highlight=False, soft_wrap=True)
    return code


def _judge(judge: "Callable[[], Judgement]", junit: Path | None, markdown: Path | None, *, silent: bool = False) -> int:
    """Print a judgement unless `silent`, write what CI asked for, and return its exit code."""
    from reports.data.load import NothingMeasured, ReportError

    try:
        judgement = judge()
        if junit:
            junit.write_bytes(judgement.junit())
        if markdown:
            with markdown.open("a", encoding="utf-8") as file:
                file.write(judgement.markdown())
    except NothingMeasured as problem:
        return _fail(INVALID, str(problem))
    except (ReportError, OSError) as problem:
        raise ValueError(str(problem)) from None
    if silent:
        return int(judgement.exit_code)
    table = Table(*judgement.header, box=None, header_style="dim")
    for row in judgement.table():
        table.add_row(*row)
    out.print(table)
    for note in judgement.notes:
        err.print(f"caution: {note}", markup=False, highlight=False, soft_wrap=True)
    out.print(judgement.headline, markup=False, highlight=False, soft_wrap=True)
    return int(judgement.exit_code)


def _enough(scenario: Scenario, overrides: Mapping[str, object]) -> Scenario:
    """Lengthen a window that is too short for its messages, unless it was asked for, and say so."""
    if overrides.get("window_s") is not None:
        return scenario
    longer = long_enough(scenario)
    if longer is not scenario:
        err.print(
            f"the window is {longer.window_s:g} s instead of {scenario.window_s:g} s, so that {ENOUGH_MESSAGES} "
            "messages are due in it (--window says otherwise)",
            highlight=False,
            soft_wrap=True,
        )
    return longer


def _new_run(kind: str, folder: Path | None, plan: Plan, labels: Mapping[str, str]) -> Path:
    folder = folder or runner.folder_for(kind, plan.scenario.name, datetime.now(UTC))
    runner.begin(folder, plan, labels, kind)
    return folder


def _measure(folder: Path, plan: Plan, labels: Mapping[str, str], as_json: bool) -> int:
    """Measure what a run folder lacks, report what it then has, and return the exit code."""
    names = [cell.name for cell in plan.cells()]
    cells = remaining(plan, runner.finished_cells(folder, names))
    expected_s = sum(cell.expected_s for cell in cells)
    err.print(f"{plan}: {len(cells)} cells, about {duration(expected_s)}", highlight=False, soft_wrap=True)
    outcome = _run_cells(folder, cells, labels)
    kept = runner.finished_cells(folder, names)
    page, halted = None, outcome.halted
    try:
        page = _page(folder) if kept else None
    except ValueError as problem:
        halted = halted or str(problem)
    ruling = _ruling(folder) if page else None
    _show(folder, page, ruling, outcome, as_json)
    resume = f"{len(kept)} of {len(names)} cells are kept; go on with: pollbench compare --resume {folder}"
    code, what = _ended(replace(outcome, halted=halted), folder)
    if code in {INTERRUPTED, INCOMPLETE} or not (ruling and ruling.worthless):
        return _fail(code, f"{what}; {resume}") if code else DONE
    return _fail(INVALID, f"{ruling.verdict}: {ruling.doubts()[0].what}; nothing may be decided from {folder}")


def _run_cells(folder: Path, cells: Sequence[PlannedCell], labels: Mapping[str, str]) -> runner.Outcome:
    from reports.page.terminal import Board

    with Bar(err, cells, Board(folder)) as bar:
        return runner.run_cells(folder, cells, labels, bar)


def _ended(outcome: runner.Outcome, folder: Path) -> tuple[int, str]:
    """Return the exit code of a run and what went wrong."""
    if outcome.interrupted:
        return INTERRUPTED, "interrupted"
    if outcome.halted:
        return INCOMPLETE, outcome.halted
    if outcome.failed:
        cells = f"{len(outcome.failed)} cell{'s' * (len(outcome.failed) > 1)} failed"
        return FAILED, f"{cells} ({outcome.failed[0].problems[0]}); logs are in {folder}/cells"
    return DONE, ""


def _measure_series(
    folder: Path, kind: str, plans: Mapping[str, Plan], measured: Callable[[str, Path], None], programs: Programs = OURS
) -> int:
    """Measure several small runs into a folder, and return the exit code."""
    cells = [cell for plan in plans.values() for cell in plan.cells()]
    err.print(f"{kind}: {len(cells)} cells, about {duration(sum(cell.expected_s for cell in cells))}", highlight=False)
    with Bar(err, cells) as bar:
        outcome = run_series(folder, kind, plans, _patterns(), bar, measured, programs)
    if outcome.interrupted:
        return _fail(INTERRUPTED, f"interrupted; what was measured is in {folder}")
    if outcome.halted:
        return _fail(INCOMPLETE, f"{outcome.halted}; what was measured is in {folder}")
    if outcome.failed:
        return _fail(FAILED, f"a cell failed, its logs are in {folder}: {'; '.join(outcome.failed[0].problems)}")
    return DONE


def _ruling(folder: Path) -> "Ruling":
    import msgspec

    from reports.validity.caution import Ruling
    from reports.page.page import VERDICT_FILE

    return msgspec.json.decode((folder / VERDICT_FILE).read_bytes(), type=Ruling)


def _show(folder: Path, page: Path | None, ruling: "Ruling | None", outcome: runner.Outcome, as_json: bool) -> None:
    """Print what a run came to: the summary, what it is worth, and where the page is."""
    import pandas as pd

    from reports.page.terminal import ruling_lines, summary_table

    summary = pd.read_csv(folder / "summary.csv") if page else pd.DataFrame()
    if as_json:
        cells = [{"name": cell.name, "status": cell.status, "problems": cell.problems} for cell in outcome.cells]
        rows = json.loads(summary.to_json(orient="records"))
        result = {"run": str(folder), "report": str(page) if page else None, "cells": cells, "summary": rows}
        result |= {"verdict": ruling.verdict, "cautions": [asdict(c) for c in ruling.cautions]} if ruling else {}
        print(json.dumps(result))
    elif ruling:
        if not ruling.worthless:  # figures in a row look like an answer
            out.print(summary_table(summary))
        for line in ("", *ruling_lines(ruling)):
            out.print(line, markup=False, highlight=False, soft_wrap=True)
        out.print(f"\n{page}", highlight=False, soft_wrap=True)


def _page(folder: Path) -> Path:
    """Write the report of a run and return its page. Raises ValueError for a run that cannot be reported."""
    from reports.data.load import ReportError
    from reports.page.page import write_report

    try:
        with err.status("writing the report"):
            return write_report(folder)
    except ReportError as problem:
        raise ValueError(str(problem)) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Whatever goes wrong in a foreseen way is one line on stderr."""
    if arguments is not None:
        return _command(arguments)
    stdout = standard_streams.settle()
    code = _command(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # there is nothing left to interrupt
    sys.stdout.flush()
    return _fail(UNWRITTEN, f"cannot write to stdout: {stdout.problem}") if stdout.problem and code == DONE else code


def _command(words: Sequence[str]) -> int:
    for number in heeded():
        signal.signal(number, _interrupt)
    try:
        return int(app([*words] or ["--help"], prog_name="pollbench", standalone_mode=False) or DONE)
    except typer.TyperException as problem:
        return _fail(USAGE, problem.format_message())
    except ValueError as problem:
        return _fail(USAGE, str(problem))
    except webui.Unreachable as problem:
        return _fail(UNREACHABLE, str(problem))
    except (KeyboardInterrupt, typer.Abort):
        return _fail(INTERRUPTED, "interrupted")


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM and a closed terminal end a run as Ctrl-C does: processes stopped, finished cells kept and reported."""
    raise KeyboardInterrupt


def _fail(code: int, problem: str) -> int:
    err.print(f"pollbench: {' '.join(problem.split())}", markup=False, highlight=False, soft_wrap=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
