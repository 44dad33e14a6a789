"""`run` and `compare`: measure a plan, write the report, and print the verdict."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from loadtests.host import environment
from loadtests.runs import runner
from loadtests.runs.progress import duration
from loadtests.scenario.asked import Asked
from loadtests.scenario.enough import ENOUGH_MESSAGES, long_enough
from loadtests.scenario.overrides import overridden, with_overrides, with_target
from loadtests.scenario.plan import Plan, PlannedCell, choose, known_name
from loadtests.scenario.scenarios import SCENARIOS, Scenario
from loadtests.scenario.sharing import shared_out
from loadtests.scenario.size import LARGE_BYTES, needed_bytes
from reports.commands.cells import ended, run_cells, write_page
from reports.commands.common import Json, Out, err, fail, out, pattern_labels, pattern_names, scenario_names
from reports.commands.exits import DONE, INCOMPLETE, INTERRUPTED, INVALID
from reports.commands.target import followed, patterns_of

if TYPE_CHECKING:
    from reports.validity.caution import Ruling


@with_overrides
@with_target()
def run(
    overrides: Mapping[str, object],
    asked: Asked,
    pattern: Annotated[str, typer.Argument(help="see pollbench patterns", autocompletion=pattern_names)],
    scenario: Annotated[str, typer.Argument(help="see pollbench scenarios", autocompletion=scenario_names)] = "feed",
    repeats: Annotated[int, typer.Option(metavar="N", help="number of repeats")] = 1,
    folder: Out = None,
    as_json: Json = False,
) -> int:
    """Measure one pattern under one scenario.

    Examples:

        pollbench run sse
        pollbench run long_polling quiet --hold-timeout 10 --repeats 3
        pollbench run sse --url http://127.0.0.1:8000/events --publish 'POST /messages {"text": "{{message}}"}'
    """
    labels = pattern_labels()
    patterns = (known_name(pattern, labels, "pattern"),)
    wanted = followed(overridden(scenario, overrides, SCENARIOS["feed"]), patterns, asked)
    plan = Plan(_fitted(wanted, overrides), patterns, repeats)
    return _measure(_new_run("run", folder, plan, labels), plan, labels, as_json)


@with_overrides
@with_target()
def compare(
    overrides: Mapping[str, object],
    asked: Asked,
    pattern: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[,NAME]", help="patterns to measure (default: all)", autocompletion=pattern_names),
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(metavar="NAME", help="scenario (default: feed)", autocompletion=scenario_names)
    ] = None,
    repeats: Annotated[int | None, typer.Option(metavar="N", help="repeats of each cell (default: 3)")] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="continue this run: measure its missing cells")
    ] = None,
    folder: Out = None,
    as_json: Json = False,
) -> int:
    """Measure patterns side by side and write a report: all six in under 3 minutes.

    Examples:

        pollbench compare
        pollbench compare --scenario busy --pattern long_polling,sse --clients 200 --repeats 5
        pollbench compare --resume runs/2026-11-24T07-30-00-compare-feed
        pollbench compare --target nchan --url http://127.0.0.1:8080 --clients 200
    """
    labels = pattern_labels()
    saved = runner.reopen(resume) if resume else Plan(SCENARIOS["feed"], tuple(labels), 3)
    named = None if pattern is None else choose(pattern, labels, "pattern")
    wanted = followed(overridden(scenario, overrides, saved.scenario), named or tuple(labels), asked)
    plan = Plan(
        wanted if resume else _fitted(wanted, overrides),
        (saved.patterns if resume else patterns_of(wanted, saved.patterns)) if named is None else named,
        saved.repeats if repeats is None else repeats,
    )
    if resume is None:
        return _measure(_new_run("compare", folder, plan, labels), plan, labels, as_json)
    if folder is not None:
        raise ValueError(
            f"--out {folder} and --resume {resume} exclude each other: missing cells are added to the resumed run"
        )
    runner.check_resumable(resume, plan)
    return _measure(resume, plan, labels, as_json)


def _fitted(scenario: Scenario, overrides: Mapping[str, object]) -> Scenario:
    """Return the scenario with what it leaves open decided as this machine and its messages want it."""
    return shared_out(_enough(scenario, overrides), environment.cores())


def _enough(scenario: Scenario, overrides: Mapping[str, object]) -> Scenario:
    """Lengthen a window that is too short for its messages, unless it was asked for, and say so."""
    if overrides.get("window_s") is not None:
        return scenario
    longer = long_enough(scenario)
    if longer is not scenario:
        err.print(
            f"the window is {longer.window_s:g} s instead of {scenario.window_s:g} s, so that {ENOUGH_MESSAGES} "
            "messages are due in it (set --window to change that)",
            highlight=False,
            soft_wrap=True,
        )
    return longer


def _new_run(kind: str, folder: Path | None, plan: Plan, labels: Mapping[str, str]) -> Path:
    folder = folder or runner.folder_for(kind, plan.scenario.name, datetime.now(UTC))
    runner.begin(folder, plan, labels, kind)
    return folder


def _measure(folder: Path, plan: Plan, labels: Mapping[str, str], as_json: bool) -> int:
    """Measure the missing cells of a run folder, write its report, and return the exit code."""
    names = [cell.name for cell in plan.cells()]
    cells = runner.lacking(folder, plan)
    expected_s = sum(cell.expected_s for cell in cells)
    err.print(f"{plan}: {len(cells)} cells, about {duration(expected_s)}", highlight=False, soft_wrap=True)
    _tell_size(folder, cells)
    outcome = run_cells(folder, cells, labels)
    kept = runner.finished_cells(folder, names)
    page, halted = None, outcome.halted
    try:
        page = write_page(folder) if kept else None
    except ValueError as problem:
        halted = halted or str(problem)
    ruling = _ruling(folder) if page else None
    _show(folder, page, ruling, outcome, as_json)
    resume = f"{len(kept)} of {len(names)} cells are kept; continue with: pollbench compare --resume {folder}"
    code, what = ended(replace(outcome, halted=halted), folder)
    if code in {INTERRUPTED, INCOMPLETE} or not (ruling and ruling.worthless):
        return fail(code, f"{what}; {resume}") if code else DONE
    return fail(INVALID, f"{ruling.verdict}: {ruling.doubts()[0].what}; do not decide anything from {folder}")


def _tell_size(folder: Path, cells: Sequence[PlannedCell]) -> None:
    """Say how much a run writes where that is much, and whether there is room for it."""
    per_s, size = needed_bytes(cells)
    free = shutil.disk_usage(folder).free
    if size < LARGE_BYTES and size < free:
        return
    room = f"there are {free / 1e9:,.1f} GB free" + (", which may be too little" if size > free else "")
    err.print(
        f"it writes up to {per_s / 1e6:,.0f} MB a second and needs up to {size / 1e9:,.1f} GB in {folder}: {room}",
        highlight=False,
        soft_wrap=True,
    )


def _ruling(folder: Path) -> "Ruling":
    from reports.page.page import VERDICT_FILE
    from reports.validity.caution import Ruling

    return msgspec.json.decode((folder / VERDICT_FILE).read_bytes(), type=Ruling)


def _show(folder: Path, page: Path | None, ruling: "Ruling | None", outcome: runner.Outcome, as_json: bool) -> None:
    """Print the result of a run: the summary, the verdict, and the path of the page."""
    import pandas as pd

    from reports.page.terminal import ruling_lines, summary_table

    summary = pd.read_csv(folder / "summary.csv") if page else pd.DataFrame()
    if as_json:
        cells = [{"name": cell.name, "status": cell.status, "problems": cell.problems} for cell in outcome.cells]
        rows = json.loads(summary.to_json(orient="records"))
        result = {"run": str(folder), "report": str(page) if page else None, "cells": cells, "summary": rows}
        if ruling:
            cautions = [asdict(each) for each in ruling.cautions]
            result |= {"answers": ruling.answers, "verdict": ruling.verdict, "cautions": cautions}
        print(json.dumps(result))
    elif ruling:
        if not ruling.worthless:  # figures in a row look like an answer
            out.print(summary_table(summary))
        for line in ("", *ruling_lines(ruling)):
            out.print(line, markup=False, highlight=False, soft_wrap=True)
        out.print(f"\n{page}", highlight=False, soft_wrap=True)
