"""`python -m tests.bench.report`: how long a report takes, and how much memory, for a run of many deliveries.

The run is simulated (synthetic.py) into a temporary folder. Making it and reporting it are processes of their own, so
that the peak memory is the report's alone.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from loadtests.scenario.scenarios import Scenario
from reports.data.load import load
from reports.page.page import write_report
from tests.synthetic import LABELS, write_run

CLIENTS: Final = 500
RATE_PER_S: Final = 40
KB: Final = 1 if sys.platform == "darwin" else 1024
"""What ru_maxrss counts in: getrusage(2)."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.report", description=__doc__)
    parser.add_argument("--deliveries", type=int, default=5_000_000, help="rows to report (default 5,000,000)")
    parser.add_argument("--keep", type=Path, help="make the run here and keep it")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--step", choices=["make", "report"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step == "make":
        make(options.keep, options.deliveries)
    elif options.step == "report":
        _show(report(options.keep), as_json=True)
    else:
        with tempfile.TemporaryDirectory() as folder:
            _show(measure(options.keep or Path(folder), options.deliveries), as_json=options.json)
    return 0


def measure(folder: Path, deliveries: int) -> dict[str, float]:
    """Make a run and report it, each in a process of its own; return what the report took."""
    command = [sys.executable, "-m", "tests.bench.report", "--keep", str(folder), "--deliveries", str(deliveries)]
    subprocess.run([*command, "--step", "make"], check=True)
    reported = subprocess.run([*command, "--step", "report"], check=True, stdout=subprocess.PIPE)
    figures: dict[str, float] = json.loads(reported.stdout)
    return figures


def make(folder: Path, deliveries: int) -> None:
    """Write a run of one cell per pattern that together have about that many deliveries."""
    seconds = deliveries / len(LABELS) / CLIENTS / RATE_PER_S
    busy = Scenario(
        name="busy",
        purpose="many rows",
        clients=(CLIENTS,),
        schedule=f"poisson:{RATE_PER_S}",
        warmup_s=0.05 * seconds,
        window_s=0.95 * seconds,
        drain_s=1.5,
    )
    write_run(folder, [busy], repeats=1)


def report(folder: Path) -> dict[str, float]:
    """Report a run; return seconds, peak memory of this process, and the size of what was read and written."""
    started = time.perf_counter()
    page = write_report(folder)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KB
    return {
        "deliveries": int(load(folder).finished["deliveries_rows"].sum()),
        "report_s": seconds,
        "peak_memory_bytes": peak,
        "page_bytes": page.stat().st_size,
    }


def _show(figures: dict[str, float], *, as_json: bool) -> None:
    lines = [json.dumps(figures)] if as_json else [f"{name:20}{value:>16,.4g}" for name, value in figures.items()]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
