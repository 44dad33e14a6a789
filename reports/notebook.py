"""Everything a notebook needs, under one name: `import pollbench`, then `pollbench.load(pollbench.newest(runs))`."""

from dataclasses import dataclass

from loadtests.runs.run_folder import newest
from loadtests.scenario.dimensions import CLIENTS, RATE, RTT
from reports.basics.statistics import compare as compare_samples
from reports.basics.statistics import median_interval
from reports.charts import CHARTS, Chart
from reports.charts.chart_data import Scene, scenes
from reports.charts.style import styled
from reports.charts.svg import standalone
from reports.ci.compare_runs import compare_runs
from reports.data.load import load
from reports.measures.crossovers import crossovers
from reports.measures.measures import conservation, latencies, per_cell, summary
from reports.theory import oracles
from reports.theory.compare import agreements
from reports.validity.caution import verdict
from reports.validity.checks import cautions
from reports.validity.evidence import evidence

__all__ = [
    "CLIENTS",
    "RATE",
    "RTT",
    "agreements",
    "cautions",
    "charts",
    "compare_runs",
    "compare_samples",
    "conservation",
    "crossovers",
    "evidence",
    "latencies",
    "load",
    "median_interval",
    "newest",
    "oracles",
    "per_cell",
    "scenes",
    "summary",
    "verdict",
]


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
