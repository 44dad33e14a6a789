"""Calibration: how far what we report lies from what a server of known delays really did, pattern by pattern.

The server sends each message late on purpose and notes, just before each write, when it wrote what to whom
(servers/timing/write_log.py). So the true latency of every delivery is known, however precise the delay itself was, and
the error
of a quantile is the reported one less the true one: quantiles of all deliveries need no pairing of one with another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from loadtests.records.manifest import PatternCalibration
from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import SCENARIOS
from reports.data.load import ReportError, Run, load
from servers.feed.schedule import Stairs, parse_schedule

CLIENTS: Final = 10
LIMIT_MS: Final = 0.2
LIMIT_SHARE: Final = 0.02
"""A median may be wrong by the larger of the two: so much, or this share of itself."""
TAIL: Final = 10
"""How many times as wrong as a median a 99th percentile may be: it tells of the machine's other guests as well."""
BROKEN_IN_A_ROW: Final = 2
"""Rates in succession that must be dishonest to end the climb: a single one may have met a busy neighbour."""
QUANTILES: Final = (0.5, 0.9, 0.99)


def plans(patterns: Sequence[str], *, quick: bool) -> dict[str, Plan]:
    """Return what is measured: every pattern at rising rates, then with two delays, then over a freeze."""
    stairs = Stairs(20, 5000, 6, 0.5) if quick else Stairs(20, 5000, 10, 0.8)
    base = replace(
        SCENARIOS["feed"],
        clients=(CLIENTS,),
        schedule=str(stairs),
        fault="delay:10",
        poll_interval_s=0.2,
        warmup_s=0.0,
        window_s=stairs.steps * stairs.step_s,
        drain_s=0.4,
    )
    calm = replace(base, schedule="steady:20", warmup_s=0.3, window_s=2.5, fault="delay:5,25,0.3")
    frozen = replace(calm, schedule="steady:100", fault="freeze:1,0.3")
    scenarios = {"stairs": base} if quick else {"stairs": base, "bimodal": calm, "freeze": frozen}
    return {name: Plan(scenario, tuple(patterns), 1) for name, scenario in scenarios.items()}


@dataclass(frozen=True, slots=True)
class Error:
    """A quantile as it was, and how much more was reported, in ms."""

    true_ms: float
    error_ms: float

    @property
    def limit_ms(self) -> float:
        return max(LIMIT_MS, LIMIT_SHARE * self.true_ms)


def errors(reported_ms: np.ndarray, true_ms: np.ndarray) -> list[Error]:
    """Return the errors at QUANTILES."""
    reported, true = (np.quantile(each, QUANTILES, method="inverted_cdf") for each in (reported_ms, true_ms))
    return [Error(float(was), float(said - was)) for said, was in zip(reported, true, strict=True)]


@dataclass(frozen=True, slots=True)
class RateStep:
    """One rate: deliveries per second as they were written, errors at QUANTILES, and deliveries that went missing."""

    per_s: float
    errors: Sequence[Error]
    lost: int

    def broken_by(self, at_rest_ms: float) -> str:
        """Say what makes reports at this rate dishonest, "" for nothing. at_rest_ms: the error that is always there."""
        median, *_, tail = self.errors
        if self.lost:
            return "loss"
        if median.error_ms > at_rest_ms + median.limit_ms:
            return "bias"
        return "lag" if tail.error_ms > at_rest_ms + TAIL * tail.limit_ms else ""


