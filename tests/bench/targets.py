"""`python -m tests.bench.targets`: what it costs to follow a server as a stranger, through an adapter and by a tracer.

Our own servers are followed both ways, cell by cell in turns. Medians are to agree within 10 % or 0.2 ms; the load
process is to take at most 1.3 times the CPU a message; what publishes is to keep to its schedule, p99 within 2 ms at
200 messages a second.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from reports.peers.entrants import OURS_AS_A_STRANGER, OURS_BUILT_IN
from reports.validity.evidence import Evidence, evidence
from tests.server_process import ROOT

LOADS: Final = {"usual": (100, "steady:50"), "crowd": (1_000, "steady:10"), "quick": (20, "steady:200")}
"""Clients and schedule: by which medians are compared, CPU, and what publishes."""
STREAMS: Final = ("chunked", "sse", "websocket")
SAME_RATIO, SAME_MS, CPU_RATIO, LATE_MS = 0.1, 0.2, 1.3, 2.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.targets", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--window", type=float, default=4.0)
    parser.add_argument("--json", action="store_true", help="nothing else is ever printed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {name: measured(Path(folder) / name, name, options.repeats, options.window) for name in LOADS}
    result = {
        "medians_ms": compared(found["usual"], "p50_ms"),
        "generator_us_per_message": compared(found["crowd"], "generator_us"),
        "published_late_p99_ms": max(each["lateness_p99_ms"] for name, each in found["quick"].items() if name[0]),
    }
    medians, costs = (result[name].values() for name in ("medians_ms", "generator_us_per_message"))
    good = {
        "medians agree": all(abs(a - b) <= max(SAME_RATIO * a, SAME_MS) for a, b in medians),
        "a message costs the load as much": all(b <= CPU_RATIO * a for a, b in costs),
        "publishing is on schedule": result["published_late_p99_ms"] <= LATE_MS,
    }
    sys.stdout.write(json.dumps({**result, "good": good}, indent=1) + "\n")
    return 0 if all(good.values()) else 1


def measured(folder: Path, load: str, repeats: int, window_s: float) -> dict[tuple[bool, str], dict[str, float]]:
    """Return (as a stranger, pattern) -> medians over the repeats."""
    clients, schedule = LOADS[load]
    words = ["peers", OURS_BUILT_IN, OURS_AS_A_STRANGER, "--out", str(folder), "--json"]
    words += ["--clients", str(clients), "--schedule", schedule, "--window", str(window_s), "--repeats", str(repeats)]
    words += ["--pattern", ",".join(STREAMS)] if load != "usual" else []
    subprocess.run([sys.executable, "-m", "pollbench", *words], cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    return {
        (name == OURS_AS_A_STRANGER, run.name.removeprefix(f"{name}-")): figures(evidence(run))
        for name in (OURS_AS_A_STRANGER, OURS_BUILT_IN)
        for run in sorted(folder.glob(f"{name}-*"))
        if name == OURS_AS_A_STRANGER or not run.name.startswith(OURS_AS_A_STRANGER)
    }


def figures(found: Evidence) -> dict[str, float]:
    windows_s = found.run.finished.set_index("cell").eval("(window_until_ns - window_from_ns) / 1e9")
    cells = found.cells.assign(
        generator_us=lambda rows: rows["generator_cpu_share"] * rows["cell"].map(windows_s) * 1e6 / rows["delivered"]
    )
    return {name: float(statistics.median(cells[name])) for name in ("p50_ms", "generator_us", "lateness_p99_ms")}


def compared(found: dict[tuple[bool, str], dict[str, float]], name: str) -> dict[str, Any]:
    """Return pattern -> built in, and as a stranger."""
    patterns = [pattern for strange, pattern in found if not strange]
    return {
        pattern: [round(found[strange, pattern][name], 3) for strange in (False, True)] for pattern in sorted(patterns)
    }


if __name__ == "__main__":
    sys.exit(main())
