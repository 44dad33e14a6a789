"""An experiment's folder -> a page beside the observations, with the chart of the mechanism, results.json, results.md.

The page shows the advice, what was measured with its interval, and the chart. What is not proven is marked with `~`,
also when it is what was expected.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from markupsafe import Markup

from loadtests.experiments.observations import read_observations, read_setup
from loadtests.runs.run_folder import RunRefused
from reports import experiments
from reports.basics.output import write
from reports.basics.templating import template
from reports.charts import svg
from reports.charts.dot_strip import strip
from reports.charts.mark import mark
from reports.charts.style import Look, styled
from reports.experiments import Experiment, MeasuredEffect
from reports.experiments.effects import TILDE, change_text, figures_of, interval_text, measured
from reports.experiments.result import HEADER, Result, Results
from servers.palette import SPARE

PAGE: Final = "index.html"
COLOURS: Final = (SPARE[0], SPARE[3], SPARE[1], SPARE[2])
"""The arm without the practice is grey, those with it have colour."""
WORDS: Final = {TILDE: "not proven"}


def judge(name: str, folder: Path, experiment: Experiment | None = None) -> Result:
    """Judge what an experiment's folder holds, and write page, chart, results.json and results.md into it.

    Every arm must have been observed. Raises RunRefused when the folder cannot be read or written.
    """
    experiment = experiment or experiments.load(name)
    observed = read_observations(folder, experiment.ARMS)
    effects = measured(experiment.EFFECTS, figures_of(observed))
    result = Result(name, experiment, read_setup(folder), observed, effects)
    try:
        _write(result, folder)
    except OSError as problem:
        raise RunRefused(
            f"{problem.filename or folder}: cannot be written ({problem.strerror}); make room, then: "
            f"pollbench experiment {name} --resume {folder}"
        ) from None
    return result


def _write(result: Result, folder: Path) -> None:
    look = look_of(result.experiment)
    chart = _draw(result, look, folder)
    write(folder / PAGE, _page(result, look, chart))
    write(folder / "results.json", msgspec.json.format(msgspec.json.encode(result.written()), indent=2))
    write(folder / "results.md", Results((result,)).markdown())


def write_index(results: Sequence[Result], folder: Path) -> Path:
    """Write one page with the effects of all experiments, each of which has its own page in a folder of its name."""
    page = folder / PAGE
    shown = [(result, _lines(result)) for result in results]
    states = Counter(WORDS.get(each.state, each.state) for result in results for each in result.effects.values())
    text = template("experiments.html.j2").render(shown=shown, header=HEADER, words=WORDS, states=states.most_common())
    write(page, text)
    return page


def look_of(experiment: Experiment) -> Look:
    """Return the names and colours of an experiment's arms."""
    colours = {arm: COLOURS[at % len(COLOURS)] for at, arm in enumerate(experiment.ARMS)}
    return Look(experiment.ARMS, colours)


def _lines(result: Result) -> list[tuple[MeasuredEffect, tuple[str, ...], str, str, Markup]]:
    """Return, for each effect, its row, its change and interval apart, and every observation as a drawing."""
    lines = []
    for each, row in zip(result.effects.values(), result.rows(), strict=True):
        values = {
            arm: [seen.known().get(each.effect.figure, float("nan")) for seen in result.observed if seen.arm == arm]
            for arm in (each.effect.base, each.effect.arm)
        }
        lines.append((each, row, change_text(each), interval_text(each), strip(values, each.effect.unit)))
    return lines


def _draw(result: Result, look: Look, folder: Path) -> Markup:
    with styled():
        figure = result.experiment.draw(result.points(), look)
        mark(figure, result.worth)
        document = svg.standalone(figure)
        figure.set_layout_engine("none")  # it is laid out already
        write(folder / "chart.svg", document)
        write(folder / "chart.png", svg.png(figure))
    return svg.inline(document, "chart", result.experiment.TITLE, look)


def _page(result: Result, look: Look, chart: Markup) -> str:
    return template("experiment.html.j2").render(
        result=result,
        experiment=result.experiment,
        header=HEADER,
        words=WORDS,
        lines=_lines(result),
        chart=chart,
        colours={dark: Markup(svg.variables(look, dark=dark)) for dark in (False, True)},  # noqa: S704
        took_s=sum(each.took_s for each in result.observed),
    )
