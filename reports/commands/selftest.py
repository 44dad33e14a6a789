"""`controls` and `calibrate`: measure the instrument itself."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from loadtests.runs.commands import Programs
from loadtests.runs.run_folder import RUNS, new_folder, save
from reports.basics.units import counted
from reports.commands.cells import measure_series
from reports.commands.common import Json, Out, fail, out, pattern_labels, say
from reports.commands.exits import DONE, UNTRUE
from servers.timing.clock import wall_timestamp

CONTROLS_EPILOG: Final = (
    "Exit codes: 0 every fault was reported as injected; 1, 2, 4, 130 as for all commands; 8 a fault was not."
)


def controls(
    quick: Annotated[bool, typer.Option("--quick", help="shorter windows and larger faults: half a minute")] = False,
    folder: Out = None,
    as_json: Json = False,
) -> int:
    """Test pollbench itself: measure servers with injected faults, and check that the report shows them.

    Example:

        pollbench controls --quick
    """
    from reports.data.load import load
    from reports.page.page import write_report
    from reports.page.terminal import controls_table
    from reports.selftest.controls import Reading, controls, readings

    chosen = controls(quick=quick)
    found: dict[str, list[Reading]] = {}

    def measured(name: str, run_dir: Path) -> None:
        write_report(run_dir)
        found[name] = readings(chosen[name], load(run_dir))

    folder = folder or new_folder("controls")
    code = measure_series(folder, "controls", {name: control.plan for name, control in chosen.items()}, measured)
    if as_json:
        rows = [{"control": name, **asdict(each), "true": each.true} for name in found for each in found[name]]
        print(json.dumps({"run": str(folder), "readings": rows}))
    else:
        told = [reading.true for each in found.values() for reading in each]
        out.print(controls_table(found))
        say(f"\nOf {counted(len(told), 'fault')} that servers had on purpose, {sum(told)} were reported as they were.")
        say(f"\n{folder}")
    untrue = [name for name, each in found.items() if not all(reading.true for reading in each)]
    if code == DONE and untrue:
        return fail(UNTRUE, f"not reported as injected: {', '.join(untrue)}; do not trust pollbench on this machine")
    return code


def calibrate(
    quick: Annotated[bool, typer.Option("--quick", help="fewer and shorter steps: under 40 s")] = False,
    folder: Out = None,
    as_json: Json = False,
) -> int:
    """Measure the latency that pollbench itself adds on this machine, and up to which rate it is accurate.

    The result is kept in runs/calibration.json, and every later report quotes it. Takes under 3 minutes.

    Example:

        pollbench calibrate
    """
    from loadtests.host import environment
    from loadtests.records.manifest import Calibration
    from loadtests.runs.kept_calibration import FILE
    from reports.page.terminal import calibration_answer, calibration_table
    from reports.selftest import calibration as stage

    labels = pattern_labels()
    with tempfile.TemporaryDirectory(prefix="pollbench-") as scratch:
        measured = folder or Path(scratch)
        plans = stage.plans(list(labels), quick=quick)
        code = measure_series(measured, "calibrate", plans, lambda *_: None, Programs(journal_writes=True))
        if code != DONE:
            return code
        found = Calibration(
            measured_at=wall_timestamp(),
            machine=environment.machine(),
            versions=environment.versions(),
            clients=stage.CLIENTS,
            patterns=stage.calibrate(measured),
        )
    RUNS.mkdir(exist_ok=True)
    save(RUNS / FILE, found)
    if as_json:
        print(json.dumps(msgspec.to_builtins(found)))
    else:
        out.print(calibration_table(found, labels))
        say(f"\n{calibration_answer(found)}")
        say(f"\n{RUNS / FILE}")
    return DONE
