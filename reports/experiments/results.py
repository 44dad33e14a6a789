"""Observations of an experiment -> what they come to: rows of text, JUnit, Markdown, results.json, and a page.

The page shows what was said, what was measured beside it with its interval, and the chart of the mechanism. What is
not proven says so with a `~`, also when it is what everybody expects.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import msgspec
import pandas as pd
from markupsafe import Markup

from loadtests.records.manifest import Advice
from loadtests.runs.runner import RunRefused
from reports.basics.exit_codes import ExitCode, markdown_notes, markdown_table, markdown_text
from reports.basics.junit import Case, junit_xml
from reports.basics.templating import template
from reports.basics.units import counted, quantity
from reports.charts import svg
from reports.charts.dot_strip import strip
from reports.charts.style import Look, styled
from reports.experiments import Effects, Experiment, Measured
from reports.experiments.arm_runner import Job, Observed, Setup, figures_of, read_observations
from reports.experiments.effects import FEWEST_REPEATS, TILDE, change_text, interval_text, measured
from servers.palette import SPARE

HEADER: Final = ("", "what", "without", "with", "change", "expected")
PAGE: Final = "index.html"
COLOURS: Final = (SPARE[0], SPARE[3], SPARE[1], SPARE[2])
"""The arm without the practice is grey, those with it have colour."""
WORDS: Final = {TILDE: "not proven"}


@dataclass(frozen=True)
class Result:
    """One experiment, judged."""

    name: str
    experiment: Experiment
    setup: Setup
    observed: Sequence[Observed]
    effects: Effects

    @property
    def repeats(self) -> int:
        """Repeats of which every arm is there."""
        return min(sum(each.arm == arm for each in self.observed) for arm in self.experiment.ARMS)

    @property
    def verdict(self) -> str:
        return self.experiment.verdict(self.effects)

    @property
    def contradicted(self) -> list[Measured]:
        return [each for each in self.effects.values() if each.contradicts]

    @property
    def command(self) -> str:
        quick = " --quick" if self.setup.quick else ""
        return f"pollbench experiment {self.name}{quick} --repeats {self.repeats}"

    @property
    def notes(self) -> tuple[str, ...]:
        few = self.repeats < FEWEST_REPEATS
        too_few = f"{counted(self.repeats, 'repeat')} cannot prove an effect, {FEWEST_REPEATS} can" if few else ""
        quick = "shortened runs (--quick), as for CI: directions show, sizes may be off" if self.setup.quick else ""
        doubts = Counter(f"{each.arm}: {doubt}" for each in self.observed for doubt in dict.fromkeys(each.doubts))
        told = (f"{doubt} (in {times} of {counted(self.repeats, 'run')})" for doubt, times in doubts.items())
        return tuple(filter(None, (quick, too_few, *told)))

    def rows(self) -> list[tuple[str, ...]]:
        """Return one row of text per effect, in the order of HEADER."""
        return [_row(each) for each in self.effects.values()]

    def points(self) -> pd.DataFrame:
        """Return the points of all observations, each with its arm and repeat."""
        return pd.DataFrame(
            [{"arm": each.arm, "repeat": each.repeat} | point for each in self.observed for point in each.points]
        )

    @property
    def advice(self) -> Advice | None:
        """What is worth to be said in the report of a run; None of shortened runs, and of too few."""
        if self.setup.quick or self.repeats < FEWEST_REPEATS:
            return None
        return Advice(
            title=self.experiment.TITLE,
            verdict=self.verdict,
            command=self.command,
            measured_at=self.setup.started_at,
        )

    def as_json(self) -> dict[str, object]:
        asked: dict[str, object] = msgspec.to_builtins(self.setup)
        return asked | {
            "title": self.experiment.TITLE,
            "advice": self.experiment.ADVICE,
            "verdict": self.verdict,
            "repeats": self.repeats,
            "command": self.command,
            "arms": dict(self.experiment.ARMS),
            "effects": [asdict(each) | {"state": each.state} for each in self.effects.values()],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Results:
    """Several experiments together, as a Judgement: what the terminal, a pull request and a CI server show."""

    results: tuple[Result, ...]

    def advice(self) -> dict[str, Advice]:
        return {result.name: each for result in self.results if (each := result.advice)}

    def as_json(self) -> dict[str, object]:
        return {result.name: result.as_json() for result in self.results}

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.DISAGREES if any(result.contradicted for result in self.results) else ExitCode.OK

    @property
    def headline(self) -> str:
        return "\n".join(result.verdict for result in self.results)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(f"{result.name}: {note}" for result in self.results for note in result.notes)

    @property
    def header(self) -> tuple[str, ...]:
        return (*HEADER[:1], *(["experiment"] if len(self.results) > 1 else []), *HEADER[1:])

    def table(self) -> list[tuple[str, ...]]:
        several = len(self.results) > 1
        return [
            (row[0], *([result.name] if several else []), *row[1:]) for result in self.results for row in result.rows()
        ]

    def markdown(self) -> str:
        return "".join(
            f"### {markdown_text(result.experiment.TITLE)}\n\n{markdown_text(result.verdict)}\n\n"
            f"{markdown_notes(result.notes)}{markdown_table(HEADER, result.rows())}\n"
            for result in self.results
        )

    def junit(self) -> bytes:
        cases = [
            Case(
                f"pollbench.experiment.{result.name}",
                each.effect.label,
                "failure" if each.contradicts else "skipped" if each.state == TILDE else "passed",
                f"{change_text(each)} ({interval_text(each)}), expected {each.effect.expected or 'nothing'}",
                result.verdict,
            )
            for result in self.results
            for each in result.effects.values()
        ]
        return junit_xml("pollbench experiment", cases)


def judge(job: Job) -> Result:
    """Judge what an experiment's folder holds, and write page, chart, results.json and results.md into it.

    Every arm must have been observed. Raises RunRefused when the folder cannot be read or written.
    """
    try:
        return _judge(job)
    except OSError as problem:
        raise RunRefused(
            f"{problem.filename or job.folder}: cannot be written ({problem.strerror}); make room, then: "
            f"pollbench experiment {job.name} --resume {job.folder}"
        ) from None


def _judge(job: Job) -> Result:
    folder, observed = job.folder, read_observations(job.folder)
    effects = measured(job.experiment.EFFECTS, figures_of(observed))
    result = Result(job.name, job.experiment, job.setup, observed, effects)
    look = look_of(job.experiment)
    chart = _draw(result, look, folder)
    (folder / PAGE).write_text(_page(result, look, chart), encoding="utf-8")
    (folder / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(result.as_json()), indent=2))
    (folder / "results.md").write_text(Results((result,)).markdown(), encoding="utf-8")
    return result


def write_index(results: Sequence[Result], folder: Path) -> Path:
    """Write one page with the effects of all experiments, each of which has its own page in a folder of its name."""
    page = folder / PAGE
    shown = [(result, _lines(result)) for result in results]
    states = Counter(WORDS.get(each.state, each.state) for result in results for each in result.effects.values())
    text = template("experiments.html.j2").render(shown=shown, header=HEADER, words=WORDS, states=states.most_common())
    page.write_text(text, encoding="utf-8")
    return page


def look_of(experiment: Experiment) -> Look:
    """Return the names and colours of an experiment's arms."""
    colours = {arm: COLOURS[at % len(COLOURS)] for at, arm in enumerate(experiment.ARMS)}
    return Look(experiment.ARMS, colours)


def _row(each: Measured) -> tuple[str, ...]:
    effect = each.effect
    middle = [quantity(value, effect.unit) for value in (each.base, each.arm)]
    spread = interval_text(each)
    change = f"{change_text(each)} ({spread})" if spread and spread != change_text(each) else change_text(each)
    return (each.state, effect.label, *middle, change, effect.expected)


def _lines(result: Result) -> list[tuple[Measured, tuple[str, ...], str, str, Markup]]:
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
        document = svg.standalone(figure)
        figure.set_layout_engine("none")  # it is laid out already
        (folder / "chart.svg").write_text(document, encoding="utf-8")
        (folder / "chart.png").write_bytes(svg.png(figure))
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
