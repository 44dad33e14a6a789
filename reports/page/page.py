"""Run folder -> report: one offline HTML file, the summary as CSV and Parquet, the charts as SVG and PNG.

The only file of reports/ that writes. Everything on the page comes from the run folder: the same folder gives the
same page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import msgspec
import pandas as pd
from markupsafe import Markup

from loadtests.scenario.dimensions import Dimension
from reports.basics.output import write
from reports.basics.templating import template
from reports.basics.units import percent
from reports.charts import CHARTS, Chart, svg
from reports.charts.chart_data import Scene, scenes
from reports.charts.style import Look, styled
from reports.data.load import ReportError
from reports.measures.measures import BREAKDOWN
from reports.page import interactive
from reports.page.answer import Finding, GoalMet, answers, findings, goals, headline, tail_percent
from reports.page.conditions import settings, situation
from reports.page.table import Table, table
from reports.theory.theory_table import theory_table
from reports.validity.calibration_used import doubt, quotes
from reports.validity.caution import MEANING, NO_ANSWER, VERDICT_FILE, WORTHLESS, Caution, Facts, Ruling, verdict
from reports.validity.evidence import Evidence, evidence
from reports.validity.evidence_text import accounts, grounds, side_by_side

Picture = tuple[str, Chart, Markup, Markup]
"""An id, the chart, its drawing, "" where there is none, and the one for a phone."""
Drawn = Mapping[str, tuple[str, str]]
"""SVG documents by the chart's name: for the page, "" where there is none, and for a phone."""


@dataclass(frozen=True, slots=True)
class Section:
    """What the page says about one scenario.

    charts: at the furthest step of its sweep, which is `at` where there are others, along `along`; nearer: (step,
    charts) of those.
    """

    name: str
    title: str
    along: Dimension
    at: str
    purpose: str
    headline: str
    findings: Sequence[Finding]
    goals: Sequence[GoalMet]
    tail_percent: int
    table: Table
    breakdown: Table
    stamped: str
    charts: Sequence[Picture]
    nearer: Sequence[tuple[str, Sequence[Picture]]]


def write_report(of: Path | Evidence, charts: Sequence[Chart] = CHARTS) -> Path:
    """Write report.html, verdict.json, summary.csv, summary.parquet and charts/ into a run folder; return the page.

    of: the folder, or what was found in it, to save working it out twice. charts: those to draw, where there is what
    they show. Raises ReportError when the run cannot be read or the files cannot be written.
    """
    found = of if isinstance(of, Evidence) else evidence(of)
    run_dir, cautions = found.run.path, found.cautions
    shown = scenes(found.run, found.summary, verdict(cautions))
    try:
        drawn = {scene.name: _draw(scene, charts, run_dir / "charts") for scene in shown}
        ruling = Ruling.on(cautions, answers(found.run, found.summary))
        write(run_dir / VERDICT_FILE, msgspec.json.format(msgspec.json.encode(ruling), indent=2))
        write(run_dir / "summary.csv", found.summary.to_csv(index=False))
        write(run_dir / "summary.parquet", found.summary.to_parquet(index=False))
        page = run_dir / "report.html"
        write(page, render(found, cautions, shown, drawn))
    except OSError as problem:
        raise ReportError(
            f"{problem.filename or run_dir}: cannot be written ({problem.strerror}). Make room or allow writing, "
            f"then: pollbench report {run_dir}"
        ) from problem
    return page


def _draw(scene: Scene, charts: Sequence[Chart], folder: Path) -> Drawn:
    """Draw each chart that has something to show, save it as SVG and PNG, and return it with one for a phone."""
    folder.mkdir(exist_ok=True)
    chosen = [chart for chart in charts if chart.applies(scene)]
    if not scene.furthest:  # a step of a sweep, folded away: one drawing, of which several stand in a row
        with styled(narrow=True):
            return {chart.name: ("", _saved(chart, scene, folder)) for chart in chosen}
    with styled():
        wide = {chart.name: _saved(chart, scene, folder) for chart in chosen}
    with styled(narrow=True):
        return {chart.name: (wide[chart.name], svg.standalone(chart.draw(scene))) for chart in chosen}


