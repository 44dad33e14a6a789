"""Hold a run against an SLO file, for a CI job: what was met, what was missed, and how sure that is.

A goal is met when the *median* of the repeats meets it: neither one unlucky repeat nor one lucky one decides. It is
proven when the median's whole interval lies on that side of the limit; otherwise another run may say the opposite,
which is written beside it ("unproven") and does not change the exit code. Faults and anything compared with == have no
good median: every repeat must meet those. A goal for several patterns holds where its measure exists: a stream has no
empty responses, and the result says so. An invalid run passes nothing, whatever its numbers are.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import pandas as pd

from loadtests.records import manifest
from loadtests.runs.run_folder import regular_bytes
from loadtests.scenario.dimensions import DIMENSIONS
from reports.basics.exit_codes import ExitCode, interval_text, markdown_notes, markdown_table, markdown_text
from reports.basics.junit import Case, Outcome, junit_xml
from reports.basics.statistics import Interval, median_interval
from reports.basics.units import counted, listed
from reports.ci.comparison import NOT_JUDGED
from reports.ci.slo import SHOWN, Goal, parse_slo
from reports.data.clock_error import worst_error_ms
from reports.data.load import KEYS, ReportError
from reports.data.situations import Situation, by_situation, planned
from reports.page.answer import answers
from reports.validity.evidence import evidence

OWN: Final = "the scenario's own goals"
HEADER: Final = ("", "pattern", "scenario", "goal", "measured", "repeats that met it")
OF_REQUESTS: Final = frozenset(
    {"empty_ratio", "answer_ms", "hold_ms", "turnaround_ms", "send_late_p99_ms", "send_late_max_ms"}
)
"""Measures that only patterns have which ask again and again."""
FAULTS: Final = ("missed", "duplicated", "reordered", "unknown", "errors", "error_*")


@dataclass(frozen=True, slots=True)
class GoalResult:
    """A goal held against one situation. interval: None when nothing was measured, then repeats_met is 0.

    applies: False where this pattern has no such measure, and others have.
    """

    goal: Goal
    situation: Situation
    interval: Interval | None
    repeats: int
    repeats_met: int
    met: bool
    proven: bool
    applies: bool = True

    @property
    def unmeasured(self) -> bool:
        return self.applies and self.interval is None

    @property
    def missed(self) -> bool:
        return self.applies and not self.met

    @property
    def state(self) -> str:
        if not self.applies:
            return "does not apply"
        if self.interval is None:
            return "not measured"
        return ("met" if self.met else "missed") + ("" if self.proven else ", unproven")

    @property
    def measured(self) -> str:
        if self.interval is None:
            return "nothing"
        return interval_text(self.interval)


@dataclass(frozen=True, slots=True)
class Gate:
    """All results of one run. invalid: why nothing may be decided from it; doubts: why some numbers may be wrong.

    answers: what the run says, a sentence or two for each scenario.
    """

    header: ClassVar[tuple[str, ...]] = HEADER
    run: str
    slo: str
    results: tuple[GoalResult, ...]
    invalid: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        if self.invalid or any(result.unmeasured for result in self.results):
            return ExitCode.INVALID
        return ExitCode.SLO_MISSED if any(result.missed for result in self.results) else ExitCode.OK

    @property
    def headline(self) -> str:
        missed = sum(result.missed for result in self.results)
        if self.exit_code is ExitCode.INVALID:
            return f"{self.run} proves nothing: {'it is invalid' if self.invalid else 'not all goals were measured'}"
        told = f"{self.run} misses {missed} of {len(self.results)} goals" if missed else f"{self.run} meets its goals"
        return f"{told}, but is SUSPECT: {counted(len(self.doubts), 'caution')}" if self.doubts else told

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.invalid, *self.doubts)

    def table(self) -> list[tuple[str, ...]]:
        """Return one row of text per result, in the order of HEADER; of an invalid run only what was asked."""
        return [
            (
                NOT_JUDGED if self.invalid else result.state,
                result.situation.pattern,
                result.situation.scene,
                f"{result.goal.measure} {result.goal.condition}",
                "" if self.invalid else result.measured,
                "" if self.invalid or not result.applies else f"{result.repeats_met} of {result.repeats}",
            )
            for result in self.results
        ]

    def markdown(self) -> str:
        """Return the summary for a pull request or $GITHUB_STEP_SUMMARY: misses first, cautions last."""
        pairs = sorted(zip(self.results, self.table(), strict=True), key=lambda pair: not pair[0].missed)
        rows = [row for _, row in pairs]
        above, below = markdown_notes(self.invalid), markdown_notes(self.doubts)
        told = "".join(f"{markdown_text(answer)}\n\n" for answer in self.answers)
        return f"### {markdown_text(self.headline)}\n\n{told}{above}{markdown_table(HEADER, rows)}\n{below}"

    def junit(self) -> bytes:
        """Return a case for each goal and situation, behind one for the verdict on the run."""
        goals = [self._case(*pair) for pair in zip(self.results, self.table(), strict=True)]
        return junit_xml(f"pollbench {self.slo}", [self._verdict(), *goals])

    def _verdict(self) -> Case:
        reason = self.invalid[0] if self.invalid else ""
        return Case("pollbench.run", "verdict", "error" if self.invalid else "passed", reason, "\n".join(self.notes))

    def _case(self, result: GoalResult, row: tuple[str, ...]) -> Case:
        name = f"{result.situation.pattern}.{row[3]}"
        where = f"{result.goal} ({result.goal.where})"
        if self.invalid:
            return Case(result.situation.suite, name, "error", self.invalid[0], where)
        outcome: Outcome = "error" if result.unmeasured else "failure" if result.missed else "passed"
        return Case(
            result.situation.suite,
            name,
            outcome if result.applies else "skipped",
            f"{result.state}: measured {result.measured}",
            f"{result.measured}, {row[-1]} repeats met {where}",
        )


def check_slo(run_dir: Path, slo: Path | None) -> Gate:
    """Hold a run against a file, or with None against what its scenarios are for.

    Raises ReportError, one line, when either cannot be read, a goal could never fail, or there is none.
    """
    goals = None if slo is None else read_slo(slo)
    found = evidence(run_dir)
    goals = _own(found.run.manifest) if goals is None else goals
    results = judge(goals, found.cells, planned(found.run.manifest))
    results.sort(key=lambda result: not result.missed)
    told = () if found.invalid else tuple(answers(found.run, found.summary))
    return Gate(run_dir.name, slo.name if slo else OWN, tuple(results), found.invalid, found.doubts, told)


def _own(run: manifest.Run) -> list[Goal]:
    goals = [
        replace(goal, scenario=str(each["name"]))
        for each in run.scenarios
        if each.get("goals")
        for goal in parse_slo(f"slo = {json.dumps(each['goals'])}", OWN)
    ]
    if not goals:
        names = listed([str(each["name"]) for each in run.scenarios])
        raise ReportError(f"{names} has no goals, and there is no slo.toml: name a file with --slo")
    return goals


def read_slo(file: Path) -> list[Goal]:
    """Read goals. Raises ReportError, one line."""
    try:
        return parse_slo(regular_bytes(file).decode("utf-8-sig"), str(file))
    except OSError as problem:
        raise ReportError(f"{file}: cannot be read ({problem.strerror}). Name a TOML file with goals.") from problem
    except UnicodeDecodeError as problem:
        raise ReportError(f"{file}: cannot be read ({problem}). Save it as UTF-8.") from problem


def judge(goals: Sequence[Goal], cells: pd.DataFrame, situations: Sequence[Situation]) -> list[GoalResult]:
    """Check each goal in every planned situation that it covers, also one whose cells all failed.

    cells: one row per finished cell, the KEYS columns and one numeric column per measure.
    Raises ReportError for a goal that covers nothing or names no measure: it could never fail.
    """
    groups, results = by_situation(cells), list[GoalResult]()
    measures = cells.select_dtypes("number").columns.difference(KEYS)
    for goal in goals:
        _check(goal, "measure", goal.column, measures)
        _check(goal, "pattern", goal.pattern, {situation.pattern for situation in situations})
        _check(goal, "scenario", goal.scenario or "*", {situation.scenario for situation in situations})
        for each in DIMENSIONS:
            wanted = f"{goal.at[each.column]:g}" if each.column in goal.at else "*"
            _check(goal, each.name, wanted, {f"{getattr(situation, each.column):g}" for situation in situations})
        covered = [situation for situation in situations if goal.covers(situation)]
        if not covered:
            raise ReportError(
                f"{goal.where}: `{goal}`: no cell of this run is of that pattern, scenario, "
                f"{listed([each.name for each in DIMENSIONS])} at once."
            )
        results += _results(goal, covered, groups)
    return results


def _results(
    goal: Goal, covered: Sequence[Situation], groups: Mapping[Situation, pd.DataFrame]
) -> Iterator[GoalResult]:
    exists = any(map(math.isfinite, (value for each in covered for value in _values(groups.get(each), goal.column))))
    for situation in covered:
        cells = groups.get(situation)
        if exists and goal.wild and _has_none(cells, goal.column):
            yield GoalResult(goal, situation, None, len(_values(cells, goal.column)), 0, False, True, applies=False)
        else:
            yield _result(goal, situation, _values(cells, goal.column), worst_error_ms(cells, goal.column))


def _has_none(cells: pd.DataFrame | None, column: str) -> bool:
    """Whether cells have no such measure by their nature: none of them, although every one of them delivered."""
    measured = cells is not None and "delivered" in cells and bool((cells["delivered"] > 0).all())
    return column in OF_REQUESTS and measured and not any(map(math.isfinite, _values(cells, column)))


def _values(cells: pd.DataFrame | None, column: str) -> list[float]:
    return [] if cells is None else [float(value) for value in cells[column]]


def _result(goal: Goal, situation: Situation, values: list[float], clock_ms: float) -> GoalResult:
    """A repeat without a value (nothing was delivered) meets no goal, and counts as the worst in the median.

    clock_ms: by how much two clocks may make the values wrong.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return GoalResult(goal, situation, None, len(values), 0, met=False, proven=False)
    repeats_met, interval = sum(map(goal.meets, finite)), median_interval(finite)
    if goal.comparison == "==" or any(fnmatchcase(goal.column, fault) for fault in FAULTS):
        return GoalResult(goal, situation, interval, len(values), repeats_met, repeats_met == len(values), proven=True)
    median = float(np.median([value if math.isfinite(value) else goal.worst for value in values]))
    met = goal.meets(median)
    interval = replace(interval, low=interval.low - clock_ms, high=interval.high + clock_ms)
    one_sided = goal.meets(interval.low) == goal.meets(interval.high) == met
    return GoalResult(
        goal, situation, interval, len(values), repeats_met, met, one_sided and len(finite) == len(values) > 1
    )


def _check(goal: Goal, kind: str, name: str, known: Iterable[str]) -> None:
    known = sorted(known)
    if any(fnmatchcase(candidate, name) for candidate in known):
        return
    close = get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise ReportError(
        f"{goal.where}: `{str(goal)[:SHOWN]}`: this run has no {kind} {name[:SHOWN]}.{hint} It has {', '.join(known)}."
    )
