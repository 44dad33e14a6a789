"""Keeps the results of experiments on this machine in runs/advice.json, the newest of each.

Every run that begins takes a copy along in its run.json, as it does of the calibration, so that its report can say what
to switch on, and says the same wherever it is made.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from loadtests.records.manifest import Advice, Name
from loadtests.runs.run_folder import NotARun, decoded, read, save

FILE: Final = "advice.json"


def kept(runs: Path) -> dict[str, Advice]:
    """Return the advice by the name of its experiment; none when there is none that can be read."""
    try:
        return decoded(runs / FILE, read(runs / FILE), dict[Name, Advice])
    except NotARun:
        return {}


def keep(runs: Path, newer: Mapping[str, Advice]) -> None:
    """Add this advice, in place of what was kept of the same experiments. Raises OSError."""
    if newer:
        runs.mkdir(exist_ok=True)
        save(runs / FILE, dict(sorted((kept(runs) | dict(newer)).items())))
