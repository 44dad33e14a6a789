"""Servers that are not ours: how commands name them, `target check`, `target list`, and `peers`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from loadtests.foreign.choose import as_toml, choose
from loadtests.foreign.spec import chosen_of
from loadtests.runs import runner
from loadtests.runs.progress import Bar, duration
from loadtests.runs.run_folder import new_folder
from loadtests.scenario.asked import Asked
from loadtests.scenario.overrides import overridden, with_overrides, with_target
from loadtests.scenario.plan import Plan, PlannedCell
from loadtests.scenario.plan import choose as choose_names
from loadtests.scenario.scenarios import SCENARIOS, Scenario
from reports.commands.cells import ended
from reports.commands.common import (
    Json,
    Out,
    err,
    fail,
    one_folder,
    pattern_labels,
    pattern_names,
    say,
    show_table,
    tell,
    write_asked,
)
from reports.commands.exits import DONE, FAILED, INVALID
from servers.targets import presets
from servers.timing.clock import wall_timestamp

if TYPE_CHECKING:
    from reports.peers.table import Page

INSTALLED: Final = Path("build/peers")
LOAD: Final = replace(SCENARIOS["busy"], clients=(100,), schedule="steady:50", window_s=5.0)
"""5,000 deliveries a second: enough to tell servers apart, and within the reach of each of them."""

app = typer.Typer(help="Measure your own server: list the presets, or check that a server can be measured.")


def followed(scenario: Scenario, patterns: Sequence[str], asked: Asked) -> Scenario:
    """Return the scenario at the server that is named, or as it is where none is.

    patterns: those that are asked for, or all there are. Raises ValueError.
    """
    if asked == Asked():
        return scenario
    ours = {f"--server {scenario.server}": scenario.server, f"--fault {scenario.fault}": scenario.fault}
    for option, given in (ours | {"--tls": scenario.tls}).items():
        if given:
            raise ValueError(f"{option} is for servers that pollbench starts: drop it, or --target and --url")
    if not asked.target and len(patterns) > 1:
        raise ValueError("a URL serves one pattern: name the pattern, or describe all of them in a --target")
    chosen = choose(asked, patterns)
    if len(patterns) == 1:
        chosen.adapter.subscription(patterns[0])
    return replace(scenario, target=asked.words(), adapter=chosen.encoded())


def patterns_of(scenario: Scenario, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """Return the patterns by which a server can be followed: all, of one of ours."""
    return tuple(chosen_of(scenario.adapter).adapter.subscriptions()) if scenario.adapter else otherwise


@app.command("list")
def list_presets() -> int:
    """List the presets: servers that pollbench knows how to measure.

    Example:

        pollbench target list
    """
    for name in presets.names():
        adapter = presets.load(name)
        say(f"{name:18}{', '.join(adapter.subscriptions())}: {adapter.about}")
    return DONE


@app.command()
@with_target("target")
def check(
    asked: Asked,
    source: Annotated[str, typer.Argument(metavar="PRESET|FILE|URL", help="the server")],
    pattern: Annotated[
        str, typer.Option(metavar="NAME", help="pattern of the URL", autocompletion=pattern_names)
    ] = "sse",
    idle: Annotated[float, typer.Option(metavar="S", min=0.1, max=600, help="how long to wait for a message")] = 1.0,
    write: Annotated[Path | None, typer.Option(metavar="FILE", help="write its description as TOML")] = None,
) -> int:
    """Send three messages through a server, and report what a client of each pattern received.

    Examples:

        pollbench target check nchan --url http://127.0.0.1:8080
        pollbench target check http://127.0.0.1:8000/events --publish 'POST /messages {"text": "{{message}}"}'
        pollbench target check chat.toml
    """
    from loadtests.probes.target_check import CheckFailed
    from loadtests.probes.target_check import check as look

    named = replace(asked, url=source) if "://" in source else replace(asked, target=source)
    chosen = choose(named, (pattern,))
    if write is not None:
        write_asked("--write", write, as_toml(chosen))
    try:
        good = look(chosen, idle, say)
    except CheckFailed as wrong:
        return fail(FAILED, str(wrong))
    return DONE if good else fail(FAILED, f"{source} cannot be measured as it is described; see above")


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
    from loadtests.records.peers import Record
    from loadtests.runs.foreign.entrants import asked_of, enter, entrants
    from reports.peers.series import page_of, write_page

    labels = pattern_labels()
    wanted = choose_names(pattern, labels, "pattern") if pattern else tuple(labels)
    servers, absent = entrants(installed, name or [])
    for title, missing in absent.items():
        tell(f"{title} is left out: it lacks {', '.join(missing)}; scripts/install-peers installs it")
    one_folder(folder, resume, "a series goes on where it was")
    load = overridden(None, overrides, LOAD)
    plans = {
        f"{each.name}-{by}": Plan(followed(load, (by,), asked_of(each)), (by,), repeats)
        for each in servers
        for by in each.patterns
        if by in wanted
    }
    if not plans:
        raise ValueError(f"none of {', '.join(each.name for each in servers)} is followed by {', '.join(wanted)}")
    root = resume or folder or new_folder("peers")
    if not resume:
        runner.make_folder(root, "continue that series")
    record = enter(root, Record(started_at=wall_timestamp(), servers=servers, absent=absent))
    cells = [
        (root / name, cell)
        for name, plan in plans.items()
        for cell in runner.taken_up(root / name, plan, labels, "run")
    ]
    outcome = _measure(sorted(cells, key=lambda each: each[1].repeat), labels)
    page = page_of(root, record, labels)
    write_page(root, page, write)
    _tell(root, page, as_json)
    code, problem = ended(outcome, root)
    if code:
        return fail(code, f"{problem}; go on with: pollbench peers --resume {root}")
    return fail(INVALID, f"nothing may be decided from {root}") if all(not row.figures for row in page.rows) else DONE


def _measure(cells: Sequence[tuple[Path, PlannedCell]], labels: Mapping[str, str]) -> runner.Outcome:
    """Measure cells of several run folders, in this order; one that fails ends none of the others."""
    total = runner.Outcome()
    planned = [cell for _, cell in cells]
    tell(f"peers: {len(cells)} cells, about {duration(sum(cell.expected_s for cell in planned))}")
    with Bar(err, planned) as bar:
        for folder, cell in cells:
            bar.place = f"{folder.name}: "
            outcome = runner.run_cells(folder, [cell], labels, bar)
            total.cells += outcome.cells
            total.interrupted, total.halted = outcome.interrupted, outcome.halted
            if outcome.interrupted or outcome.halted:
                break
    return total


def _tell(root: Path, page: "Page", as_json: bool) -> None:
    """Print the table, or the same for machines."""
    if as_json:
        rows = [row.as_json() for row in page.rows]
        print(json.dumps({"folder": str(root), "rows": rows, "absent": page.record.absent}))
        return
    shown = [_without_version(row.cells()) for row in page.rows]
    show_table(_without_version(page.header), shown, padding=(0, 1, 0, 0))
    say(f"\n{root / 'index.html'}")


def _without_version(cells: Sequence[str]) -> Sequence[str]:
    """A terminal is narrower than a page."""
    return [cells[0], *cells[2:]]
