"""PURE. Measured beside theory: what oracles.py predicts for each cell's own settings, and whether it came out so.

Predictions are conditional on what was really published where that is possible, so that chance in the schedule is not
mistaken for an error of the suite. A pattern without an oracle has no row.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from reports.load import Run
from reports.measures import SITUATION
from reports.oracles import ShortPoll, long_poll_responses, mean_tolerance, ratio_tolerance

Row = Mapping[Any, Any]
"""One row of measures.summary."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """One prediction and what was measured, in `unit`."""

    scenario: str
    clients: int
    rtt_ms: float
    label: str
    what: str
    unit: str
    theory: float
    measured: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        return abs(self.measured - self.theory) <= self.tolerance


def agreements(run: Run, summary: pd.DataFrame) -> list[Agreement]:
    """Return every prediction that can be made for this run, in the order of `summary`."""
    settings = {str(scenario["name"]): scenario for scenario in run.manifest.scenarios}
    found = []
    for row in summary.to_dict("records"):
        predict = ORACLES.get(row["pattern"])
        if predict and row["delivered"]:
            for what, unit, theory, measured, tolerance in predict(run, row, settings[row["scenario"]]):
                where = row["scenario"], row["clients"], row["rtt_ms"], row["label"]
                found.append(Agreement(*where, what, unit, theory, measured, tolerance))
    return found


Prediction = tuple[str, str, float, float, float]


def _short_polling(run: Run, row: Row, setting: Mapping[str, Any]) -> Iterable[Prediction]:
    interval_s = float(setting["poll_interval_s"])
    if not interval_s:  # as fast as answers come: a closed loop, of which nothing can be foretold
        return
    oracle = ShortPoll(rate=1.0, interval=interval_s, delay=row["answer_ms"] / 2000)
    tolerance_ms = mean_tolerance(interval_s, row["delivered"]) * 1000 + row["generator_lag_ms"]
    yield "mean latency", "ms", oracle.mean_latency * 1000, row["mean_ms"], tolerance_ms
    responses = round(row["responses_per_s"] * float(setting["window_s"]) * row["repeats"])
    expected = _empty_ratio(run, row, round(interval_s * 1e9))
    yield "empty responses", "", expected, row["empty_ratio"], ratio_tolerance(expected, responses) + 0.01


def _empty_ratio(run: Run, row: Row, interval_ns: int) -> float:
    """Share of all phases at which a poll of this interval finds nothing, given what was published when."""
    shares = []
    for from_ns, until_ns, at_ns in _published(run, row):
        found_until = np.minimum(at_ns + interval_ns, np.append(at_ns[1:], np.iinfo(np.int64).max))
        found_ns = np.clip(np.minimum(found_until, until_ns) - np.maximum(at_ns, from_ns), 0, None).sum()
        shares.append(1 - found_ns / (until_ns - from_ns))
    return float(np.mean(shares))


def _long_polling(run: Run, row: Row, setting: Mapping[str, Any]) -> Iterable[Prediction]:
    cells = [at_ns[(at_ns >= from_ns) & (at_ns < until_ns)] / 1e9 for from_ns, until_ns, at_ns in _published(run, row)]
    messages = sum(map(len, cells))
    if np.isnan(row["turnaround_ms"]) or not messages:
        return
    gap_s, hold_s = (row["turnaround_ms"] + row["rtt_ms"]) / 1000, float(setting["hold_timeout_s"])
    # The gap is known to about a quarter: the server's and the relay's own time are not in it.
    least, theory, most = (
        sum(long_poll_responses(cell.tolist(), gap, hold_s) for cell in cells) / messages
        for gap in (1.25 * gap_s + 0.002, gap_s, 0.8 * gap_s)
    )
    measured = row["responses_per_s"] * float(setting["window_s"]) * len(cells) / (messages * row["clients"])
    # The window cuts a batch at either end.
    tolerance = max(theory - least, most - theory) + 2 * len(cells) / messages
    yield "responses per message", "", theory, measured, tolerance


def _published(run: Run, row: Row) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield, for each cell behind a row of the summary, its window and when its messages were published."""
    for cell in run.finished.to_dict("records"):
        if all(cell[key] == row[key] for key in SITUATION):
            at_ns = run.published.loc[run.published["cell"] == cell["cell"], "published_ns"].to_numpy()
            yield cell["window_from_ns"], cell["window_until_ns"], np.sort(at_ns)


ORACLES: Final[Mapping[str, Callable[[Run, Row, Mapping[str, Any]], Iterable[Prediction]]]] = {
    "short_polling": _short_polling,
    "long_polling": _long_polling,
}
