"""PURE. A caution is data: how bad, what, why it matters, what to do. The verdict on a run is its worst caution."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
import pandas as pd

from reports.basics.units import grouped
from reports.data.load import Run
from reports.measures.costs import by_host
from reports.theory.compare import Agreement, agreements

VERDICT_FILE: Final = "verdict.json"
Severity = Literal["note", "suspect", "invalid", "fail"]
Verdict = Literal["VALID", "SUSPECT", "INVALID", "FAIL"]
VERDICTS: Final[dict[Severity, Verdict]] = {
    "note": "VALID",
    "suspect": "SUSPECT",
    "invalid": "INVALID",
    "fail": "FAIL",
}
"""From mild to bad."""
WORTHLESS: Final[frozenset[Verdict]] = frozenset({"INVALID", "FAIL"})
"""Verdicts on a run that proves nothing: no goal is met by it, no regression shown."""
NO_ANSWER: Final = "No answer"
"""Stands where such a run would have told something."""
MEANING: Final[dict[Verdict, str]] = {
    "VALID": "Nothing was found that puts the figures in doubt.",
    "SUSPECT": "Some figures may be wrong; its cautions say which, and what to do.",
    "INVALID": "Do not decide anything from this run; its cautions say why.",
    "FAIL": "The records of this run contradict each other, so none of its figures stands; its cautions say where.",
}


@dataclass(frozen=True, slots=True)
class Caution:
    """note: a limit of what this run can tell; suspect: some numbers may be wrong; invalid: decide nothing from it,
    measure again; fail: the records contradict each other, so measuring again will not help.

    topic: the question of evidence_text.py that it answers with no; "" for one that has a place of its own.
    """

    severity: Severity
    what: str
    cause: str
    remedy: str
    topic: str = ""


@dataclass(frozen=True)
class Facts:
    """What checks look at: the run, `per_cell` of it, `summary` of that, and how that agrees with theory."""

    run: Run
    cells: pd.DataFrame
    summary: pd.DataFrame

    @cached_property
    def theory(self) -> list[Agreement]:
        return agreements(self.run, self.summary)

    def whose(self, rows: pd.DataFrame, measure: str) -> str:
        """Name the load host that is the worst by a measure of the load generator, in the worst of some cells.

        As it stands behind "the load generator"; "" where that ran on the run's own machine.
        """
        worst = str(rows.loc[rows[measure].fillna(-1).idxmax(), "cell"])
        cell = self.run.cells[self.run.cells["cell"] == worst].to_dict("records")[0]
        edges_ns = cell["window_from_ns"], cell["window_until_ns"]
        values = {
            host: costs[measure] for host, costs in by_host(self.run.rows.of("samples", worst), *edges_ns).items()
        }
        return f" on load host {max(values, key=lambda host: np.nan_to_num(values[host], nan=-1))}" if values else ""

    def names(self, rows: pd.DataFrame) -> str:
        """Name the patterns of some rows, of either frame, as shortly as can be."""
        return grouped(list(dict.fromkeys(rows["label"])), list(dict.fromkeys(self.cells["label"])))


def verdict(found: Iterable[Caution]) -> Verdict:
    """Return the worst of the cautions' verdicts; VALID when there are none."""
    severities = {caution.severity for caution in found}
    return next((VERDICTS[level] for level in reversed(list(VERDICTS)) if level in severities), "VALID")


@dataclass(frozen=True, slots=True)
class Ruling:
    """A run's answers, its verdict and the reasons, worst first: verdict.json, for programs.

    answers: one for each scenario; none where nothing may be decided.
    """

    verdict: Verdict
    meaning: str
    cautions: Sequence[Caution]
    answers: Sequence[str] = ()

    @classmethod
    def on(cls, found: Sequence[Caution], answers: Sequence[str] = ()) -> "Ruling":
        ruled = verdict(found)
        return cls(ruled, MEANING[ruled], found, () if ruled in WORTHLESS else tuple(answers))

    @property
    def worthless(self) -> bool:
        return self.verdict in WORTHLESS

    def doubts(self) -> list[Caution]:
        """Return the cautions that put the run in doubt."""
        return [caution for caution in self.cautions if caution.severity != "note"]
