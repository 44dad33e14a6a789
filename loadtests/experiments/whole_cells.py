"""One arm as one cell: a pattern under a scenario, measured as a planned run. Its run folder is what was observed."""

from pathlib import Path

from loadtests.records.manifest import Cell
from loadtests.runs import runner
from loadtests.runs.commands import OURS, Programs
from loadtests.scenario.plan import Plan, PlannedCell
from loadtests.scenario.scenarios import Scenario
from servers.patterns import facts


class ArmFailed(Exception):
    """A cell that did not finish, and why."""


def run_cell(pattern: str, scenario: Scenario, where: Path, programs: Programs = OURS) -> None:
    """Measure one cell into an empty folder. Raises ArmFailed, KeyboardInterrupt."""
    plan, labels = Plan(scenario, (pattern,), 1), {pattern: facts(pattern).label}
    runner.begin(where, plan, labels, "compare")
    outcome = runner.run_cells(where, plan.cells(), labels, _Unwatched(), programs)
    if outcome.interrupted:
        raise KeyboardInterrupt
    problems = [outcome.halted, *(problem for cell in outcome.failed for problem in cell.problems)]
    if any(problems):
        raise ArmFailed("; ".join(filter(None, problems)))


class _Unwatched:
    def starts(self, planned: PlannedCell) -> None: ...
    def tick(self) -> None: ...
    def ended(self, cell: Cell) -> None: ...
