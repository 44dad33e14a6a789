"""PURE. A caution is data: how bad, what, why it matters, what to do. The verdict on a run is its worst caution."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd

from reports.load import Run
from reports.theory import Agreement

Severity = Literal["note", "suspect", "invalid"]
Verdict = Literal["VALID", "SUSPECT", "INVALID"]
VERDICTS: Final[dict[Severity, Verdict]] = {"note": "VALID", "suspect": "SUSPECT", "invalid": "INVALID"}
"""From mild to bad."""


@dataclass(frozen=True, slots=True)
class Caution:
    """note: a limit of what this run can tell; suspect: some numbers may be wrong; invalid: decide nothing from it."""

    severity: Severity
    what: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class Facts:
    """What checks look at: the run, `per_cell` of it, `summary` of that, and how that agrees with theory."""

    run: Run
    cells: pd.DataFrame
    summary: pd.DataFrame
    theory: Sequence[Agreement]


def verdict(found: Iterable[Caution]) -> Verdict:
    """Return the worst of the cautions' verdicts; VALID when there are none."""
    severities = {caution.severity for caution in found}
    return next((VERDICTS[level] for level in reversed(list(VERDICTS)) if level in severities), "VALID")
