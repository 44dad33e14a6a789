"""One measure over the runs of one question, oldest first: where its level changed, and what else was new in that run.

Every run is measured anew from its rows, so that one arithmetic speaks of all of them. A run is one value, the median
of its repeats: repeats share a machine state, and taken for independent they would make any two runs "different".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite, nan
from pathlib import Path
from typing import Final

import pandas as pd
from msgspec import structs

from loadtests.records import manifest
from loadtests.runs.run_folder import NotARun, RunFolder
from reports.basics.exit_codes import interval_text
from reports.basics.statistics import ALPHA, Interval, change_points, compare, median_interval, series_needed
from reports.basics.units import counted, number
from reports.ci.compare_runs import MACHINE_MAY_DIFFER, refusals
from reports.ci.comparison import LEAST_PERCENT, Direction
from reports.ci.questions import direction
from reports.data.clock_error import worst_error_ms
from reports.data.load import KEYS, ReportError
from reports.data.situations import Situation, by_situation
from reports.validity.evidence import Evidence, evidence

ABSENT: Final = "absent"


@dataclass(frozen=True, slots=True)
class KeptRun:
    """One run. marks: what else than the code is new in it, "cores 2 -> 4" each; none of the first."""

    run: str
    started_at: str
    commit: str
    verdict: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A proven change of level. at: the first run behind it, as an index of steps. percent, low, high: of the median
    before, low and high as far apart as clocks may make them. p: of so clear a change anywhere in the series by chance.
    """

    at: int
    percent: float
    low_percent: float
    high_percent: float
    p: float
    verdict: Direction


