"""PURE. What this machine's calibration says about a run: the bias of latencies, and the highest accurate rate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from loadtests.records.manifest import PatternCalibration
from loadtests.runs.kept_calibration import differences
from reports.basics.records import records
from reports.data.load import Run

SAFE: Final = 0.5
"""Up to this share of the highest accurate rate, the error that a calibration states is valid."""


@dataclass(frozen=True, slots=True)
class Quote:
    """The calibration of one pattern beside a situation of the run, which had `per_s` deliveries per second."""

    label: str
    clients: int
    per_s: float
    known: PatternCalibration

    @property
    def last_reader_ms(self) -> float:
        """The longest time that the last reader of a broadcast waits while the generator reads the others."""
        return float("nan") if self.known.cpu_us is None else self.known.cpu_us * self.clients / 1000

    @property
    def beyond(self) -> bool:
        """Whether the run was beyond what the calibration covers: half of the limit, or the highest rate tried."""
        return self.per_s > self.known.honest_per_s * (1.0 if self.known.at_least else SAFE)


def doubt(run: Run) -> str:
    """Return why no calibration can be quoted, "" when one can."""
    calibration = run.manifest.calibration
    if calibration is None:
        return "this machine was not calibrated, so it is unknown how much the instrument itself adds"
    if changed := differences(calibration, run.manifest.machine, run.manifest.versions):
        return (
            f"the calibration of {calibration.measured_at[:10]} is no longer valid, as {', '.join(changed)} changed "
            "since"
        )
    return ""


def quotes(run: Run, summary: pd.DataFrame) -> list[Quote]:
    """Return what the calibration says for each row of the summary; empty when none is valid."""
    calibration = run.manifest.calibration
    if calibration is None or doubt(run):
        return []
    settings = {str(scenario["name"]): scenario for scenario in run.manifest.scenarios}
    rows = [row for row in records(summary) if row["pattern"] in calibration.patterns]
    return [
        Quote(
            row["label"], row["clients"], _per_s(row, settings[row["scenario"]]), calibration.patterns[row["pattern"]]
        )
        for row in rows
    ]


def _per_s(row: Mapping[Any, Any], setting: Mapping[str, Any]) -> float:
    return float(row["delivered"] / (row["repeats"] * float(setting["window_s"])))
