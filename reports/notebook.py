"""Everything a notebook needs, under one name: `import pollbench`, then `pollbench.load(pollbench.newest())`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtests.runs import run_folder
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
from reports.charts.mark import ADVICE, say
from reports.charts.style import styled
from reports.charts.svg import standalone
from reports.ci import compare_runs as _two_runs
from reports.ci.comparison import Comparison
from reports.ci.questions import JUDGED
from reports.data import load as _load
from reports.data.load import Run
from reports.measures.crossovers import crossovers
from reports.measures.measures import conservation, latencies, per_cell, summary
from reports.model.model import Model
from reports.model.model_file import RECORDED, read
from reports.page.answer import answers as _answers
from reports.theory import oracles
from reports.theory.compare import agreements
from reports.validity import evidence as _evidence
from reports.validity.caution import NO_ANSWER, Ruling, verdict
from reports.validity.checks import cautions
from reports.validity.evidence import Evidence

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


PLACES: Final = (Path("runs"), Path("../runs"))
"""Where a notebook finds runs: beside itself, and beside its folder."""
SHIPPED: Final = Path("recorded/feed")


def newest(runs: str | Path | None = None) -> Path:
    """Return the folder of the run that was started last, in `runs` or, without it, in PLACES; else the one that ships.

    Raises ValueError where there is none.
    """
    for place in PLACES if runs is None else (Path(runs),):
        if any(place.glob("*/run.json")):
            return run_folder.newest(place)
    return SHIPPED if runs is None and SHIPPED.is_dir() else run_folder.newest(Path(runs or PLACES[0]))


def load(folder: str | Path) -> Run:
    """Read a run folder. Raises ReportError."""
    return _load.load(Path(folder))


def evidence(folder: str | Path) -> Evidence:
    """Read and measure a run folder, and say what speaks against believing it. Raises ReportError."""
    return _evidence.evidence(Path(folder))


def compare_runs(base: str | Path, new: str | Path, measures: Sequence[str] = JUDGED) -> Comparison:
    """Say what became better or worse from one run folder to another. Raises ReportError."""
    return _two_runs.compare_runs(Path(base), Path(new), measures)


def answers(run: Run) -> list[str]:
    """Return what a run says, in the words with which page, terminal and pull request open: one for each scenario."""
    found = _evidence.evidence_of(run)
    ruling = Ruling.on(found.cautions, _answers(run, found.summary))
    return [*ruling.answers] or [f"{NO_ANSWER}: this run is {ruling.verdict}."]


@dataclass(frozen=True)
class Picture:
    """A chart of the report, with what it is worth. A notebook draws it where it is the last line of a cell."""

    chart: Chart
    scene: Scene

    def _repr_svg_(self) -> str:
        with styled():
            figure = self.chart.draw(self.scene)
            if self.scene.verdict == "VALID":  # others stand on every chart; here this one has no page above it
                say(figure, ADVICE["VALID"])
            return standalone(figure)


def charts(scene: Scene) -> dict[str, Picture]:
    """Return the charts that the report has of a scene, by their names."""
    return {chart.name: Picture(chart, scene) for chart in CHARTS if chart.applies(scene)}


@dataclass(frozen=True)
class Map:
    """A decision map, with how its model was checked. A notebook draws it where it is the last line of a cell."""

    found: DecisionMap
    checked: str

    def _repr_svg_(self) -> str:
        with styled():
            figure = decision(self.found)
            say(figure, self.checked)
            return standalone(figure)


def decision_map(model: Model, question: Question, columns: int = 24, lines: int = 16) -> Map:
    """Work out a decision map; more columns and lines take longer."""
    return Map(_decision_map(model, question, columns, lines), str(model.coverage))


def recorded_model() -> Model:
    """Return the model that ships."""
    return read(RECORDED)
