"""How commands have cells measured: with a bar that tells the progress, and an exit code for how it ended."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from loadtests.metrics.destination import Destination
from loadtests.records.manifest import Cell
from loadtests.runs import runner
from loadtests.runs.commands import OURS, Programs
from loadtests.runs.progress import Bar, duration
from loadtests.runs.series import run_series
from loadtests.scenario.plan import Plan, PlannedCell
from reports.commands.common import err, fail, pattern_labels, tell, write_asked
from reports.commands.exits import DONE, FAILED, INCOMPLETE, INTERRUPTED

if TYPE_CHECKING:
    from loadtests.metrics.watched import Watched
    from loadtests.runs.hosts.crewing import LoadHosts
    from reports.validity.caution import Ruling


class Together:
    """Several watchers as one."""

    def __init__(self, *watchers: runner.Watcher) -> None:
        self._watchers = watchers

    def starts(self, planned: PlannedCell) -> None:
        for each in self._watchers:
            each.starts(planned)

    def tick(self) -> None:
        for each in self._watchers:
            each.tick()

    def ended(self, cell: Cell) -> None:
        for each in self._watchers:
            each.ended(cell)


@contextmanager
def told_to(asked: Destination, folder: Path, hosts: "LoadHosts | None" = None) -> "Iterator[list[Watched]]":
    """Yield whoever tells live figures of a run folder, and say where; nobody where nothing is asked. hosts: its."""
    if asked == Destination():
        yield []
        return
    from loadtests.metrics.watched import Watched

    with Watched(folder, asked, hosts) as watched:
        if watched.url:
            tell(f"metrics: {watched.url}")
        yield [watched]


def run_cells(
    folder: Path,
    cells: Sequence[PlannedCell],
    labels: Mapping[str, str],
    *beside: runner.Watcher,
    quiet: bool = False,
    hosts: "LoadHosts | None" = None,
) -> runner.Outcome:
    """Measure cells into a run folder. beside: who else watches; quiet: without a word of how far it is; hosts: those
    that drive the clients of cells with workers.
    """
    from reports.page.terminal import LiveTable

    with Bar(Console(quiet=True) if quiet else err, cells, LiveTable(folder)) as bar:
        return runner.run_cells(folder, cells, labels, Together(bar, *beside), hosts=hosts)


def ended(outcome: runner.Outcome, folder: Path) -> tuple[int, str]:
    """Return the exit code of a run and what went wrong."""
    if outcome.interrupted:
        return INTERRUPTED, "interrupted"
    if outcome.halted:
        return INCOMPLETE, outcome.halted
    if outcome.failed:
        cells = f"{len(outcome.failed)} cell{'s' * (len(outcome.failed) > 1)} failed"
        return FAILED, f"{cells} ({outcome.failed[0].problems[0]}); logs are in {folder}/cells"
    return DONE, ""


def measure_series(
    folder: Path, kind: str, plans: Mapping[str, Plan], measured: Callable[[str, Path], None], programs: Programs = OURS
) -> int:
    """Measure several small runs into a folder, and return the exit code."""
    cells = [cell for plan in plans.values() for cell in plan.cells()]
    tell(f"{kind}: {len(cells)} cells, about {duration(sum(cell.expected_s for cell in cells))}")
    with Bar(err, cells) as bar:
        outcome = run_series(folder, kind, plans, pattern_labels(), bar, measured, programs)
    if outcome.interrupted:
        return fail(INTERRUPTED, f"interrupted; finished cells are in {folder}")
    if outcome.halted:
        return fail(INCOMPLETE, f"{outcome.halted}; finished cells are in {folder}")
    if outcome.failed:
        return fail(FAILED, f"a cell failed, its logs are in {folder}: {'; '.join(outcome.failed[0].problems)}")
    return DONE


def write_page(folder: Path) -> Path:
    """Write the report of a run and return its page. Raises ValueError for a run that cannot be reported."""
    from reports.page.page import write_report

    with err.status("writing the report"):
        return write_report(folder)


def ruling_of(folder: Path) -> "Ruling":
    """Return the verdict on a run that has a report."""
    from reports.validity.caution import VERDICT_FILE, Ruling

    return msgspec.json.decode((folder / VERDICT_FILE).read_bytes(), type=Ruling)


def write_markdown(folder: Path, file: Path, goals: str = "") -> None:
    """Write what `--export-markdown` asks for of a run that has a report. goals: as of `run_markdown`."""
    import pandas as pd

    from reports.page.markdown import run_markdown

    summary = pd.read_csv(folder / "summary.csv")
    write_asked("--export-markdown", file, run_markdown(folder.name, ruling_of(folder), summary, goals))
