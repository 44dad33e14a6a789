"""A run for machines: what it concludes, the figures behind that, the conditions, and what to doubt.

The types are the schema of `pollbench explain --json`; `explained` fills them, `told` says the same as lines.
"""

from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Final

import msgspec

from loadtests.records.manifest import Machine
from reports.basics.records import records
from reports.basics.units import NONE, counted, quantity
from reports.charts.chart_data import Scene, scenes
from reports.data.clock_error import CROSSING, ERROR
from reports.measures.measures import MEASURES, Measure
from reports.measures.ranking import SummaryRow
from reports.page.answer import findings, headline
from reports.page.conditions import settings
from reports.validity.caution import MEANING, NO_ANSWER, WORTHLESS, Caution, Verdict, verdict
from reports.validity.evidence import evidence

COUNTS: Final = ("owed", "delivered", "missed", "in_flight", "duplicated", "reordered", "unknown", "errors")
UNITS: Final = {"kB": "B"}
"""Units that a table shows, and those that the figure has."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A measure of one pattern. measure: its column in summary.csv, whose unit it has. meaning: in a sentence's half.

    value: the median over the repeats, null where it is not known, or means nothing for the pattern. low, high: the
    interval that summary.csv has, null for a single repeat. floor: of a latency, what is left without the instrument's
    own part. clock_error: by how much two clocks may make it wrong.
    """

    measure: str
    unit: str
    meaning: str
    value: float | None
    low: float | None
    high: float | None
    floor: float | None = None
    clock_error: float = 0.0


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One pattern at one client count, round trip and message rate. counts: over all repeats together."""

    pattern: str
    label: str
    clients: int
    rtt_ms: float
    rate_per_s: float
    repeats: int
    messages: int
    counts: dict[str, int]
    figures: list[Figure]


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """A question and its answers: one, or one for each stretch of a sweep."""

    question: str
    answers: list[str]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario. conclusions: none where nothing may be decided. conditions: by name, in words, with units."""

    scenario: str
    headline: str
    conclusions: list[Conclusion]
    conditions: dict[str, str]
    measured: list[Measured]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What a run says. command: makes it again. doubts: what speaks against it, worst first. limits: what it cannot
    tell, whatever its figures are."""

    run: str
    command: str
    started_at: str
    commit: str
    machine: Machine
    versions: dict[str, str]
    verdict: Verdict
    meaning: str
    scenarios: list[Explained]
    doubts: list[Caution]
    limits: list[Caution]


def explained(run_dir: Path) -> Explanation:
    """Load, measure and check. Raises ReportError, one line, when the folder cannot be read."""
    found = evidence(run_dir)
    ruled, manifest = verdict(found.cautions), found.run.manifest
    return Explanation(
        run=run_dir.name,
        command=manifest.command,
        started_at=manifest.started_at,
        commit=manifest.commit,
        machine=manifest.machine,
        versions=manifest.versions,
        verdict=ruled,
        meaning=MEANING[ruled],
        scenarios=[_scenario(scene) for scene in scenes(found.run, found.summary, ruled) if scene.furthest],
        doubts=[each for each in found.cautions if each.severity != "note"],
        limits=[each for each in found.cautions if each.severity == "note"],
    )


def _scenario(scene: Scene) -> Explained:
    worthless = scene.verdict in WORTHLESS
    told = [] if worthless else findings(scene.steps)
    return Explained(
        scenario=str(scene.setting["name"]),
        headline=f"{NO_ANSWER}: this run is {scene.verdict}." if worthless else headline(scene.steps, scene.setting),
        conclusions=[Conclusion(question=each.question, answers=list(each.answers)) for each in told],
        conditions=settings(scene),
        measured=[_measured(row) for row in records(scene.summary)],
    )


def _measured(row: SummaryRow) -> Measured:
    return Measured(
        pattern=str(row["pattern"]),
        label=str(row["label"]),
        clients=int(row["clients"]),
        rtt_ms=float(row["rtt_ms"]),
        rate_per_s=float(row["rate_per_s"]),
        repeats=int(row["repeats"]),
        messages=int(row["messages"]),
        counts={name: int(row[name]) for name in COUNTS},
        figures=[_figure(row, measure) for measure in MEASURES],
    )


def _figure(row: SummaryRow, measure: Measure) -> Figure:
    value, low, high, floor = (_known(row.get(f"{measure.name}{end}")) for end in ("", "_low", "_high", "_floor"))
    ratio = measure.unit == "%"
    return Figure(
        measure=measure.name,
        unit="" if ratio else UNITS.get(measure.unit, measure.unit),
        meaning=measure.meaning,
        value=value,
        low=low,
        high=high,
        floor=floor,
        clock_error=float(row.get(ERROR, 0.0)) if measure.name in CROSSING else 0.0,
    )


def _known(value: float | None) -> float | None:
    return float(value) if value is not None and isfinite(value) else None


def told(found: Explanation) -> Iterator[str]:
    """Say it: each scenario's answer, what it rests on and under what conditions; then the verdict, and the doubts."""
    for each in found.scenarios:
        yield each.headline
        for conclusion in each.conclusions:
            yield from (f"  {conclusion.question}: {answer}" for answer in conclusion.answers)
        yield "Conditions"
        yield from (f"  {name}: {value}" for name, value in each.conditions.items())
        yield "Figures, medians over the repeats with their interval"
        for row in each.measured:
            where = f"{row.label}, {counted(row.clients, 'client')}, {row.rate_per_s:g}/s, {row.rtt_ms:g} ms round trip"
            yield f"  {where}, {counted(row.repeats, 'repeat')}"
            yield from (f"    {_line(figure)}" for figure in row.figures if figure.value is not None)
            yield "    " + ", ".join(f"{name} {count:,}" for name, count in row.counts.items() if count)
        yield ""
    yield f"{found.verdict}: {found.meaning}"
    yield from (f"  {caution.what}: {caution.cause} {caution.remedy}" for caution in (*found.doubts, *found.limits))
    yield f"Made by {found.command}, {found.started_at}, on {found.machine.cpu or 'an unknown processor'}"


def _line(figure: Figure) -> str:
    value, low, high = (
        NONE if each is None else quantity(each, figure.unit, 3) for each in (figure.value, figure.low, figure.high)
    )
    interval = f" ({low} to {high})" if figure.low is not None and low != high else ""
    clock = f" \N{PLUS-MINUS SIGN} {quantity(figure.clock_error, figure.unit)} (clock)" if figure.clock_error else ""
    return f"{figure.measure} {value}{clock}{interval}: {figure.meaning}"
