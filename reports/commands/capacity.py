"""`capacity`: measure one load after the other to find how much a server holds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from loadtests.host import environment
from loadtests.metrics.destination import parse_metrics
from loadtests.runs import runner
from loadtests.runs.progress import Bar
from loadtests.runs.run_folder import new_folder
from loadtests.runs.runner import NoRoom
from loadtests.scenario.asked import Asked
from loadtests.scenario.dimensions import CLIENTS, RATE, Dimension
from loadtests.scenario.overrides import overridden, with_overrides, with_target
from loadtests.scenario.plan import Plan, known_name
from loadtests.scenario.scenarios import SCENARIOS, Scenario
from loadtests.scenario.settings import ROWS, typed
from loadtests.scenario.sharing import shared_out
from reports.basics.units import counted
from reports.commands.cells import Together, ended, told_to
from reports.commands.common import (
    Export,
    Json,
    Metrics,
    Out,
    Quiet,
    err,
    fail,
    one_folder,
    out,
    pattern_labels,
    pattern_names,
    say,
    scenario_names,
    show_table,
    tell,
    write_asked,
)
from reports.commands.exits import DONE, INVALID
from reports.commands.target import followed

if TYPE_CHECKING:
    from loadtests.metrics.watched import Watched
    from reports.capacity.found import Found
    from reports.capacity.rungs import Rung
    from reports.ci.slo import Goal

CAPACITY_EPILOG: Final = (
    "Exit codes: 0 the limit is known; 2 wrong option or unreadable input; 4 incomplete, finished cells are "
    "kept; 7 the server's limit is unknown: the load generator was the limit from the first load on; 130 interrupted."
)
GOALS: Final = ("p99_ms < 1000", "missed == 0", "errors == 0")
ALONG: Final = {"clients": CLIENTS, "rate": RATE}
MOST: Final = 50_000
MOST_REPEATS: Final = 20
FILE: Final = "capacity.json"


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked. first, most: loads; precision: 0.1 for 10 %."""

    pattern: str
    scenario: Scenario
    along: Dimension
    goals: "tuple[Goal, ...]"
    first: int
    most: int
    precision: float
    repeats: int

    def plan(self, load: int) -> Plan:
        if self.along is CLIENTS:
            scenario = replace(self.scenario, clients=(load,))
        else:
            kind = self.scenario.schedule.partition(":")[0]
            scenario = replace(self.scenario, schedule=f"{kind}:{load}")
        return Plan(shared_out(scenario, environment.cores()), (self.pattern,), self.repeats)

    @property
    def conditions(self) -> str:
        """What was the same at every load."""
        scenario = self.scenario
        fixed = scenario.schedule if self.along is CLIENTS else CLIENTS.says(scenario.clients[0])
        distance = f"round trip {typed('rtt_ms', scenario.rtt_ms)}" if any(scenario.rtt_ms) else "no network delay"
        window = typed("window_s", scenario.window_s)
        return f"{scenario.name}: {fixed}, {distance}, each load measured {counted(self.repeats, 'time')} for {window}"


