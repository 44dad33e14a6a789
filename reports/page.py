"""Run folder -> report: one offline HTML file, the summary as CSV and Parquet, the charts as SVG and PNG.

The only file of reports/ that writes. Everything on the page comes from the run folder: the same folder gives the
same page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup

from reports import svg
from reports.answer import Finding, Goal, findings, goals, headline
from reports.caution import Caution, Verdict, verdict
from reports.charts import CHARTS, Chart
from reports.charts.latency import describe
from reports.checks import cautions
from reports.load import ReportError, Run, load
from reports.measures import latencies, per_cell, summary
from reports.scene import Scene, scenes
from reports.style import Look, styled
from reports.table import Table, table
from reports.theory import Agreement, agreements
from reports.theory_table import theory_table
from reports.units import counted, listed, number, quantity
from servers.schedule import Burst, Poisson, Steady, parse_schedule

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Section:
    """What the page says about one scene."""

    name: str
    title: str
    purpose: str
    headline: str
    findings: Sequence[Finding]
    goals: Sequence[Goal]
    table: Table
    charts: Sequence[tuple[Chart, Markup]]


def write_report(run_dir: Path) -> Path:
    """Write report.html, summary.csv, summary.parquet and charts/ into a run folder; return the page's path.

    Raises ReportError when the run cannot be read or the files cannot be written.
    """
    run = load(run_dir)
    latency = latencies(run)
    cells = per_cell(run, latency)
    table_of = summary(run, cells)
    theory = agreements(run, table_of)
    found = cautions(run, cells, table_of, theory)
    shown = scenes(run, table_of, latency)
    try:
        charts = {scene.setting["name"]: _draw(scene, run_dir / "charts") for scene in shown}
        table_of.to_csv(run_dir / "summary.csv", index=False)
        table_of.to_parquet(run_dir / "summary.parquet", index=False)
        page = run_dir / "report.html"
        page.write_text(render(run, table_of, found, shown, charts, theory), encoding="utf-8")
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
                file = folder / f"{scene.setting['name']}-{chart.name}.svg"
                drawn[chart.name] = svg.standalone(figure)
                file.write_text(drawn[chart.name], encoding="utf-8")
                figure.set_layout_engine("none")  # it is laid out already
                file.with_suffix(".png").write_bytes(svg.png(figure))
    return drawn


def render(
    run: Run,
    rows: pd.DataFrame,
    found: Sequence[Caution],
    shown: Sequence[Scene],
    charts: Mapping[str, Mapping[str, str]],
    theory: Sequence[Agreement],
) -> str:
    """Return the page. charts: per scenario, SVG documents by chart name. Touches no file but the template."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"number": number, "quantity": quantity, "counted": counted}
    look = Look.of(run.manifest.patterns)
    sections = [_section(scene, charts.get(scene.setting["name"], {})) for scene in shown]
    return environment.get_template("report.html.j2").render(
        run=run.manifest,
        sections=sections,
        verdict=verdict(found),
        meaning=MEANING[verdict(found)],
        cautions=found,
        theory=theory_table(theory),
        finished=len(run.finished),
        deliveries=int(rows["delivered"].sum()),
        uncertainty=_uncertainty(int(rows["repeats"].max())),
        colours={"light": Markup(svg.variables(look, dark=False)), "dark": Markup(svg.variables(look, dark=True))},  # noqa: S704
        settings=[_settings(scene) for scene in shown],
    )


MEANING: dict[Verdict, str] = {
    "VALID": "Nothing was found that puts the figures in doubt.",
    "SUSPECT": "Some figures may be wrong; the cautions below say which, and what to do.",
    "INVALID": "Do not decide anything from this run; the cautions below say why.",
}


def _section(scene: Scene, charts: Mapping[str, str]) -> Section:
    name = str(scene.setting["name"])
    drawn = [
        (chart, svg.inline(charts[chart.name], f"{name}-{chart.name}", f"{chart.title}. {describe(scene)}", scene.look))
        for chart in CHARTS
        if chart.name in charts
    ]
    return Section(
        name=name,
        title=_situation(scene),
        purpose=str(scene.setting["purpose"]),
        headline=headline(scene.rows),
        findings=findings(scene.rows),
        goals=goals(scene.rows),
        table=table(scene.summary),
        charts=drawn,
    )


def _situation(scene: Scene) -> str:
    told = [counted(scene.clients, "client"), _schedule(str(scene.setting["schedule"]))]
    if fewer := sorted({int(count) for count in scene.summary["clients"]} - {scene.clients}):
        told.append(f"the most of this run, which has {listed([f'{count:,}' for count in fewer])} too")
    if scene.rtt_ms:
        told.append(f"{quantity(scene.rtt_ms, 'ms')} round trip")
    if shorter := sorted(set(scene.summary["rtt_ms"]) - {scene.rtt_ms}):
        told.append(f"the longest of this run, which has {listed([quantity(each, 'ms') for each in shorter])} too")
    return ", ".join(told)


def _schedule(text: str) -> str:
    """Say a schedule in words; one that is new to this page in its own short form."""
    match parse_schedule(text):
        case Poisson(rate_per_s=rate):
            return f"{rate:g} messages a second at random instants"
        case Steady(rate_per_s=rate):
            return f"{rate:g} messages a second, evenly spaced"
        case Burst(size=size, period_s=period_s):
            return f"{counted(size, 'message')} at once, every {quantity(period_s * 1000, 'ms')}"
    return text


def _uncertainty(repeats: int) -> str:
    if repeats == 1:
        return "One repeat: no uncertainty is known."
    if repeats < 6:
        return f"Figures are medians of {repeats} repeats, with the lowest and highest repeat beneath."
    return f"Figures are medians of {repeats} repeats, with their 95 % bootstrap interval beneath."


def _settings(scene: Scene) -> dict[str, str]:
    """The scenario as a list of names and values with units."""
    setting = scene.setting
    known = {
        "schedule": "Messages due",
        "message_bytes": "Message content",
        "poll_interval_s": "Poll interval",
        "hold_timeout_s": "Hold timeout",
        "warmup_s": "Warm-up",
        "window_s": "Measured window",
    }
    units = {"_bytes": ("B", 1), "_s": ("ms", 1000)}
    told = {"Scenario": f"{setting['name']}: {setting['purpose']}"}
    clients = sorted(int(count) for count in scene.summary["clients"].unique())
    told["Clients"] = ", ".join(f"{count:,}" for count in clients)
    told["Round trip added"] = listed([quantity(each, "ms") for each in sorted(scene.summary["rtt_ms"].unique())])
    for key, title in known.items():
        value = setting.get(key)
        if value is None:
            continue
        unit = next((unit for ending, unit in units.items() if key.endswith(ending)), None)
        told[title] = quantity(float(str(value)) * unit[1], unit[0]) if unit else _schedule(str(value))
    return told
