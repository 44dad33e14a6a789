"""Claims, judged -> one page that a team can argue with: the sentence, what decided it, and why that decides.

Everything on it comes from the folder beside it and from the claims' files: the same give the same page.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from markupsafe import Markup

from reports.basics.output import write
from reports.basics.templating import template
from reports.charts import CHARTS, Chart, svg
from reports.charts.style import Look, styled
from reports.claims.drawn import along, strip
from reports.claims.folder import GUIDE
from reports.claims.grounds import EXPERIMENTS, Grounds
from reports.claims.judged import Judged
from reports.claims.ruling import Ruled, State, Step, Tried
from reports.claims.words import AXES, answer, bound, said, says
from reports.data.load import ReportError
from reports.page.page import write_report
from reports.validity.evidence import evidence

PAGE: Final = "index.html"
RESULTS: Final = "claims.json"


@dataclass(frozen=True)
class ClaimLine:
    """One row of a claim's table: a test, or an end of one that goes along a dimension."""

    says: str
    said: str
    strip: Markup
    state: State
    why: str


@dataclass(frozen=True)
class AskedClaim:
    """A test as the page shows it. chart: of one along a dimension."""

    lines: Sequence[ClaimLine]
    bound: str
    source: str
    chart: Markup
    caption: str


@dataclass(frozen=True)
class Shown:
    """A claim as the page shows it."""

    name: str
    css: str
    sentence: str
    guide: str
    outcome: str
    means: str
    conditions: str
    tests: Sequence[AskedClaim]


@dataclass(frozen=True)
class Matrix:
    """The guide's table: rows of patterns, a claim in each place that has one."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Shown | None]]]


@dataclass(frozen=True)
class RunShown:
    """page: relative to ours, "" where there is none."""

    command: str
    page: str


def judge(grounds: Grounds, charts: Sequence[Chart] = CHARTS) -> Judged:
    """Judge the claims by what a folder holds, and write index.html and claims.json there, and each run's report.

    charts: those of the runs' reports. Raises ReportError or RunRefused, one line, where something cannot be read or
    written.
    """
    doubts, runs, measured = [], {}, ""
    for name, plan in grounds.folder.plans.items():
        try:
            found = evidence(grounds.path / name)
            page = write_report(found, charts).relative_to(grounds.path)
        except ReportError as problem:
            doubts.append(f"run {name}: {problem}")
            runs[name] = RunShown(str(plan), "")
            continue
        run = found.run.manifest
        measured = measured or f"Measured on {run.machine.cpu}, {run.machine.cores} cores, {run.started_at[:10]}."
        doubts += [f"run {name}: {line}" for line in (*found.invalid, *found.doubts)]
        runs[name] = RunShown(run.command, str(page))
    runs |= {name: _experiment(name, arms, grounds) for name, arms in grounds.folder.arms.items()}
    judged = Judged(grounds.ruled(), tuple(doubts), measured, f"Figures of the model rest on {grounds.rests_on}.")
    try:
        write(grounds.path / RESULTS, msgspec.json.format(msgspec.json.encode(judged.as_json()), indent=2))
        write(grounds.path / PAGE, render(judged, grounds, runs))
    except OSError as problem:
        raise ReportError(
            f"{problem.filename}: cannot be written ({problem.strerror}); make room, then --resume"
        ) from None
    return judged


def _experiment(name: str, arms: Sequence[str], grounds: Grounds) -> RunShown:
    if why := grounds.lacking.get(name):
        return RunShown(f"left out: {why}", "")
    return RunShown(f"pollbench experiment {name}, arms {', '.join(arms)}", f"{EXPERIMENTS}/{name}/observations.jsonl")


def render(judged: Judged, grounds: Grounds, runs: Mapping[str, RunShown]) -> str:
    """Return the page. Touches no file but the template."""
    with styled(narrow=True):
        topics = [(title, [_shown(each) for each in own]) for title, own in judged.topics()]
    matrix = _matrix(judged.ruled, {each.name: each for _, own in topics for each in own})
    of = "" if grounds.folder.path == GUIDE else str(grounds.folder.path)
    return template("claims.html.j2").render(
        judged=judged,
        topics=topics,
        listed=topics[bool(matrix) :],
        matrix=matrix,
        runs=runs,
        own=of,
        command=" ".join(filter(None, ("pollbench claims", of, f"--resume {grounds.path}"))),
    )


def _matrix(ruled: Sequence[Ruled], shown: Mapping[str, Shown]) -> Matrix | None:
    placed = {(each.claim.row, each.claim.column): shown[each.name] for each in ruled if each.claim.column}
    if not placed:
        return None
    rows, columns = ([*dict.fromkeys(place[axis] for place in placed)] for axis in (0, 1))
    return Matrix(columns, [(row, [placed.get((row, column)) for column in columns]) for row in rows])


def _shown(ruled: Ruled) -> Shown:
    claim = ruled.claim
    return Shown(
        name=ruled.name,
        css=str(ruled.verdict).replace(" ", "-"),
        sentence=claim.sentence,
        guide=claim.guide,
        outcome=answer(ruled),
        means=claim.means,
        conditions=claim.conditions,
        tests=[_asked(each, f"{ruled.name}-{number}") for number, each in enumerate(ruled.tried, start=1)],
    )


def _asked(tried: Tried, name: str) -> AskedClaim:
    return AskedClaim([*_lines(tried)], bound(tried.test), tried.source, _chart(tried, name), _caption(tried))


def _lines(tried: Tried) -> Iterator[ClaimLine]:
    """One line; along a dimension one at each end of what is known, and one where nothing is."""
    test = tried.test
    says_ = f"{test.says}, {test.given}" if test.given else test.says
    steps: Sequence[Step] = [step for step, _ in tried.known] or tried.steps[:1]
    for step in steps if len(steps) < 2 else (steps[0], steps[-1]):
        where = f" at {says(tried.along, step.at)}" if tried.along and step.figure else ""
        told = said(tried, step)
        state = step.state(*test.bounds)
        yield ClaimLine(f"{says_}{where}", told, strip(step, test.bounds, told), state, step.why_not or test.why)


def _chart(tried: Tried, name: str) -> Markup:
    if not tried.along or len(tried.known) < 2:
        return Markup("")
    drawn = along(tried.steps, tried.test.bounds, tried.crossovers, AXES[tried.along], tried.test.says)
    return svg.inline(svg.standalone(drawn), name, _caption(tried), Look({}, {}))


def _caption(tried: Tried) -> str:
    if not tried.along:
        return ""
    crossed = [f"it passes the bound at {says(tried.along, each.at)}" for each in tried.crossovers]
    unknown = len(tried.steps) - len(tried.known)
    told = [
        *crossed,
        *([f"at {unknown} of {len(tried.steps)} steps nothing is known: {_first(tried)}"] if unknown else []),
    ]
    where = "; ".join(told) or "nowhere does it surely pass the bound"
    return f"{tried.test.says}: {where}. Shaded: what the bounds allow, and the interval."


def _first(tried: Tried) -> str:
    return next(step.why_not for step in tried.steps if step.why_not)