def _saved(chart: Chart, scene: Scene, folder: Path) -> str:
    figure = chart.draw(scene)
    file = folder / f"{scene.name}-{chart.name}.svg"
    document = svg.standalone(figure)
    write(file, document)
    figure.set_layout_engine("none")  # it is laid out already
    write(file.with_suffix(".png"), svg.png(figure))
    return document


def render(
    facts: Facts,
    found: Sequence[Caution],
    shown: Sequence[Scene],
    charts: Mapping[str, Drawn],
) -> str:
    """Return the page. charts: per scene. Touches no file but the template."""
    run, rows = facts.run, facts.summary
    look = Look.of(run.manifest.patterns)
    sections = [_section([*group], charts) for _, group in groupby(shown, lambda scene: scene.setting["name"])]
    return template("report.html.j2").render(
        run=run.manifest,
        sections=sections,
        verdict=verdict(found),
        meaning=MEANING[verdict(found)],
        cautions=found,
        theory=theory_table(facts.theory),
        grounds=grounds(facts, found),
        side_by_side=side_by_side(rows),
        accounts=accounts(rows),
        finished=len(run.finished),
        deliveries=int(rows["delivered"].sum()),
        worthless=verdict(found) in WORTHLESS,
        uncertainty=_uncertainty(int(rows["repeats"].max())),
        colours={"light": Markup(svg.variables(look, dark=False)), "dark": Markup(svg.variables(look, dark=True))},  # noqa: S704
        quotes=quotes(facts.run, facts.summary),
        doubt=doubt(facts.run),
        settings=[settings(scene) for scene in shown if scene.furthest],
        chart_data=interactive.data(shown),
        script=interactive.script(),
        plot_style=interactive.style(),
    )


def _section(near: Sequence[Scene], charts: Mapping[str, Drawn]) -> Section:
    """near: the scenes of one scenario, the furthest last."""
    *nearer, scene = near
    name, worthless = str(scene.setting["name"]), scene.verdict in WORTHLESS
    return Section(
        name=name,
        title=situation(scene),
        along=scene.sweep,
        at=scene.sweep.says(scene.at(scene.sweep)) if nearer else "",
        purpose=str(scene.setting["purpose"]),
        headline=f"{NO_ANSWER}: this run is {scene.verdict}." if worthless else headline(scene.steps, scene.setting),
        findings=() if worthless else findings(scene.steps),
        goals=() if worthless else goals(scene.steps),
        tail_percent=tail_percent(scene.steps),
        table=table(scene.summary, ranked=not worthless),
        breakdown=table(scene.summary, BREAKDOWN, (), ranked=False),
        stamped=_stamped(scene.summary["stamped_ratio"]),
        charts=_pictures(scene, charts),
        nearer=[(each.sweep.says(each.at(each.sweep)), _pictures(each, charts)) for each in nearer],
    )


def _pictures(scene: Scene, charts: Mapping[str, Drawn]) -> list[Picture]:
    """Return what was drawn of a scene. Only one of a chart's two drawings is ever shown, so both have its words."""
    drawn, found = charts.get(scene.name, {}), list[Picture]()
    for chart in CHARTS:
        if chart.name in drawn:
            at, words = f"{scene.name}-{chart.name}", f"{chart.title}. {chart.words(scene)}"
            wide, narrow = drawn[chart.name]
            named = svg.inline(narrow, f"{at}-narrow", words, scene.look)
            found.append((at, chart, svg.inline(wide, at, words, scene.look) if wide else Markup(""), named))
    return found


def _uncertainty(repeats: int) -> str:
    if repeats == 1:
        return "One repeat: the uncertainty is unknown."
    if repeats < 6:
        return (
            f"Figures are medians of {repeats} repeats, with their range below; its lower end leaves out the "
            "instrument's own part."
        )
    return f"Figures are medians of {repeats} repeats, with their 95 % bootstrap interval below."


def _stamped(ratios: "pd.Series[float]") -> str:
    """Say for which share of the deliveries the parts of latency are known."""
    if not ratios.any():
        return "This platform does not report when the client's kernel had a message."
    least, most = (percent(ratio) for ratio in (ratios.min(), ratios.max()))
    span = least if least == most else f"{least} to {most}"
    return f"The instant at which the client's kernel had a message is known for {span} of a pattern's deliveries."
