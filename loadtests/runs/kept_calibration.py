"""Keeps the newest calibration of this machine in runs/calibration.json, and says what it no longer holds for.

Every run that begins takes a copy along in its run.json, so that its report says the same wherever it is made.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from loadtests.records.manifest import Calibration, Machine
from loadtests.runs.run_folder import NotARun, decoded, read

FILE: Final = "calibration.json"


def kept(runs: Path) -> Calibration | None:
    """Return the newest calibration, None when there is none that can be read."""
    try:
        return decoded(runs / FILE, read(runs / FILE), Calibration)
    except NotARun:
        return None


def differences(calibration: Calibration, machine: Machine, versions: Mapping[str, str]) -> list[str]:
    """Name what is not as it was when calibrated; empty when it still holds. A reboot makes no difference."""
    then = calibration.machine
    pairs = [(name, getattr(then, name), getattr(machine, name)) for name in ("system", "cpu", "cores", "python")]
    pairs += [(name, version, versions.get(name, "")) for name, version in calibration.versions.items()]
    return [name for name, old, new in pairs if old != new]
