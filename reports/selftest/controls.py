"""Negative controls: servers that are wrong in a known way, and whether what we report about them is the truth.

Each is measured by the real client, runner and report code. Two truths are held against a report: what was asked for,
with the uncertainty that chance leaves (a fault falls on messages, so messages are the trials, not deliveries); and
what the server wrote down that it did, which must be met exactly.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import SCENARIOS, Scenario
from reports.basics.statistics import share_interval
from reports.data.load import ReportError, Run
from reports.measures.measures import latencies, per_cell
from reports.theory.oracles import LongPoll, frozen_quantile
from servers.settings.fault_specs import Delay, Drop, Duplicate, Freeze, Reorder, parse_fault

CLOSE: Final = 0.05
"""How far, as a share of what was injected, a measured time may lie from it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing that was injected, beside what was reported, in `unit`. The truth must lie between low and high.

    wrong: what else the report got wrong, "" for nothing. beside: what another way of counting would have said.
    """

    what: str
    unit: str
    injected: float
    measured: float
    low: float
    high: float
    wrong: str = ""
    beside: str = ""

    @property
    def true(self) -> bool:
        """Whether the report told the truth, and could not have said the same of a server without the fault."""
        return self.low <= self.injected <= self.high and self.low > 0 and not self.wrong


@dataclass(frozen=True)
class ControlRun:
    """What a control leaves: its run, the one row of `per_cell`, its latencies, and the server's own record.

    record: one row per message due in the window that the server decided about, the columns of faults.csv.
    """

    run: Run
    row: Mapping[str, Any]
    latency: pd.DataFrame
    record: pd.DataFrame
    scenario: Scenario


@dataclass(frozen=True, slots=True)
class Control:
    """A pattern, a scenario with a fault, and how the report of it is read."""

    pattern: str
    scenario: Scenario
    read: Callable[[ControlRun], Iterator[Reading]]

    @property
    def plan(self) -> Plan:
        return Plan(self.scenario, (self.pattern,), 1)


def readings(control: Control, run: Run) -> list[Reading]:
    """Read the report of a control's run. Raises ReportError when the server left no record."""
    latency = latencies(run)
    row = {str(name): value for name, value in per_cell(run).iloc[0].items()}
    observed = ControlRun(run, row, latency, _record(run), control.scenario)
    return list(control.read(observed))


def _record(run: Run) -> pd.DataFrame:
    (cell,) = run.finished.to_dict("records")
    file = run.path / "cells" / cell["cell"] / "faults.csv"
    try:
        record = pd.read_csv(file, dtype="int64")
    except (OSError, ValueError) as problem:
        raise ReportError(f"{file}: cannot be read ({problem}). Run it again.") from None
    due = run.published[run.published["due_ns"].between(cell["window_from_ns"], cell["window_until_ns"], "left")]
    return record.merge(due[["id", "due_ns"]], on="id")


def _lost(observed: ControlRun) -> Iterator[Reading]:
    """A long poll that keeps nothing loses what comes between an answer and the next request."""
    row, setting = observed.row, observed.scenario
    lost = 1 - row["delivered"] / row["owed"]
    gap_s = (row["turnaround_ms"] + row["rtt_ms"]) / 1000
    expected = LongPoll(row["messages"] / setting.window_s, gap_s, setting.hold_timeout_s).loss_without_cursor
    yield _share("lost, by \N{GREEK SMALL LETTER LAMDA}G/(1+\N{GREEK SMALL LETTER LAMDA}G)", expected, lost, row)
    handed_out = int(observed.record["waiting"].sum())
    yield _exact("lost, by the server's own record", int(row["owed"]) - handed_out, row, "missed", "in_flight")


def _dropped(observed: ControlRun) -> Iterator[Reading]:
    fault = parse_fault(observed.scenario.fault)
    assert isinstance(fault, Drop)
    row, silent = observed.row, int((observed.record["copies"] == 0).sum())
    yield _share("dropped", fault.share, (row["missed"] + row["in_flight"]) / row["owed"], row)
    yield _exact("dropped, by the server's own record", silent * int(row["clients"]), row, "missed", "in_flight")


def _doubled(observed: ControlRun) -> Iterator[Reading]:
    fault = parse_fault(observed.scenario.fault)
    assert isinstance(fault, Duplicate)
    row, twice = observed.row, int((observed.record["copies"] - 1).sum())
    yield _share("sent twice", fault.share, row["duplicated"] / row["owed"], row)
    yield _exact("sent twice, by the server's own record", twice * int(row["clients"]), row, "duplicated")


