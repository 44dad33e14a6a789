"""`run` and `compare`: measure a plan, write the report, and print the verdict."""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from loadtests.host import environment
from loadtests.metrics.destination import Destination, parse_metrics
from loadtests.runs import runner
from loadtests.runs.hosts.meeting import Meeting, with_meeting
from loadtests.runs.progress import duration
from loadtests.runs.run_folder import new_folder
from loadtests.scenario.asked import Asked
from loadtests.scenario.enough import ENOUGH_MESSAGES, long_enough
from loadtests.scenario.overrides import overridden, with_overrides, with_target
from loadtests.scenario.plan import Plan, PlannedCell, choose, known_name
from loadtests.scenario.scenarios import SCENARIOS, Scenario
from loadtests.scenario.settings import typed
from loadtests.scenario.sharing import shared_out
from loadtests.scenario.size import LARGE_BYTES, needed_bytes
from reports.commands.cells import ended, ruling_of, run_cells, told_to, write_markdown, write_page
from reports.commands.ci import show
from reports.commands.common import (
    Export,
    Json,
    Metrics,
    Out,
    Quiet,
    Slo,
    fail,
    one_folder,
    out,
    pattern_labels,
    pattern_names,
    say,
    scenario_names,
    tell,
)
from reports.commands.exits import DONE, INCOMPLETE, INTERRUPTED, INVALID
from reports.commands.target import followed, patterns_of

if TYPE_CHECKING:
    from loadtests.runs.hosts.crewing import LoadHosts
    from reports.ci.gates import Gate
    from reports.validity.caution import Ruling


@dataclass(frozen=True, slots=True)
class Telling:
    """How a result is told. slo: goals to hold it against. Raises ValueError for goals that cannot be read."""

    as_json: bool
    quiet: bool
    slo: Path | None
    markdown: Path | None
    metrics: Destination

    def __post_init__(self) -> None:
        if self.slo is not None:
            from reports.ci.gates import read_slo

            read_slo(self.slo)


