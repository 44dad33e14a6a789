"""Several small runs in one folder, one after the other: what an instrument needs to be tested or calibrated."""

from collections.abc import Callable, Mapping
from pathlib import Path

from loadtests.runs import runner
from loadtests.runs.commands import OURS, Programs
from loadtests.runs.runner import Outcome, Watcher
from loadtests.scenario.plan import Plan


def run_series(
    folder: Path,
    kind: str,
    series: Mapping[str, Plan],
    labels: Mapping[str, str],
    watcher: Watcher,
    measured: Callable[[str, Path], None],
    programs: Programs = OURS,
) -> Outcome:
    """Measure each plan into a run folder of its name; call `measured` with name and folder of each that is complete.

    Stops at the first that is interrupted, halted or has a failed cell. Raises RunRefused.
    """
    total = Outcome()
    for name, plan in series.items():
        runner.begin(folder / name, plan, labels, kind)
        outcome = runner.run_cells(folder / name, plan.cells(), labels, watcher, programs)
        total.cells += outcome.cells
        total.interrupted, total.halted = outcome.interrupted, outcome.halted
        if outcome.interrupted or outcome.halted or outcome.failed:
            break
        measured(name, folder / name)
    return total