@dataclass(frozen=True, slots=True)
class Line:
    """The measure of one situation. values: one a step, None where that run does not have it; clock_errors: by how much
    two clocks may make each of them wrong.
    """

    situation: Situation
    label: str
    values: tuple[Interval | None, ...]
    clock_errors: tuple[float, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class History:
    """left_out: runs that cannot be used, each with the reason. needed: runs that can prove the clearest change."""

    measure: str
    steps: tuple[KeptRun, ...]
    lines: tuple[Line, ...]
    left_out: tuple[str, ...]
    needed: int

    def told(self) -> list[str]:
        """Return what changed, a sentence each, or that nothing is proven to."""
        found = [self._sentence(line, change) for line in self.lines for change in line.changes]
        if found:
            return found
        runs = counted(len(self.steps), "run")
        if len(self.steps) < self.needed:
            return [f"{self.measure}: {runs} cannot prove a change; {self.needed} can."]
        return [f"{self.measure}: no change proven in {runs}."]

    def _sentence(self, line: Line, change: Change) -> str:
        step = self.steps[change.at]
        with_it = f"; new in that run: {', '.join(step.marks)}" if step.marks else ""
        return (
            f"{line.label} ({line.situation.scene}): {self.measure} {change.verdict} by {_percent(change.percent)} "
            f"({_percent(change.low_percent)} to {_percent(change.high_percent)}, p = {change.p:.1g}) "
            f"since {step.run}{with_it}."
        )

    def as_json(self) -> dict[str, object]:
        lines = [asdict(line) | {"situation": line.situation._asdict()} for line in self.lines]
        return asdict(self) | {"told": self.told(), "lines": lines}

    def tables(self) -> Iterator[tuple[str, list[str], list[list[str]]]]:
        """Return a title, a header and rows of text for each scene: a row a run, a column a pattern."""
        for scene in dict.fromkeys(line.situation.scene for line in self.lines):
            lines = [line for line in self.lines if line.situation.scene == scene]
            rows = [
                [
                    step.run,
                    step.commit[:7],
                    *(_cell(line, at) for line in lines),
                    ", ".join(step.marks),
                ]
                for at, step in enumerate(self.steps)
            ]
            yield f"{self.measure}, {scene}", ["run", "commit", *(line.label for line in lines), "new beside it"], rows


def history(runs: Path, asked: Path, measure: str, patterns: Sequence[str] = ()) -> History:
    """Follow a measure over the runs in a folder that asked what `asked` asked.

    patterns: only these, all where there are none. Raises ReportError for runs, measures and patterns that are not.
    """
    question = _opened(asked)
    found, left_out = list[tuple[str, Evidence]](), list[str]()
    for folder in sorted({file.parent for file in runs.glob("*/run.json")} | {asked}):
        try:
            if not _same(question, _opened(folder)):
                continue
            each = evidence(folder)
        except ReportError as problem:
            left_out.append(str(problem))
            continue
        if each.invalid:
            left_out.append(f"{folder.name}: {each.invalid[0]}")
        else:
            found.append((folder.name, each))
    found.sort(key=lambda pair: pair[1].run.manifest.started_at)
    cells = [each.cells for _, each in found]
    if not cells:
        raise ReportError(f"no run in {runs} can be followed: {'; '.join(left_out)}")
    _check(measure, patterns, cells)
    series = _series(cells, measure, patterns)
    alpha = ALPHA / max(len(series), 1)  # one false alarm in a hundred histories, however many lines they have
    labels = {row["pattern"]: row["label"] for each in cells for row in each[["pattern", "label"]].to_dict("records")}
    lines = [
        Line(situation, str(labels[situation.pattern]), values, errors, tuple(changes(values, errors, measure, alpha)))
        for situation, (values, errors) in series.items()
    ]
    return History(measure, _steps(found), tuple(lines), tuple(left_out), series_needed(alpha))


def _opened(folder: Path) -> manifest.Run:
    try:
        return RunFolder.open(folder).run
    except NotARun as problem:
        raise ReportError(str(problem)) from None


def _same(question: manifest.Run, other: manifest.Run) -> bool:
    """Say whether a run asked the same. Patterns, repeats, machine and code may differ."""
    names = [{str(scenario["name"]) for scenario in run.scenarios} for run in (question, other)]
    return names[0] == names[1] and not refusals(question, other)


def _check(measure: str, patterns: Sequence[str], cells: Sequence[pd.DataFrame]) -> None:
    for what, wanted, known in (
        ("measure", [measure], {str(c) for each in cells for c in each.select_dtypes("number")} - set(KEYS)),
        ("pattern", patterns, {str(pattern) for each in cells for pattern in each["pattern"]}),
    ):
        if absent := [name for name in wanted if name not in known]:
            raise ReportError(f"no {what} {absent[0]!r} in these runs. Choose from: {', '.join(sorted(known))}")


def _series(
    cells: Sequence[pd.DataFrame], measure: str, patterns: Sequence[str]
) -> dict[Situation, tuple[tuple[Interval | None, ...], tuple[float, ...]]]:
    """Return the value of each run, and its clock error, for every situation that any of them has."""
    groups = [by_situation(each) for each in cells]
    wanted = [
        each for each in dict.fromkeys(s for group in groups for s in group) if each.pattern in patterns or not patterns
    ]
    found = {each: tuple(_value(group.get(each), measure) for group in groups) for each in wanted}
    errors = {each: tuple(worst_error_ms(group.get(each), measure) for group in groups) for each in wanted}
    return {each: (values, errors[each]) for each, values in found.items() if any(values)}


def _value(cells: pd.DataFrame | None, measure: str) -> Interval | None:
    if cells is None or measure not in cells:
        return None
    known = [float(value) for value in cells[measure] if isfinite(value)]
    return median_interval(known) if known else None


def changes(
    values: Sequence[Interval | None], clock_errors: Sequence[float], measure: str, alpha: float
) -> Iterator[Change]:
    """Yield the proven changes of a series. One that the clocks of both sides may have made is none."""
    known = [(at, each.median) for at, each in enumerate(values) if each is not None]
    series = [value for _, value in known]
    cuts = change_points(series, alpha) if series else []
    edges = [0, *(cut for cut, _ in cuts), len(series)]
    for (cut, p), before, after in zip(cuts, edges, edges[2:], strict=False):
        shift, base = compare(series[before:cut], series[cut:after]), abs(float(pd.Series(series[before:cut]).median()))
        clock = sum(max(clock_errors[at] for at, _ in side) for side in (known[before:cut], known[cut:after]))
        ends = shift.amount, shift.low - clock, shift.high + clock
        percent, low, high = (100 * each / base if base else nan for each in ends)
        # From nothing to something counts, however little.
        if not (abs(percent) < LEAST_PERCENT or abs(shift.amount) < clock):
            yield Change(known[cut][0], percent, low, high, p, direction(measure, shift.amount))


def _steps(found: Sequence[tuple[str, Evidence]]) -> tuple[KeptRun, ...]:
    steps = list[KeptRun]()
    before: Mapping[str, object] | None = None
    for name, each in found:
        run = each.run.manifest
        now = _surroundings(run)
        fields = dict.fromkeys([*(before or {}), *now])
        marks = [
            f"{field} {before.get(field, ABSENT)} -> {now.get(field, ABSENT)}"
            for field in fields
            if before is not None and before.get(field) != now.get(field)
        ]
        verdict = "SUSPECT" if each.doubts else "VALID"
        steps.append(KeptRun(name, run.started_at, run.commit, verdict, tuple(marks)))
        before = now
    return tuple(steps)


def _surroundings(run: manifest.Run) -> dict[str, object]:
    machine = {name: value for name, value in structs.asdict(run.machine).items() if name not in MACHINE_MAY_DIFFER}
    return machine | run.versions


def _cell(line: Line, at: int) -> str:
    value = line.values[at]
    changed = next((change for change in line.changes if change.at == at), None)
    told = "" if value is None else interval_text(value)
    if told and line.clock_errors[at]:
        told = f"{told} \N{PLUS-MINUS SIGN} {number(line.clock_errors[at], 2)} (clock)"
    return f"{told} <- {changed.verdict}" if changed else told


def _percent(value: float) -> str:
    return f"{value:+,.0f} %" if abs(value) >= 100 else f"{value:+.1f} %"
