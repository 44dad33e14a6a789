"""`gate` and `compare-runs`: judge runs for a CI job, and print judgements."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from loadtests.runs.run_folder import RUNS, newest
from reports.commands.common import Junit, Markdown, RunFolder, fail, out, say, show_table, tell
from reports.commands.exits import INVALID

if TYPE_CHECKING:
    from reports.basics.exit_codes import Judgement

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
SLO: Final = Path("slo.toml")
JUDGED_EPILOG: Final = (
    "Exit codes: 0 done; 2 unreadable or not comparable; 5 a goal was missed; 6 a regression was proven; "
    "7 a run is INVALID or FAIL, so nothing can be judged."
)


def gate(
    folder: RunFolder = None,
    slo: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="file of goals, see docs/gates.md (default: slo.toml, or the goals of the run's scenario)",
        ),
    ] = None,
    junit: Junit = None,
    markdown: Markdown = None,
) -> int:
    """Check a run against goals, for CI.

    Example:

        pollbench gate runs/2026-11-24T07-30-00-compare-feed --slo slo.toml --junit gate.xml
    """
    from reports.ci.gates import check_slo

    if slo is None and SLO.exists():
        slo = SLO
    return judge(lambda: check_slo(folder or newest(RUNS), slo), junit, markdown)


def compare_runs(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="run folder to compare with")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="run folder to judge")],
    measure: Annotated[
        str, typer.Option(metavar="NAME[,NAME]", help="measures to compare", show_default="all that are judged")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="also show what is not proven")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="write the comparison as a page")] = None,
    junit: Junit = None,
    markdown: Markdown = None,
) -> int:
    """Compare two runs: the conclusion first, then what became better or worse.

    Example:

        pollbench compare-runs runs/before runs/after --html compare.html
    """
    from reports.ci import compare_runs as stage
    from reports.ci.comparison import FOLDED
    from reports.ci.comparison_page import comparison_page
    from reports.ci.questions import JUDGED

    def compared() -> "Judgement":
        comparison = stage.compare_runs(base, new, measure.split(",") if measure else JUDGED)
        if html:
            html.write_text(comparison_page(comparison), encoding="utf-8")
        return comparison

    return judge(compared, junit, markdown, folded=NOTHING if everything else FOLDED)


def judge(
    judge: "Callable[[], Judgement]",
    junit: Path | None,
    markdown: Path | None,
    *,
    silent: bool = False,
    folded: Mapping[str, str] = NOTHING,
) -> int:
    """Print a judgement unless `silent`, its conclusion first; write what CI asked for, and return its exit code.

    folded: rows of these verdicts are counted, in these words, instead of shown.
    """
    from reports.data.load import NothingMeasured

    try:
        judgement = judge()
        if junit:
            junit.write_bytes(judgement.junit())
        if markdown:
            with markdown.open("a", encoding="utf-8") as file:
                file.write(judgement.markdown())
    except NothingMeasured as problem:
        return fail(INVALID, str(problem))
    except OSError as problem:
        raise ValueError(str(problem)) from None
    if silent:
        return int(judgement.exit_code)
    show(judgement, folded)
    return int(judgement.exit_code)


def show(judgement: "Judgement", folded: Mapping[str, str] = NOTHING) -> None:
    """Print a judgement: its conclusion, what to know before believing it, its rows."""
    say(judgement.headline)
    for note in judgement.notes:
        tell(f"caution: {note}")
    rows = judgement.table()
    if shown := [row for row in rows if row[0] not in folded]:
        out.print()
        show_table(judgement.header, shown)
    counts = {words: sum(row[0] == verdict for row in rows) for verdict, words in folded.items()}
    if away := [f"{words} ({count})" for words, count in counts.items() if count]:
        say(f"\nFolded away: {', '.join(away)}; --all shows them.")
