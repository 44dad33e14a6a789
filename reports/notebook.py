"""Everything a notebook needs, under one name: `import pollbench`, then `pollbench.load(pollbench.newest(runs))`."""

from dataclasses import dataclass

from loadtests.runs.run_folder import newest
from loadtests.scenario.dimensions import CLIENTS, RATE, RTT
from reports.advice.advise import Question, advise
from reports.advice.decision_map import DecisionMap
from reports.advice.decision_map import decision_map as _decision_map
from reports.advice.goals import parse_goal
from reports.advice.recommendation import changes, recommendation
from reports.basics.statistics import compare as compare_samples
from reports.basics.statistics import median_interval
from reports.charts import CHARTS, Chart
from reports.charts.chart_data import Scene, scenes
from reports.charts.decision import decision
from reports.charts.style import styled
from reports.charts.svg import standalone
from reports.ci.compare_runs import compare_runs
from reports.data.load import Run, load
from reports.measures.crossovers import crossovers
from reports.measures.measures import conservation, latencies, per_cell, summary
from reports.model.model import Model
from reports.model.model_file import RECORDED, read
from reports.page.answer import answers as _answers
from reports.theory import oracles
from reports.theory.compare import agreements
from reports.validity.caution import NO_ANSWER, Ruling, verdict
from reports.validity.checks import cautions
from reports.validity.evidence import evidence

__all__ = [
    "CLIENTS",
    "RATE",
    "RTT",
    "Question",
    "advise",
    "agreements",
    "answers",
    "cautions",
    "changes",
    "charts",
    "compare_runs",
    "compare_samples",
    "conservation",
    "crossovers",
    "decision_map",
    "evidence",
    "latencies",
    "load",
    "median_interval",
    "newest",
    "oracles",
    "parse_goal",
    "per_cell",
    "recommendation",
    "recorded_model",
    "scenes",
    "summary",
    "verdict",
]


def answers(run: Run) -> list[str]:
    """Return what a run says, in the words with which page, terminal and pull request open: one for each scenario."""
    cells = per_cell(run)
    rows = summary(run, cells)
    ruling = Ruling.on(cautions(run, cells, rows), _answers(run, rows))
    return [*ruling.answers] or [f"{NO_ANSWER}: this run is {ruling.verdict}."]


@dataclass(frozen=True)
class Picture:
    """A chart of the report. A notebook draws it where it is the last line of a cell."""

    chart: Chart
    scene: Scene

    def _repr_svg_(self) -> str:
        with styled():
            return standalone(self.chart.draw(self.scene))


def charts(scene: Scene) -> dict[str, Picture]:
    """Return the charts that the report has of a scene, by their names."""
    return {chart.name: Picture(chart, scene) for chart in CHARTS if chart.applies(scene)}


@dataclass(frozen=True)
class Map:
    """A decision map. A notebook draws it where it is the last line of a cell."""

    found: DecisionMap

    def _repr_svg_(self) -> str:
        with styled():
            return standalone(decision(self.found))


def decision_map(model: Model, question: Question, columns: int = 24, lines: int = 16) -> Map:
    """Work out a decision map; more columns and lines take longer."""
    return Map(_decision_map(model, question, columns, lines))


def recorded_model() -> Model:
    """Return the model that ships."""
    return read(RECORDED)
