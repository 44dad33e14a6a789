"""One arm as one cell: a pattern under a scenario, measured by the runner and read as a report reads it."""

from collections.abc import Container
from pathlib import Path

from loadtests.records.manifest import Cell
from loadtests.runs import runner
from loadtests.runs.commands import OURS, Programs
from loadtests.scenario.plan import Plan, PlannedCell
from loadtests.scenario.scenarios import Scenario
from reports.replications import Measured
from reports.replications.replicate import measured
from reports.validity.caution import Severity
from servers import patterns


class CellFailed(Exception):
    """A cell that did not finish, and why."""


def run_cell(pattern: str, scenario: Scenario, where: Path, programs: Programs = OURS) -> Measured:
    """Measure one cell into an empty folder and return its report's figures: `.row(pattern)`, `.latency`, `.evidence`.

    Raises CellFailed, KeyboardInterrupt.
    """
    plan, labels = Plan(scenario, (pattern,), 1), {pattern: patterns.facts(pattern).label}
    runner.begin(where, plan, labels, "compare")
    outcome = runner.run_cells(where, plan.cells(), labels, _Unwatched(), programs)
    if outcome.interrupted:
        raise KeyboardInterrupt
    problems = [outcome.halted, *(problem for cell in outcome.failed for problem in cell.problems)]
    if any(problems):
        raise CellFailed("; ".join(filter(None, problems)))
    return measured(where)


def doubts(found: Measured) -> list[str]:
    """Return what speaks against believing a cell, for `Observation.doubts`, without this run's own figures: so that
    the page can count it over the repeats. `pollbench report` on the cell's folder has the whole."""
    return _reasons(found, {"suspect"})


def invalid(found: Measured) -> list[str]:
    """Return why nothing may be decided from a cell, for `Observation.invalid`."""
    return _reasons(found, {"invalid", "fail"})


def _reasons(found: Measured, severities: Container[Severity]) -> list[str]:
    return [caution.what.partition(":")[0] for caution in found.evidence.cautions if caution.severity in severities]


class _Unwatched:
    def starts(self, planned: PlannedCell) -> None: ...
    def tick(self) -> None: ...
    def ended(self, cell: Cell) -> None: ...
