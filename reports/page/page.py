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

from loadtests.scenario.dimensions import CLIENTS, DIMENSIONS, RATE, RTT, Dimension
from reports.basics.output import write
from reports.basics.templating import template
from reports.basics.units import counted, listed, percent, quantity
from reports.charts import CHARTS, Chart, svg
from reports.charts.chart_data import Scene, scenes
from reports.charts.latency import describe
from reports.charts.style import Look, styled
from reports.data.load import ReportError, load
from reports.measures.measures import BREAKDOWN, per_cell, summary
from reports.page import interactive
from reports.page.answer import Finding, GoalMet, answers, findings, goals, headline, tail_percent
from reports.page.table import Table, table
from reports.theory.theory_table import theory_table
from reports.validity.calibration_used import doubt, quotes
from reports.validity.caution import MEANING, NO_ANSWER, WORTHLESS, Caution, Facts, Ruling, verdict
from reports.validity.checks import cautions_of
from reports.validity.evidence_text import accounts, grounds, side_by_side
from reports.validity.network import BY, conditions
from servers.feed.schedule import Burst, Poisson, Stairs, Steady, parse_schedule
from servers.settings.fault_specs import parse_fault

VERDICT_FILE = "verdict.json"


Picture = tuple[str, Chart, Markup]
"""An id, the chart and its drawing."""


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


def write_report(run_dir: Path) -> Path:
    """Write report.html, verdict.json, summary.csv, summary.parquet and charts/ into a run folder; return the page.

    Raises ReportError when the run cannot be read or the files cannot be written.
    """
    run = load(run_dir)
    cells = per_cell(run)
    table_of = summary(run, cells)
    facts = Facts(run, cells, table_of)
    found = cautions_of(facts)
    shown = scenes(run, table_of, verdict(found))
    try:
        charts = {scene.name: _draw(scene, run_dir / "charts") for scene in shown}
        write(
            run_dir / VERDICT_FILE,
            msgspec.json.format(msgspec.json.encode(Ruling.on(found, answers(run, table_of))), indent=2),
        )
        write(run_dir / "summary.csv", table_of.to_csv(index=False))
        write(run_dir / "summary.parquet", table_of.to_parquet(index=False))
        page = run_dir / "report.html"
        write(page, render(facts, found, shown, charts))
    except OSError as problem:
        raise ReportError(
            f"{problem.filename or run_dir}: cannot be written ({problem.strerror}). Make room or allow writing, "
            f"then: pollbench report {run_dir}"
        ) from problem
    return page


def _draw(scene: Scene, folder: Path) -> dict[str, str]:
    """Draw every chart that has something to show, save each as SVG and PNG, and return the SVG documents by name."""
    folder.mkdir(exist_ok=True)
    drawn = {}
    with styled():
        for chart in CHARTS:
            if chart.applies(scene):
                figure = chart.draw(scene)
                file = folder / f"{scene.name}-{chart.name}.svg"
                drawn[chart.name] = svg.standalone(figure)
                write(file, drawn[chart.name])
                figure.set_layout_engine("none")  # it is laid out already
                write(file.with_suffix(".png"), svg.png(figure))
    return drawn


def render(
    facts: Facts,
    found: Sequence[Caution],
    shown: Sequence[Scene],
    charts: Mapping[str, Mapping[str, str]],
) -> str:
    """Return the page. charts: per scene, SVG documents by chart name. Touches no file but the template."""
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
        settings=[_settings(scene) for scene in shown if scene.furthest],
        chart_data=interactive.data(shown),
        script=interactive.script(),
        plot_style=interactive.style(),
    )


def _section(near: Sequence[Scene], charts: Mapping[str, Mapping[str, str]]) -> Section:
    """near: the scenes of one scenario, the furthest last."""
    *nearer, scene = near
    name, worthless = str(scene.setting["name"]), scene.verdict in WORTHLESS
    return Section(
        name=name,
        title=_situation(scene),
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


def _pictures(scene: Scene, charts: Mapping[str, Mapping[str, str]]) -> list[Picture]:
    """Return (id, chart, picture) of each chart of a scene."""
    drawn, found = charts.get(scene.name, {}), []
    for chart in CHARTS:
        if chart.name in drawn:
            at, words = f"{scene.name}-{chart.name}", describe(scene, chart.along)
            found.append((at, chart, svg.inline(drawn[chart.name], at, f"{chart.title}. {words}", scene.look)))
    return found


def _situation(scene: Scene) -> str:
    """Describe the situation of a section: all steps of its sweep; in brackets what else the run has."""
    rates, rtts_ms = (sorted(scene.steps[each.column].unique()) for each in (RATE, RTT))
    told = [
        counted(scene.clients, "client") + _besides(scene, CLIENTS),
        _schedule([scene.schedules[rate] for rate in rates]) + _besides(scene, RATE),
    ]
    if fault := str(scene.setting.get("fault") or ""):
        told.append(f"from a server that {parse_fault(fault).meaning}, on purpose")
    if rtts_ms[-1]:
        told.append(f"round trip {listed([RTT.amount(ms) for ms in rtts_ms])}{_besides(scene, RTT)}")
    told += [f"{what.lower()} {how}" for what, how in conditions(scene.setting).items()]
    return ", ".join(told)


def _besides(scene: Scene, dimension: Dimension) -> str:
    others = sorted(set(scene.summary[dimension.column]) - set(scene.steps[dimension.column]))
    return f" (this run also has {listed([dimension.amount(value) for value in others])})" if others else ""


def _schedule(several: Sequence[str]) -> str:
    """Describe schedules of one form in words; a form unknown here as it is typed."""
    rates = listed([f"{parse_schedule(each).rate_per_s:,g}" for each in several])
    match parse_schedule(several[0]):
        case Poisson():
            return f"{rates} messages a second at random instants"
        case Steady():
            return f"{rates} messages a second, evenly spaced"
    return listed([_unusual(each) for each in several])


def _unusual(text: str) -> str:
    match parse_schedule(text):
        case Burst(size=size, period_s=period_s):
            return f"{counted(size, 'message')} at once, every {quantity(period_s * 1000, 'ms')}"
        case Stairs(first_per_s=first, last_per_s=last, steps=steps, step_s=step_s):
            return f"{first:g} to {last:g} messages a second in {steps} steps of {quantity(step_s * 1000, 'ms')}"
    return text


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


def _settings(scene: Scene) -> dict[str, str]:
    """The scenario as a list of names and values with units."""
    setting = scene.setting
    known = {
        "message_bytes": "Message content",
        "poll_interval_s": "Poll interval",
        "hold_timeout_s": "Hold timeout",
        "warmup_s": "Warm-up",
        "window_s": "Measured window",
    }
    units = {"_bytes": ("B", 1), "_s": ("ms", 1000)}
    told = {"Scenario": f"{setting['name']}: {setting['purpose']}"}
    clients, rtts_ms, rates = (sorted(scene.summary[each.column].unique()) for each in DIMENSIONS)
    told["Clients"] = ", ".join(CLIENTS.amount(count) for count in clients)
    told["Round trip added"] = ", ".join(RTT.amount(ms) for ms in rtts_ms)
    if rtts_ms[-1]:
        told["Round trip added"] += f", {BY[str(setting.get('network', 'relay'))]}"
    told |= conditions(setting)
    told["Messages due"] = _schedule([scene.schedules[rate] for rate in rates])
    for key, title in known.items():
        value = setting.get(key)
        if value is None:
            continue
        unit, scale = next(unit for ending, unit in units.items() if key.endswith(ending))
        told[title] = quantity(float(str(value)) * scale, unit)
    return told