@with_overrides
@with_target()
def capacity(
    overrides: Mapping[str, object],
    asked: Asked,
    pattern: Annotated[str, typer.Argument(help="see pollbench patterns", autocompletion=pattern_names)],
    scenario: Annotated[str, typer.Argument(help="see pollbench scenarios", autocompletion=scenario_names)] = "feed",
    goal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GOAL",
            help="requirement; may be repeated",
            show_default=f"the scenario's, or {'; '.join(GOALS)}",
        ),
    ] = None,
    of: Annotated[
        str, typer.Option(metavar="WHAT", help="load to raise: clients or rate (messages per second)")
    ] = "clients",
    most: Annotated[int, typer.Option(metavar="N", min=1, max=MOST, help="the largest load to try")] = MOST,
    precision: Annotated[
        float, typer.Option(metavar="SHARE", min=0.01, max=1, help="precision of the limit: 0.1 is 10 %")
    ] = 0.1,
    repeats: Annotated[int, typer.Option(metavar="N", min=1, max=MOST_REPEATS, help="repeats of each load")] = 3,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="continue this search")] = None,
    folder: Out = None,
    metrics: Metrics = None,
    export: Export = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Find out how many clients, or messages per second, a server holds: the load doubles until a goal breaks.

    Then the search narrows the limit down. It begins with the load of the scenario (--clients, --schedule), and says so
    when the load generator is the limit instead of the server.

    Examples:

        pollbench capacity sse --goal "p99_ms < 250" --goal "missed == 0"
        pollbench capacity long_polling --of rate --clients 100 --most 500
        pollbench capacity sse --target chat.toml --goal "p99_ms < 250"
    """
    labels = pattern_labels()
    known_name(pattern, labels, "pattern")
    begun = followed(overridden(scenario, overrides, SCENARIOS["feed"]), (pattern,), asked)
    if begun.keep != ROWS:
        raise ValueError(f"--keep {begun.keep} is no choice here: deliveries that cross a window's edges are looked at")
    search = _search(pattern, begun, goal, of, most, precision, repeats)
    one_folder(folder, resume, "a search goes on where it was")
    if resume and not resume.is_dir():
        raise ValueError(f"--resume {resume} is no folder of a search; drop it to begin a new one")
    destination = parse_metrics(metrics or ())
    where = resume or folder or new_folder("capacity", pattern, of)
    if not resume:
        runner.make_folder(where, "continue that search")
    with told_to(destination, where) as watched:
        code, rungs = _climb(where, search, labels, watched, quiet=quiet)
    if code != DONE or not rungs:
        return code
    found = _kept(where, search, rungs, labels)
    if export:
        write_asked("--export-markdown", export, found.markdown())
    return _tell(where, found, quiet=quiet, as_json=as_json)


def _search(
    pattern: str, scenario: Scenario, goals: list[str] | None, of: str, most: int, precision: float, repeats: int
) -> Search:
    """Check what was asked. Raises ValueError that names option, value and remedy."""
    from reports.ci.slo import parse_slo

    along = ALONG[known_name(of, ALONG, "--of")]
    schedules = scenario.schedules
    if len(scenario.clients) > 1 or len(schedules) > 1 or len(scenario.rtt_ms) > 1:
        raise ValueError("a search begins at one load: give one value each to --clients, --schedule and --rtt")
    (rate_per_s,) = schedules
    kind = scenario.schedule.partition(":")[0]
    if along is RATE and kind not in ("poisson", "steady"):
        raise ValueError(f"--schedule {scenario.schedule} has no rate to raise: use poisson:RATE or steady:RATE")
    first = scenario.clients[0] if along is CLIENTS else max(1, round(rate_per_s))
    if first > most:
        raise ValueError(f"--most {most} is less than the {first} the search begins with: lower --{of} or raise --most")
    wanted = parse_slo(f"slo = {json.dumps(goals or scenario.goals or GOALS)}", "--goal")
    return Search(pattern, scenario, along, tuple(wanted), first, most, precision, repeats)


def _climb(
    where: Path, search: Search, labels: Mapping[str, str], watched: "Sequence[Watched]", *, quiet: bool
) -> "tuple[int, list[Rung]]":
    """Measure load after load, and return the exit code and the rungs."""
    from reports.capacity.rungs import Rung, judged
    from reports.capacity.search import TriedLoad, following

    rungs: list[Rung] = []
    while (load := following([r.tried for r in rungs], search.first, search.most, search.precision)) is not None:
        run_dir = where / f"{search.along.short}-{load:06}"
        try:
            outcome = _measured(run_dir, search.plan(load), labels, watched, quiet=quiet)
        except NoRoom as full:
            if not rungs:
                raise
            rungs.append(Rung(TriedLoad(load, (), f"this machine is the limit: {full}"), {}))
            continue
        if outcome.interrupted or outcome.halted:
            code, what = ended(outcome, run_dir)
            return fail(code, f"{what}; continue with --resume {where}"), rungs
        rungs.append(judged(run_dir, load, search.goals))
        told = "held" if rungs[-1].tried.held else f"not held: {rungs[-1].blame}"
        if not quiet:
            tell(f"{search.along.says(load)}: {told}")
    return DONE, rungs


def _measured(
    run_dir: Path, plan: Plan, labels: Mapping[str, str], watched: "Sequence[Watched]", *, quiet: bool
) -> runner.Outcome:
    """Measure what a rung lacks. Raises RunRefused, NoRoom where the load is too much for this machine."""
    cells = runner.taken_up(run_dir, plan, labels, "capacity")
    for each in watched:
        each.folder = run_dir
    with Bar(Console(quiet=True) if quiet else err, cells) as bar:
        return runner.run_cells(run_dir, cells, labels, Together(bar, *watched))


def _kept(where: Path, search: Search, rungs: "list[Rung]", labels: Mapping[str, str]) -> "Found":
    """Say what a search came to, and keep that in its folder."""
    from reports.capacity.found import Found

    found = Found(labels[search.pattern], search.along, search.goals, tuple(rungs), search.conditions)
    told = {"pattern": search.pattern, "scenario": search.scenario.name, **found.as_json()}
    (where / FILE).write_text(json.dumps(told, indent=2), encoding="utf-8")
    return found


def _tell(where: Path, found: "Found", *, quiet: bool, as_json: bool) -> int:
    if as_json:
        print(json.dumps(json.loads((where / FILE).read_bytes()) | {"folder": str(where)}))
    else:
        if not quiet:
            show_table(found.header(), found.rows())
            out.print()
        say(found.answer)
        say(f"\n{where}")
    undecided = all(rung.tried.undecided for rung in found.rungs)
    return fail(INVALID, found.rungs[0].tried.undecided) if undecided else DONE
