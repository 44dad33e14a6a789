"""PURE. The run in plain words: which pattern is first, by how much, and where no difference was measured.

What `rows` holds is one scenario in which only the pattern varies and, in a sweep, what `ranking.swept` says. Being
first means what stands in ranking.py.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite, isnan
from typing import Any, Final

import numpy as np
import pandas as pd

from loadtests.live.live_checks import TOO_FEW_MESSAGES
from loadtests.scenario.dimensions import CLIENTS, RATE, RTT
from reports.basics.records import records
from reports.basics.statistics import SMALLEST_RESAMPLED
from reports.basics.units import THIN, counted, grouped, listed, number, percent, quantity, sentence, times
from reports.data.clock_error import clock_told, shared_ms
from reports.data.load import Run
from reports.measures.measures import FEW_MESSAGES, QUANTILES
from reports.measures.ranking import PLAIN, Stretch, SummaryRow, furthest, overlap, ranking, stretches, swept

NAN: Final = float("nan")
POLLED: Final = "short_polling"
WORTH_SAYING: Final = 0.1
"""An instrument's part that is less than this of a figure is left to the table."""
HALF_WITHIN: Final = 0.15
NOTHING: Final = "Nothing was delivered."
UP_TO: Final = "up to "
GOALS_MS: Final = (10.0, 100.0, 1_000.0, 5_000.0)
TAILS: Final = {99: "p99_ms", 90: "p90_ms"}
QUESTIONS: Final = (
    ("Fastest", "p50_ms", "ms", "for half of the messages"),
    *((f"Fastest at {part} %", name, "ms", f"for {part} % of the messages") for part, name in TAILS.items()),
    ("Least server CPU", "cpu_ms_per_1000", "ms", "per 1,000 deliveries"),
    ("Least traffic", "http_bytes_per_delivery", "B", "per delivery"),
    ("Least server memory", "memory_per_client_bytes", "B", "per client"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One question and its answer: one line, or one for each stretch of a sweep where it is another."""

    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GoalMet:
    """The patterns that delivered `tail_percent` of the messages within a time, and the one with the least server CPU.

    at: the step of the sweep, if it is one.
    """

    at: str
    within: str
    met_by: str
    cheapest: str


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Answer the reader's questions."""
    few, told_of = too_few(rows), TAILS[tail_percent(rows)]
    told = [
        Finding(question, (few,) if few and name in QUANTILES else tuple(_answers(rows, name, unit, what)))
        for question, name, unit, what in QUESTIONS
        if rows[name].notna().any() and (name == told_of or name not in TAILS.values())
    ]
    return [*told, Finding("Complete", (_complete(rows),)), Finding("How sure", (_certainty(rows),))]


def answers(run: Run, summary: pd.DataFrame) -> list[str]:
    """Return the answer to each scenario of a run in a sentence or two, as page, terminal and JSON begin."""
    settings = {str(setting["name"]): setting for setting in run.manifest.scenarios}
    measured = {name: summary[summary["scenario"] == name] for name in settings}
    return [headline(furthest(own), settings[name]) for name, own in measured.items() if len(own)]


def headline(rows: pd.DataFrame, setting: Mapping[str, Any] | None = None) -> str:
    """Return the answer in a sentence or two, with the conditions under which it holds, where `setting` has them."""
    if few := too_few(rows):
        return few
    if _several(rows):
        told = _headline_of_sweep(rows)
        return f"{told} Measured with {_conditions(rows, setting)}." if setting and told != NOTHING else told
    first, rest = ranking(rows, "p50_ms")
    if not first:
        return NOTHING
    names = _names(first, rows)
    slowest = max(first, key=lambda row: float(row["p50_ms"]))
    opening = f"With {_conditions(rows, setting)}, {names}" if setting else sentence(names)
    told = f"{opening} {'deliver' if len(first) > 1 else 'delivers'} half of all messages within "
    told += f"{quantity(slowest['p50_ms'], 'ms')}{_of_the_clock(slowest)}{_of_the_instrument(slowest)}"
    if not rest:
        return f"{told}{': no measurable difference' if len(first) > 1 else ''}."
    last = rest[-1]
    return (
        f"{told}; {last['label']} takes {quantity(last['p50_ms'], 'ms')}{_of_the_clock(last)}, "
        f"{times(last['p50_ms'] / first[0]['p50_ms'])} as long{_why(last, setting or {})}."
    )


def _conditions(rows: pd.DataFrame, setting: Mapping[str, Any] | None) -> str:
    """Name the conditions that were the same for all patterns."""
    alike = [each for each in (CLIENTS, RATE, RTT) if rows[each.column].nunique() == 1]
    values = {each: float(rows[each.column].iloc[0]) for each in alike}
    told = [each.says(value) if each is not RTT or value else "no network delay" for each, value in values.items()]
    if setting and POLLED in set(rows["pattern"]):
        told.append(f"a poll every {quantity(setting['poll_interval_s'] * 1000, 'ms')}")
    return listed(told)


def _of_the_clock(row: SummaryRow) -> str:
    """Say by how much two clocks may make a latency wrong, where there are two."""
    told = clock_told(row, "p50_ms")
    return f" {told}" if told else ""


def _of_the_instrument(row: SummaryRow) -> str:
    """Say how much of a median the instrument may have added, where that is a notable part."""
    part_ms = float(row["p50_ms"]) - float(row.get("p50_ms_floor", NAN))
    return (
        f", of which the instrument may be {quantity(part_ms, 'ms')}" if part_ms > WORTH_SAYING * row["p50_ms"] else ""
    )


def _why(row: SummaryRow, setting: Mapping[str, Any]) -> str:
    """Explain a median that is half of a poll interval."""
    half_ms = setting.get("poll_interval_s", NAN) * 500
    waits = row["pattern"] == POLLED and abs(row["p50_ms"] - half_ms) < HALF_WITHIN * half_ms
    return ": about half its interval" if waits else ""


def tail_percent(rows: pd.DataFrame) -> int:
    """Return the percentile that is quoted for slow messages: with fewer than 100 messages, p99 is one of them."""
    return 99 if rows["messages"].min() >= FEW_MESSAGES else 90


def too_few(rows: pd.DataFrame) -> str:
    """Return a sentence when a repeat has too few messages for quantiles; else ""."""
    fewest = int((rows["messages"] / rows["repeats"]).min())
    if fewest >= TOO_FEW_MESSAGES or rows["p50_ms"].isna().all():
        return ""
    return (
        f"Too few messages to compare latencies: {counted(fewest, 'message')} per repeat, and at least "
        f"{TOO_FEW_MESSAGES} are needed. Measure longer (--window) or more often (--schedule)."
    )


def _several(rows: pd.DataFrame) -> bool:
    return rows[swept(rows).column].nunique() > 1


def _headline_of_sweep(rows: pd.DataFrame) -> str:
    """Quote the tail, where distance and rate show: most messages find a long poll that waits already.

    A headline has room for plain differences only.
    """
    told: list[str] = []
    led: set[str] = set()
    part = tail_percent(rows)
    for stretch in stretches(rows, TAILS[part], PLAIN):
        behind = [row for row in stretch.rest if row["pattern"] in led]
        within = _most(stretch, stretch.first).removeprefix(UP_TO)
        if behind:
            verb = "falls" if len(behind) == 1 else "fall"
            slow = listed([_most(stretch, [row]) for row in behind])
            event = f"{listed([row['label'] for row in behind])} {verb} behind: {slow} against {within}"
        else:
            verb = "leads" if len(stretch.first) == 1 else "lead"
            event = f"{_names(stretch.first, stretch.scenes[-1])} {verb}: "
            event += f"{part}{THIN}% of the messages arrive within {within}"
        told.append(f"{stretch.where.removesuffix(f' {stretch.along.many}' if told else '')}, {event}.")
        led = stretch.leaders
    if not told:
        return NOTHING
    if others := [row for row in stretch.rest if row not in behind]:
        ends = [f"{row['label']} takes {_most(stretch, [row])}" for row in (others[0], *others[1:][-1:])]
        told.append(f"{listed(ends)}.")
    return " ".join(told)


def _most(stretch: Stretch, rows: Sequence[SummaryRow]) -> str:
    """Return the largest value of some patterns over a stretch."""
    return (UP_TO if len(stretch.scenes) > 1 else "") + quantity(
        max(max(stretch.values(row["pattern"])) for row in rows), "ms"
    )


def goals(rows: pd.DataFrame) -> list[GoalMet]:
    """Return the patterns that meet less and less strict latency goals; a goal that changes nothing is left out."""
    told: list[GoalMet] = []
    if too_few(rows):
        return told
    along, name = swept(rows), TAILS[tail_percent(rows)]
    for _, scene in rows.groupby(along.column):
        told += _goals(scene, name, along.amount(scene[along.column].iloc[0]) if _several(rows) else "")
    return told


def _goals(rows: pd.DataFrame, name: str, at: str) -> list[GoalMet]:
    told: list[GoalMet] = []
    before: set[str] = set()
    for goal_ms in GOALS_MS:
        tail = rows[f"{name}_high"].fillna(rows[name])
        met = rows[(tail <= goal_ms) & (rows["missed"] == 0)]
        if len(met) and set(met["pattern"]) != before:
            before = set(met["pattern"])
            first, _ = ranking(met, "cpu_ms_per_1000")
            cheapest = "not measured"
            if first:
                cost = quantity(float(first[0]["cpu_ms_per_1000"]), "ms")
                cheapest = f"{sentence(_names(first, rows))} ({cost} per 1,000 deliveries)"
            met_by = sentence(_names([*records(met)], rows))
            told.append(GoalMet(at, quantity(goal_ms, "ms", 1), met_by, cheapest))
    return told


def _answers(rows: pd.DataFrame, name: str, unit: str, what: str) -> Iterator[str]:
    """Say which pattern is first and by how much, once for each stretch of a sweep."""
    for stretch in stretches(rows, name):
        alone = len(stretch.scenes) == 1
        told = _compare(stretch.scenes[0], name, unit, what) if alone else _compare_all(stretch, unit, what)
        yield f"{stretch.where}, {told}" if _several(rows) else sentence(told)


def _compare_all(stretch: Stretch, unit: str, what: str) -> str:
    """Give the range of values and multiples over several steps."""
    leading = np.array([stretch.values(row["pattern"]) for row in stretch.first])
    told = f"{_names(stretch.first, stretch.scenes[-1])}: {_span(leading, partial(quantity, unit=unit))} {what}."
    if not stretch.rest or leading.min() <= 0:
        return told
    rest = [f"{row['label']} {_span(stretch.values(row['pattern']) / leading[0], times)}" for row in stretch.rest]
    return f"{told} {listed(rest)} {'as long' if stretch.name in QUANTILES else 'as much'}."


def _span(values: np.ndarray, write: Callable[[float], str]) -> str:
    return " to ".join(dict.fromkeys(write(float(end)) for end in (values.min(), values.max())))


def _compare(rows: pd.DataFrame, name: str, unit: str, what: str) -> str:
    first, rest = ranking(rows, name)
    leader = first[0]
    lowest, highest = quantity(leader[name], unit), quantity(first[-1][name], unit)
    told = f"{_names(first, rows)}: {lowest if lowest == highest else f'{lowest} to {highest}'} {what}"
    if len(first) > 1:
        told += f", {_closeness(first, name)}"
    if not rest:
        return f"{told}."
    if leader[name] <= 0:
        return f"{told}. " + listed([f"{row['label']} {quantity(row[name], unit)}" for row in rest]) + "."
    more = "as long" if name in QUANTILES else "as much"
    return f"{told}. {listed([_multiple(row, leader, name) for row in rest])} {more}."


def _closeness(first: Sequence[SummaryRow], name: str) -> str:
    if any(isnan(row[f"{name}_low"]) for row in first):
        return "too close to tell"
    same = all(overlap(row, first[0], name) for row in first)
    return "no measurable difference" if same else "nearly level"


def _multiple(row: SummaryRow, leader: SummaryRow, name: str) -> str:
    """Return a row's value as a multiple of the leader's, with its range over the repeats."""
    told = f"{row['label']} {times(row[name] / leader[name])}"
    ours, theirs = shared_ms(row, name), shared_ms(leader, name)
    low = (row[f"{name}_low"] + ours) / (leader[f"{name}_high"] - theirs)
    high = (row[f"{name}_high"] - ours) / (leader[f"{name}_low"] + theirs)
    if isfinite(low) and number(low, 2) != number(high, 2):
        told += f" ({number(low, 2)} to {number(high, 2)})"
    return told


def _complete(rows: pd.DataFrame) -> str:
    owed, delivered = int(rows["owed"].sum()), int(rows["delivered"].sum())
    repeated, errors = int(rows["duplicated"].sum()), int(rows["errors"].sum())
    if delivered == owed:
        told = f"all {counted(owed, 'delivery', 'deliveries')} that were due arrived"
    else:
        told = f"{counted(owed - delivered, 'delivery', 'deliveries')} of {owed:,} did not arrive "
        told += f"({percent((owed - delivered) / owed)})"
    told += ", none twice" if not repeated else f", {repeated:,} more than once"
    told += ", no request failed." if not errors else f"; {counted(errors, 'request')} failed."
    return sentence(told)


def _names(chosen: Sequence[SummaryRow], rows: pd.DataFrame) -> str:
    return grouped([str(row["label"]) for row in chosen], [str(label) for label in rows["label"]])


def _certainty(rows: pd.DataFrame) -> str:
    repeats = int(rows["repeats"].min())
    if repeats == 1:
        return "One repeat: differences below 50 % are called too close to tell."
    interval = (
        "ranges from lowest to highest repeat" if repeats < SMALLEST_RESAMPLED else "95 % intervals of the median"
    )
    return (
        f"Medians of {counted(repeats, 'repeat')}. No measurable difference: the {interval} overlap; "
        "nearly level: they differ by less than 5 %."
    )
