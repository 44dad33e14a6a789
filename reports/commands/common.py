"""What commands share: where they print, common options, and the names of the patterns."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

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


def say(text: object) -> None:
    """Print a line of the result as it is."""
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def tell(text: object) -> None:
    """Print a line beside the result as it is, to stderr."""
    err.print(text, markup=False, highlight=False, soft_wrap=True)


def show_table(header: Sequence[str], rows: Iterable[Sequence[str]], **how: Any) -> None:
    table = Table(*header, box=None, header_style="dim", **how)
    for row in rows:
        table.add_row(*row)
    out.print(table)


def fail(code: int, problem: str) -> int:
    tell(f"pollbench: {' '.join(problem.split())}")
    return code


def one_folder(folder: Path | None, resume: Path | None, why: str) -> None:
    """Raise ValueError where --out and --resume are both given. why: what resuming does instead."""
    if folder and resume:
        raise ValueError(f"--out {folder} and --resume {resume} exclude each other: {why}")


Json = Annotated[bool, typer.Option("--json", help="print the result as one JSON object")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", callback=a_folder, help="run folder to make", show_default="runs/TIME-..."),
]
RunFolder = Annotated[
    Path | None, typer.Argument(metavar="[RUN]", help="run folder", show_default="the newest in runs/")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="print only the answer, the verdict and the path of the report")
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
        help="export live figures: prometheus:PORT (scraped) or otlp:URL (sent once a second); may be repeated",
    ),
]
Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="write JUnit XML for the CI server")]
Markdown = Annotated[
    Path | None,
    typer.Option("--markdown", metavar="FILE", envvar="GITHUB_STEP_SUMMARY", help="append a summary for a PR"),
]


def write_asked(option: str, file: Path, content: str | bytes) -> None:
    """Write the file that an option asks for. Raises ValueError that names the option and the reason."""
    try:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as problem:
        raise ValueError(f"{option} {file}: {problem.strerror}; name a file that can be written") from None
