"""What commands share: where they print, common options, and the names of the patterns."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from loadtests.scenario.scenarios import SCENARIOS

out = Console(width=None if sys.stdout and sys.stdout.isatty() else 120)
err = Console(stderr=True)


def pattern_labels() -> dict[str, str]:
    """Return name -> label of every pattern there is."""
    from servers import patterns

    return {name: patterns.facts(name).label for name in patterns.names()}


def pattern_names() -> list[str]:
    return list(pattern_labels())


def scenario_names() -> list[str]:
    return list(SCENARIOS)


def a_folder(folder: Path | None) -> Path | None:
    if str(folder) == "-":
        raise ValueError(
            "--out - is not a folder: a run is many files; name a folder, and print the result with --json"
        )
    return folder


def fail(code: int, problem: str) -> int:
    err.print(f"pollbench: {' '.join(problem.split())}", markup=False, highlight=False, soft_wrap=True)
    return code


Json = Annotated[bool, typer.Option("--json", help="print the result as one JSON object")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", callback=a_folder, help="run folder to make", show_default="runs/TIME-..."),
]
RunFolder = Annotated[
    Path | None, typer.Argument(metavar="[RUN]", help="run folder", show_default="the newest in runs/")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="no progress and no table: the answer, the verdict and where the page is")
]
Export = Annotated[
    Path | None, typer.Option("--export-markdown", metavar="FILE", help="write answer, figures and verdict as Markdown")
]
Slo = Annotated[
    Path | None,
    typer.Option("--slo", metavar="FILE", help="hold the run against these goals: exit code 5 where one is missed"),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metrics",
        metavar="WHERE",
        help="tell live figures: prometheus:PORT (to be scraped) or otlp:URL (told once a second); may be repeated",
    ),
]
Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="write JUnit XML for the CI server")]
Markdown = Annotated[
    Path | None,
    typer.Option("--markdown", metavar="FILE", envvar="GITHUB_STEP_SUMMARY", help="append a summary for a PR"),
]


def write_export(file: Path, text: str) -> None:
    """Write what --export-markdown asks for. Raises ValueError that names the option and the reason."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise ValueError(f"--export-markdown {file}: {problem.strerror}; name a file that can be written") from None