@with_overrides
@with_target()
@with_meeting
def run(
    overrides: Mapping[str, object],
    asked: Asked,
    meeting: Meeting,
    pattern: Annotated[str, typer.Argument(help="see pollbench patterns", autocompletion=pattern_names)],
    scenario: Annotated[str, typer.Argument(help="see pollbench scenarios", autocompletion=scenario_names)] = "feed",
    repeats: Annotated[int, typer.Option(metavar="N", help="number of repeats")] = 1,
    folder: Out = None,
    slo: Slo = None,
    metrics: Metrics = None,
    export: Export = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Measure one pattern under one scenario.

    Examples:

        pollbench run sse
        pollbench run long_polling quiet --hold-timeout 10 --repeats 3
        pollbench run sse --url http://127.0.0.1:8000/events --publish 'POST /messages {"text": "{{message}}"}'
    """
    telling = Telling(as_json, quiet, slo, export, parse_metrics(metrics or ()))
    labels = pattern_labels()
    patterns = (known_name(pattern, labels, "pattern"),)
    wanted = followed(overridden(scenario, overrides, SCENARIOS["feed"]), patterns, asked)
    plan = Plan(_fitted(wanted, overrides, telling), patterns, repeats)
    with _hosts(plan, meeting, telling) as hosts:
        return _measure(_new_run("run", folder, plan, labels), plan, labels, telling, hosts)


@with_overrides
@with_target()
@with_meeting
def compare(
    overrides: Mapping[str, object],
    asked: Asked,
    meeting: Meeting,
    pattern: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[,NAME]", help="patterns to measure", show_default="all", autocompletion=pattern_names
        ),
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="scenario", show_default="feed", autocompletion=scenario_names),
    ] = None,
    repeats: Annotated[int | None, typer.Option(metavar="N", help="repeats of each cell", show_default="3")] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="continue this run: measure its missing cells")
    ] = None,
    folder: Out = None,
    slo: Slo = None,
    metrics: Metrics = None,
    export: Export = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Measure patterns side by side and write a report: all six in under 3 minutes.

    Examples:

        pollbench compare
        pollbench compare --scenario busy --pattern long_polling,sse --clients 200 --repeats 5
        pollbench compare --resume runs/2026-11-24T07-30-00-compare-feed
        pollbench compare --target nchan --url http://127.0.0.1:8080 --clients 200
    """
    telling = Telling(as_json, quiet, slo, export, parse_metrics(metrics or ()))
    labels = pattern_labels()
    saved = runner.reopen(resume) if resume else Plan(SCENARIOS["feed"], tuple(labels), 3)
    named = None if pattern is None else choose(pattern, labels, "pattern")
    wanted = followed(overridden(scenario, overrides, saved.scenario), named or tuple(labels), asked)
    plan = Plan(
        wanted if resume else _fitted(wanted, overrides, telling),
        (saved.patterns if resume else patterns_of(wanted, saved.patterns)) if named is None else named,
        saved.repeats if repeats is None else repeats,
    )
    one_folder(folder, resume, "missing cells are added to the resumed run")
    if resume is not None:
        runner.check_resumable(resume, plan)
    with _hosts(plan, meeting, telling) as hosts:
        return _measure(resume or _new_run("compare", folder, plan, labels), plan, labels, telling, hosts)


def _hosts(plan: Plan, meeting: Meeting, telling: Telling) -> "AbstractContextManager[LoadHosts | None]":
    """Open the run to load hosts where its clients are theirs. Raises ValueError for options that cannot be obeyed."""
    meeting.needed(plan.scenario)
    if not plan.scenario.workers:
        return nullcontext()
    from loadtests.runs.hosts.crewing import LoadHosts

    return LoadHosts(meeting, os.environ, tell, telling=telling.metrics != Destination())


def _fitted(scenario: Scenario, overrides: Mapping[str, object], telling: "Telling") -> Scenario:
    """Return the scenario with what it leaves open decided as this machine and its messages want it."""
    return shared_out(_enough(scenario, overrides, telling), environment.cores())


def _enough(scenario: Scenario, overrides: Mapping[str, object], telling: "Telling") -> Scenario:
    """Lengthen a window that is too short for its messages, unless it was asked for, and say so."""
    if overrides.get("window_s") is not None:
        return scenario
    longer = long_enough(scenario)
    if longer is not scenario and not telling.quiet:
        lengths = [typed("window_s", each.window_s) for each in (longer, scenario)]
        tell(
            f"the window is {lengths[0]} instead of {lengths[1]}, so that {ENOUGH_MESSAGES} messages are due in it "
            "(set --window to change that)"
        )
    return longer


def _new_run(kind: str, folder: Path | None, plan: Plan, labels: Mapping[str, str]) -> Path:
    folder = folder or new_folder(kind, plan.scenario.name)
    runner.begin(folder, plan, labels, kind)
    return folder


def _measure(
    folder: Path, plan: Plan, labels: Mapping[str, str], telling: Telling, hosts: "LoadHosts | None" = None
) -> int:
    """Measure the missing cells of a run folder, write its report, and return the exit code."""
    names = [cell.name for cell in plan.cells()]
    cells = runner.lacking(folder, plan)
    expected_s = sum(cell.expected_s for cell in cells)
    if not telling.quiet:
        tell(f"{plan}: {len(cells)} cells, about {duration(expected_s)}")
        _tell_size(folder, cells)
    with told_to(telling.metrics, folder, hosts) as watched:
        outcome = run_cells(folder, cells, labels, *watched, quiet=telling.quiet, hosts=hosts)
        kept = runner.finished_cells(folder, names)
        page, halted = None, outcome.halted
        try:
            page = write_page(folder) if kept else None
        except ValueError as problem:
            halted = halted or str(problem)
        ruling = ruling_of(folder) if page else None
        for each in watched:
            each.rule(ruling.verdict if ruling else "")
        gate = _held(folder, telling.slo) if page and telling.slo else None
        _show(folder, page, ruling, gate, outcome, telling)
    resume = f"{len(kept)} of {len(names)} cells are kept; continue with: pollbench compare --resume {folder}"
    code, what = ended(replace(outcome, halted=halted), folder)
    if code in {INTERRUPTED, INCOMPLETE} or (code and not (ruling and ruling.worthless)):
        return fail(code, f"{what}; {resume}")
    if ruling and ruling.worthless:
        return fail(INVALID, f"{ruling.verdict}: {ruling.doubts()[0].what}; do not decide anything from {folder}")
    return int(gate.exit_code) if gate else DONE


def _held(folder: Path, slo: Path) -> "Gate":
    """Hold a run against goals. Raises ReportError."""
    from reports.ci.gates import check_slo

    return check_slo(folder, slo)


def _tell_size(folder: Path, cells: Sequence[PlannedCell]) -> None:
    """Say how much a run writes where that is much, and whether there is room for it."""
    per_s, size = needed_bytes(cells)
    free = shutil.disk_usage(folder).free
    if size < LARGE_BYTES and size < free:
        return
    room = f"there are {free / 1e9:,.1f} GB free" + (", which may be too little" if size > free else "")
    tell(
        f"it writes up to {per_s / 1e6:,.0f} MB a second and needs up to {size / 1e9:,.1f} GB in {folder}: {room}; "
        "--keep summary keeps counts instead of rows"
    )


def _show(
    folder: Path,
    page: Path | None,
    ruling: "Ruling | None",
    gate: "Gate | None",
    outcome: runner.Outcome,
    telling: Telling,
) -> None:
    """Print what a run came to: goals met or missed, the figures, what it says and is worth, and where the page is."""
    import pandas as pd

    from reports.page.outcome import told
    from reports.page.terminal import ruling_lines, summary_table

    summary = pd.read_csv(folder / "summary.csv") if page else pd.DataFrame()
    if telling.markdown and ruling:
        write_markdown(folder, telling.markdown, gate.markdown() if gate else "")
    if telling.as_json:
        print(
            msgspec.json.encode(
                told(folder, page, outcome.cells, summary, ruling, gate.table() if gate else ())
            ).decode()
        )
    elif ruling:
        if gate:
            show(gate)
            out.print()
        if not ruling.worthless and not telling.quiet:  # figures in a row look like an answer
            out.print(summary_table(summary))
            out.print()
        for line in ruling_lines(ruling):
            say(line)
        say(f"\n{page}")