@dataclass(frozen=True)
class CalibrationCell:
    """One cell: what was reported, what was true (due_ns, at_ns: when it arrived or was written), its own samples."""

    clients: int
    window_ns: tuple[int, int]
    schedule: str
    reported: pd.DataFrame
    true: pd.DataFrame
    generator: pd.DataFrame

    def latencies_ms(self, from_ns: float, until_ns: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the latencies of what was due in [from, until): as reported, and as they were."""
        inside = (frame[frame["due_ns"].between(from_ns, until_ns, "left")] for frame in (self.reported, self.true))
        reported, true = ((frame["at_ns"] - frame["due_ns"]).to_numpy() / 1e6 for frame in inside)
        return reported, true

    @property
    def errors(self) -> list[Error]:
        return errors(*self.latencies_ms(*self.window_ns))


def calibrate(folder: Path) -> dict[str, PatternCalibration]:
    """Work the calibration out from the runs of `plans` in a folder. Raises ReportError."""
    cells = {file.parent.name: measured(load(file.parent)) for file in folder.glob("*/run.json")}
    return {
        pattern: of_pattern(stairs, cells.get("bimodal", {}).get(pattern), cells.get("freeze", {}).get(pattern))
        for pattern, stairs in cells["stairs"].items()
    }


def measured(run: Run) -> dict[str, CalibrationCell]:
    """Return the cells of a run by pattern. Raises ReportError."""
    found = {}
    for cell in run.finished.to_dict("records"):
        rows, published, samples = (
            run.rows.of(table, cell["cell"]) for table in ("deliveries", "published", "samples")
        )
        file = run.path / "cells" / cell["cell"] / "writes.csv"
        try:
            writes = pd.read_csv(file, dtype="int64").merge(published[["id", "due_ns"]], on="id")
        except (OSError, ValueError) as problem:
            raise ReportError(f"{file}: cannot be read ({problem}). Calibrate again.") from None
        found[str(cell["pattern"])] = CalibrationCell(
            clients=cell["clients"],
            window_ns=(cell["window_from_ns"], cell["window_until_ns"]),
            schedule=str(run.manifest.scenarios[0]["schedule"]),
            reported=rows[["due_ns", "received_ns"]].rename(columns={"received_ns": "at_ns"}),
            true=writes[["due_ns", "written_ns"]].rename(columns={"written_ns": "at_ns"}),
            generator=samples[samples["role"] == "generator"].sort_values("at_ns"),
        )
    return found


def of_pattern(
    stairs: CalibrationCell, bimodal: CalibrationCell | None, frozen: CalibrationCell | None
) -> PatternCalibration:
    """Put together what one pattern's cells say. Up to half of the highest honest rate is what a run should stay in."""
    steps = climb(stairs)
    at_rest_ms = steps[0].errors[0].error_ms
    highest, stopped_by = highest_honest(steps)
    honest_per_s = highest.per_s if highest else 0.0
    calm = [step for step in steps if step.per_s <= honest_per_s / 2] or steps[:1]
    return PatternCalibration(
        at_rest_ms=at_rest_ms,
        bias_ms=max(step.errors[0].error_ms for step in calm),
        tail_ms=max(step.errors[-1].error_ms for step in calm),
        bimodal_ms=max((each.error_ms for each in bimodal.errors), key=abs) if bimodal else None,
        frozen_ms=max((each.error_ms for each in frozen.errors), key=abs) if frozen else None,
        cpu_us=cpu_us(stairs, steps),
        honest_per_s=honest_per_s,
        at_least=not stopped_by,
        stopped_by=stopped_by,
    )


def climb(stairs: CalibrationCell) -> list[RateStep]:
    """Compare what was reported with what was true, at each rate."""
    schedule = _schedule(stairs)
    step_ns = schedule.step_s * 1e9
    steps = []
    for number, messages in enumerate(schedule.counts()):
        from_ns = stairs.window_ns[0] + number * step_ns
        reported, true = stairs.latencies_ms(from_ns, from_ns + step_ns)
        if not len(reported) or not len(true):
            break
        written_ns = stairs.true.loc[stairs.true["due_ns"].between(from_ns, from_ns + step_ns, "left"), "at_ns"]
        # The server may fall behind its schedule: what counts is how fast it wrote, edges left out.
        early_ns, late_ns = np.quantile(written_ns.to_numpy(), (0.01, 0.99))
        per_s = min(messages / schedule.step_s * stairs.clients, 0.98 * len(true) / ((late_ns - early_ns) / 1e9))
        steps.append(RateStep(float(per_s), errors(reported, true), messages * stairs.clients - len(reported)))
    if not steps:
        raise ReportError("no message of the calibration arrived. Read its logs, then calibrate again.")
    return steps


def highest_honest(steps: Sequence[RateStep]) -> tuple[RateStep | None, str]:
    """Return the highest honest step below the first that are dishonest in a row, and why those are ("" for none)."""
    at_rest_ms = steps[0].errors[0].error_ms
    highest, broken = None, list[str]()
    for step in steps:
        why = step.broken_by(at_rest_ms)
        broken = [*broken, why] if why else []
        if len(broken) == BROKEN_IN_A_ROW:
            break
        highest = highest if why else step
    return highest, broken[0] if broken else ""


def cpu_us(stairs: CalibrationCell, steps: Sequence[RateStep]) -> float | None:
    """Return what one more delivery costs the generator in CPU time, in microseconds; None where that is not known.

    The slope over the lower half of the climb: what ticks without any delivery is left out, and at higher rates
    messages come several to a read, which a broadcast's do not.
    """
    looks, lower = stairs.generator, (len(steps) + 1) // 2
    if len(looks) < 2 or lower < 2:
        return None
    edges_ns = np.linspace(*stairs.window_ns, _schedule(stairs).steps + 1)[: lower + 1]
    used = np.diff(np.interp(edges_ns, looks["at_ns"], looks["cpu_ns"])) / np.diff(edges_ns)
    return float(np.polyfit([step.per_s for step in steps[:lower]], used, 1)[0] * 1e6)


def _schedule(stairs: CalibrationCell) -> Stairs:
    schedule = parse_schedule(stairs.schedule)
    assert isinstance(schedule, Stairs)
    return schedule
