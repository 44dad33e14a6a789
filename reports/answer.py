"""PURE. The run in plain words: who is first at what, by how much, and where nobody can tell.

Two patterns are level when their intervals overlap ("no measurable difference"), or when they differ by less than 5 %
("nearly level"): that much can differ between two runs of the same thing. Nothing is called better on less.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Any, Final

import pandas as pd

from reports.measures import QUANTILES
from reports.statistics import SMALLEST_RESAMPLED
from reports.units import counted, grouped, listed, number, percent, quantity, sentence, times

LEVEL: Final = 1.05
LEVEL_ALONE: Final = 1.5
"""Without repeats nothing says what chance does; only what is plain is called a difference."""
GOALS_MS: Final = (10.0, 100.0, 1_000.0, 5_000.0)
QUESTIONS: Final = (
    ("Fastest", "p50_ms", "ms", "for half of the messages"),
    ("Fastest at 99 %", "p99_ms", "ms", "for 99 % of the messages"),
    ("Least server CPU", "cpu_ms_per_1000", "ms", "per 1,000 deliveries"),
    ("Least traffic", "http_bytes_per_delivery", "B", "per delivery"),
    ("Least server memory", "memory_per_client_bytes", "B", "per client"),
)
Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One question and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Goal:
    """Who delivered 99 % of the messages within a time, and who of them costs the server least CPU."""

    within: str
    met_by: str
    cheapest: str


def level(row: Row, leader: Row, name: str) -> bool:
    """Return whether `row` cannot be told from `leader`, which is no larger."""
    if isnan(row[f"{name}_low"]) or isnan(leader[f"{name}_high"]):
        return bool(row[name] <= leader[name] * LEVEL_ALONE)
    return bool(row[f"{name}_low"] <= leader[f"{name}_high"] or row[name] <= leader[name] * LEVEL)


def ranking(rows: pd.DataFrame, name: str) -> tuple[list[Row], list[Row]]:
    """Return the rows that are first, level with each other, and the rest; both from small to large."""
    ordered: list[Row] = [*rows.dropna(subset=[name]).sort_values(name, kind="stable").to_dict("records")]
    first = [row for row in ordered if level(row, ordered[0], name)]
    return first, [row for row in ordered if not level(row, ordered[0], name)]


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Answer the questions a reader has, for the patterns of one scene."""
    told = [
        Finding(question, _compare(rows, name, unit, what))
        for question, name, unit, what in QUESTIONS
        if rows[name].notna().any()
    ]
    return [*told, Finding("Complete", _complete(rows)), Finding("How sure", _certainty(rows))]


def headline(rows: pd.DataFrame) -> str:
    """Return the answer in one sentence."""
    first, rest = ranking(rows, "p50_ms")
    if not first:
        return "Nothing was delivered."
    names = _names(first, rows)
    worst_ms = max(row["p50_ms"] for row in first)
    verb = "deliver" if len(first) > 1 else "delivers"
    if not rest:
        return f"{names} {verb} half of all messages within {quantity(worst_ms, 'ms')}: no measurable difference."
    slowest = rest[-1]
    return (
        f"{names} {verb} half of all messages within {quantity(worst_ms, 'ms')}; "
        f"{slowest['label']} takes {quantity(slowest['p50_ms'], 'ms')}, "
        f"{times(slowest['p50_ms'] / first[0]['p50_ms'])} as long."
    )


def goals(rows: pd.DataFrame) -> list[Goal]:
    """Return, for ever laxer latency goals, who meets them; a goal that changes nothing is left out."""
    told: list[Goal] = []
    before: set[str] = set()
    for goal_ms in GOALS_MS:
        tail = rows["p99_ms_high"].fillna(rows["p99_ms"])
        met = rows[(tail <= goal_ms) & (rows["missed"] == 0)]
        if len(met) and set(met["pattern"]) != before:
            before = set(met["pattern"])
            first, _ = ranking(met, "cpu_ms_per_1000")
            cheapest = "not measured"
            if first:
                cost = quantity(float(first[0]["cpu_ms_per_1000"]), "ms")
                cheapest = f"{_names(first, rows)} ({cost} per 1,000 deliveries)"
            told.append(Goal(quantity(goal_ms, "ms", 1), _names([*met.to_dict("records")], rows), cheapest))
    return told


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


def _closeness(first: Sequence[Row], name: str) -> str:
    if any(isnan(row[f"{name}_low"]) for row in first):
        return "too close to tell"
    overlap = all(row[f"{name}_low"] <= first[0][f"{name}_high"] for row in first)
    return "no measurable difference" if overlap else "nearly level"


def _multiple(row: Row, leader: Row, name: str) -> str:
    """How many times the leader's value a row has, and between what the repeats put it."""
    told = f"{row['label']} {times(row[name] / leader[name])}"
    low, high = row[f"{name}_low"] / leader[f"{name}_high"], row[f"{name}_high"] / leader[f"{name}_low"]
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


def _names(chosen: Sequence[Row], rows: pd.DataFrame) -> str:
    return sentence(grouped([str(row["label"]) for row in chosen], [str(label) for label in rows["label"]]))


def _certainty(rows: pd.DataFrame) -> str:
    repeats = int(rows["repeats"].min())
    if repeats == 1:
        return "One repeat: what differs by less than half as much again is called too close to tell."
    interval = (
        "ranges from lowest to highest repeat" if repeats < SMALLEST_RESAMPLED else "95 % intervals of the median"
    )
    return (
        f"Medians of {counted(repeats, 'repeat')}. No measurable difference means that the {interval} overlap; "
        "nearly level, that they differ by less than 5 %."
    )