def _overtaken(observed: ControlRun) -> Iterator[Reading]:
    fault = parse_fault(observed.scenario.fault)
    assert isinstance(fault, Reorder)
    row, late = observed.row, int(observed.record["overtaken"].sum())
    yield _share("out of order", fault.share, row["reordered"] / row["owed"], row)
    yield _exact("out of order, by the server's own record", late * int(row["clients"]), row, "reordered")


def _mixed(observed: ControlRun) -> Iterator[Reading]:
    """Two delays: what is reported splits halfway between them, as a reader of the distribution would split it."""
    fault = parse_fault(observed.scenario.fault)
    assert isinstance(fault, Delay)
    middle_ms, apart_ms = (fault.fast_ms + fault.slow_ms) / 2, fault.slow_ms - fault.fast_ms
    measured_ms = observed.latency["latency_ms"].to_numpy()
    true_ms = (observed.record["released_ns"] - observed.record["due_ns"]).to_numpy() / 1e6
    yield _share("share of slow messages", fault.slow_share, float((measured_ms > middle_ms).mean()), observed.row)
    for name, slow in (("fast", False), ("slow", True)):
        injected, measured = (
            float(np.median(values[(values > middle_ms) == slow])) for values in (true_ms, measured_ms)
        )
        yield _near(f"{name} mode", injected, measured, CLOSE * apart_ms)


def _stalled(observed: ControlRun) -> Iterator[Reading]:
    """A frozen server: the tail counted from the due instant is a closed form; counted from publishing it vanishes."""
    fault = parse_fault(observed.scenario.fault)
    assert isinstance(fault, Freeze)
    usual_ms = observed.row["p50_ms"]
    expected = frozen_quantile(0.99, observed.scenario.window_s * 1000, fault.for_s * 1000, usual_ms)
    transit_ms = float(np.quantile(observed.latency["transit_ms"].to_numpy(), 0.99, method="inverted_cdf"))
    uncorrected = f"{transit_ms:,.1f} ms if counted from publishing"
    reading = _near("p99 latency", expected, observed.row["p99_ms"], CLOSE * expected)
    yield replace(reading, beside=uncorrected)


def _share(what: str, injected: float, measured: float, row: Mapping[str, Any]) -> Reading:
    """A share with its Wilson interval. Trials are messages: what befalls one, befalls it for every user."""
    low, high = share_interval(round(measured * row["messages"]), int(row["messages"]))
    return Reading(what, "%", injected * 100, measured * 100, low * 100, high * 100)


def _exact(what: str, injected: int, row: Mapping[str, Any], *counts: str) -> Reading:
    """Counts of deliveries, which must be the server's own, while no other kind of fault is reported."""
    measured = sum(int(row[count]) for count in counts)
    others = ["missed", "in_flight", "duplicated", "reordered", "unknown", "errors"]
    wrong = ", ".join(f"{int(row[other])} {other} too" for other in others if other not in counts and row[other])
    return Reading(what, "", injected, measured, measured, measured, wrong)


def _near(what: str, injected: float, measured: float, tolerance: float) -> Reading:
    return Reading(what, "ms", injected, measured, measured - tolerance, measured + tolerance)


def controls(*, quick: bool = False) -> dict[str, Control]:
    """Return every control by name. `quick`: shorter windows and larger shares, for tests; under 40 s together."""
    base = replace(
        SCENARIOS["feed"], clients=(10,), schedule="steady:200", poll_interval_s=0.2, window_s=2.0 if quick else 10.0
    )
    share = "0.05" if quick else "0.01"
    forgetful = replace(base, fault="forget", schedule="poisson:20", rtt_ms=(40.0,), window_s=4.0 if quick else 15.0)
    delayed = replace(base, fault="delay:10,70,0.3", schedule="steady:15", window_s=4.0 if quick else 12.0)
    frozen = replace(
        base, fault="freeze:1.5,0.5" if quick else "freeze:10,1", schedule="steady:100", window_s=4.0 if quick else 30.0
    )
    return {
        "forget": Control("long_polling", forgetful, _lost),
        "drop": Control("sse", replace(base, fault=f"drop:{share}"), _dropped),
        "duplicate": Control("websocket", replace(base, fault=f"duplicate:{share}"), _doubled),
        "reorder": Control("chunked", replace(base, fault=f"reorder:{share}"), _overtaken),
        "delay": Control("http2_push", delayed, _mixed),
        "freeze": Control("sse", frozen, _stalled),
    }
