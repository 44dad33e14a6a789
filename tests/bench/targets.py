"""`python -m tests.bench.targets`: what it costs to follow a server as a stranger, through an adapter and by a tracer.

Our own servers are followed both ways, cell by cell in turns. Medians from the server's publishing to reading are to
agree within 10 % or 0.2 ms; the load process is to take at most 1.3 times the CPU a message; what publishes is to keep
to its schedule, p99 within 2 ms at 200 messages a second. A stranger's latency has the way up in it as well, which is
told apart: the journal of the server, which a stranger does not see, says when a message had come up.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import pandas as pd

from loadtests.runs.foreign.entrants import OURS_AS_A_STRANGER, OURS_BUILT_IN
from reports.data.load import load
from reports.validity.evidence import Evidence, evidence
from tests.server_process import ROOT, serving

LOADS: Final = {"usual": (100, "steady:50"), "crowd": (1_000, "steady:10"), "quick": (20, "steady:200")}
"""Clients and schedule: by which medians are compared, CPU, and what publishes."""
PATTERNS: Final = ("short_polling", "long_polling", "chunked", "sse", "websocket")
STREAMS: Final = ("chunked", "sse", "websocket")
STREAMED: Final = ("crowd", "quick")
SAME_RATIO, SAME_MS, CPU_RATIO, LATE_MS = 0.1, 0.2, 1.3, 2.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.targets", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--window", type=float, default=4.0)
    parser.add_argument("--json", action="store_true", help="nothing else is ever printed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        medians = transits(Path(folder), options.repeats, options.window)
        found = {name: measured(Path(folder) / name, name, options.repeats, options.window) for name in STREAMED}
    costs = compared(found["crowd"], "generator_us")
    late_ms = max(each["lateness_p99_ms"] for (strange, _), each in found["quick"].items() if strange)
    good = {
        "medians agree": all(abs(a - b) <= max(SAME_RATIO * a, SAME_MS) for a, b, _ in medians.values()),
        "a message costs the load as much": all(b <= CPU_RATIO * a for a, b in costs.values()),
        "publishing is on schedule": late_ms <= LATE_MS,
    }
    told = {"medians_ms": medians, "generator_us_per_message": costs, "published_late_p99_ms": round(late_ms, 3)}
    sys.stdout.write(json.dumps({**told, "good": good}, indent=1) + "\n")
    return 0 if all(good.values()) else 1


def transits(folder: Path, repeats: int, window_s: float) -> dict[str, list[float]]:
    """Return pattern -> median ms from the server's publishing to reading, built in and as a stranger; the way up."""
    found: dict[str, list[tuple[float, float, float]]] = {pattern: [] for pattern in PATTERNS}
    for repeat in range(repeats):
        for pattern in PATTERNS:
            name = f"{pattern}-{repeat}"
            built_in = ran(pattern, folder / f"{name}-built-in", window_s)
            journal = folder / f"{name}.csv"
            with serving("--journal", str(journal)) as server:
                target = ["--target", "pollbench", "--url", f"http://127.0.0.1:{server.port}"]
                strange = ran(pattern, folder / f"{name}-strange", window_s, *target)
            seen = strange.merge(pd.read_csv(journal), on="id", suffixes=("", "_by_server"))
            found[pattern].append(
                (
                    float((built_in["received_ns"] - built_in["published_ns"]).median() / 1e6),
                    float((seen["received_ns"] - seen["published_ns_by_server"]).median() / 1e6),
                    float((seen["published_ns_by_server"] - seen["published_ns"]).median() / 1e6),
                )
            )
    return {
        pattern: [round(statistics.median(column), 3) for column in zip(*each, strict=True)]
        for pattern, each in found.items()
    }


def ran(pattern: str, out: Path, window_s: float, *target: str) -> pd.DataFrame:
    """Return the deliveries of one run, with when they were published."""
    clients, schedule = LOADS["usual"]
    words = ["run", pattern, *target, "--out", str(out), "--clients", str(clients), "--schedule", schedule]
    words += ["--window", str(window_s), "--repeats", "1", "--quiet"]
    subprocess.run([sys.executable, "-m", "pollbench", *words], cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    run = load(out)
    own = run.deliveries.drop(columns="published_ns", errors="ignore")
    return own.merge(run.published[["cell", "id", "published_ns"]], on=["cell", "id"])


def measured(folder: Path, load: str, repeats: int, window_s: float) -> dict[tuple[bool, str], dict[str, float]]:
    """Return (as a stranger, pattern) -> medians over the repeats."""
    clients, schedule = LOADS[load]
    words = ["peers", OURS_BUILT_IN, OURS_AS_A_STRANGER, "--out", str(folder), "--json"]
    words += ["--clients", str(clients), "--schedule", schedule, "--window", str(window_s), "--repeats", str(repeats)]
    words += ["--pattern", ",".join(STREAMS)]
    subprocess.run([sys.executable, "-m", "pollbench", *words], cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    return {
        (name == OURS_AS_A_STRANGER, run.name.removeprefix(f"{name}-")): figures(evidence(run))
        for name in (OURS_AS_A_STRANGER, OURS_BUILT_IN)
        for run in sorted(folder.glob(f"{name}-*"))
        if name == OURS_AS_A_STRANGER or not run.name.startswith(OURS_AS_A_STRANGER)
    }


def figures(found: Evidence) -> dict[str, float]:
    windows = found.run.finished[["cell", "window_from_ns", "window_until_ns"]]
    cells = found.cells.merge(windows, on="cell")
    window_us = (cells["window_until_ns"] - cells["window_from_ns"]) / 1e3
    cells["generator_us"] = cells["generator_cpu_share"] * window_us / cells["delivered"]
    return {name: float(statistics.median(cells[name])) for name in ("generator_us", "lateness_p99_ms")}


def compared(found: dict[tuple[bool, str], dict[str, float]], name: str) -> dict[str, list[float]]:
    """Return pattern -> built in, and as a stranger."""
    patterns = [pattern for strange, pattern in found if not strange]
    return {
        pattern: [round(found[strange, pattern][name], 3) for strange in (False, True)] for pattern in sorted(patterns)
    }


if __name__ == "__main__":
    sys.exit(main())
