"""Run folders of a replication -> what was published beside what was measured: rows of text, JUnit, and a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markupsafe import Markup

from reports import replications
from reports.basics.exit_codes import ExitCode, markdown_notes, markdown_table, markdown_text
from reports.basics.junit import Case, junit_xml
from reports.basics.templating import template
from reports.basics.units import counted, number
from reports.charts import CHARTS, Chart, svg
from reports.charts.style import Look
from reports.ci.comparison import NOT_JUDGED
from reports.page.page import write_report
from reports.replications import PublishedClaim, Replication
from reports.validity.evidence import Evidence, evidence

HEADER: Final = ("", "what", "published", "must be", "measured")


@dataclass(frozen=True, slots=True)
class Replicated:
    """Every claim of one replication, judged. invalid: why a stage proves nothing, one line each."""

    name: str
    title: str
    claims: tuple[PublishedClaim, ...]
    invalid: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def exit_code(self) -> ExitCode:
        if self.invalid:
            return ExitCode.INVALID
        return ExitCode.OK if all(claim.agrees for claim in self.claims) else ExitCode.DISAGREES

    @property
    def headline(self) -> str:
        if self.invalid:
            return f"{self.title}: cannot be judged, the numbers are invalid"
        judged = [claim for claim in self.claims if claim.judged]
        agreed = sum(claim.agrees for claim in judged)
        return f"{self.title}: {agreed} of {counted(len(judged), 'claim')} agree"

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.invalid, *self.doubts)

    @property
    def header(self) -> tuple[str, ...]:
        return HEADER

    def table(self) -> list[tuple[str, ...]]:
        """Return one row of text per claim, in the order of HEADER; of invalid stages nothing that was measured."""
        if self.invalid:
            return [(NOT_JUDGED, claim.what, claim.published, claim.expected, "") for claim in self.claims]
        return [(state(claim), claim.what, claim.published, claim.expected, with_unit(claim)) for claim in self.claims]

    def markdown(self) -> str:
        return (
            f"### {markdown_text(self.headline)}\n\n{markdown_notes(self.notes)}{markdown_table(HEADER, self.table())}"
        )

    def junit(self) -> bytes:
        cases = [
            Case(
                f"pollbench.replicate.{self.name}",
                claim.what,
                ("error" if self.invalid else "passed" if claim.agrees else "failure") if claim.judged else "skipped",
                self.invalid[0] if self.invalid else f"{with_unit(claim)} measured, {claim.expected} expected",
                claim.basis,
            )
            for claim in self.claims
        ]
        return junit_xml(f"pollbench replicate {self.name}", cases)


def state(claim: PublishedClaim) -> str:
    return "" if not claim.judged else "agrees" if claim.agrees else "disagrees"


def with_unit(claim: PublishedClaim) -> str:
    return f"{number(claim.measured)} {claim.unit}".rstrip()


def judge(name: str, folder: Path, charts: Sequence[Chart] = CHARTS) -> Replicated:
    """Judge a replication by the run folders in `folder`, one a stage, and write index.html beside them.

    charts: those of the stages' reports, the one among them that index.html shows. Raises ReportError, one line, when a
    stage cannot be read or lacks a cell.
    """
    replication = replications.load(name)
    stages = {stage: evidence(folder / stage) for stage in replication.stages()}
    invalid = _lines({stage: each.invalid for stage, each in stages.items()})
    doubts = _lines({stage: each.doubts for stage, each in stages.items()})
    result = Replicated(name, replication.TITLE, tuple(replication.claims(stages)), invalid, doubts)
    pages = {stage: write_report(each, charts).relative_to(folder) for stage, each in stages.items()}
    page = render(result, replication, pages, _picture(replication, stages, folder))
    (folder / "index.html").write_text(page, encoding="utf-8")
    return result


def _lines(stages: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(f"{stage}: {line}" for stage, lines in stages.items() for line in lines)


def _picture(replication: Replication, stages: Mapping[str, Evidence], folder: Path) -> tuple[Look, Markup]:
    """Return the chart that shows the replication best, from the report of its stage."""
    stage, chart = replication.CHART
    run = stages[stage].run
    look = Look.of(run.manifest.patterns)
    file = folder / stage / "charts" / f"{run.manifest.scenarios[0]['name']}-{chart}.svg"
    return look, svg.inline(file.read_text(encoding="utf-8"), chart, replication.TITLE, look)


def render(
    result: Replicated, replication: Replication, pages: Mapping[str, Path], picture: tuple[Look, Markup]
) -> str:
    look, chart = picture
    return template("replication.html.j2").render(
        result=result,
        replication=replication,
        rows=list(zip(result.table(), result.claims, strict=True)),
        pages=pages,
        chart=chart,
        colours={dark: Markup(svg.variables(look, dark=dark)) for dark in (False, True)},  # noqa: S704
    )
