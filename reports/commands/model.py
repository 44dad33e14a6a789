"""`model`: fit costs and latencies of patterns to finished runs, and say how accurate the fit is."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from loadtests.runs import runner
from loadtests.runs.progress import duration
from loadtests.runs.run_folder import RUNS
from reports.commands.cells import ended, run_cells
from reports.commands.common import Json, err, fail, pattern_labels, say, show_table, tell
from reports.commands.exits import DONE, INVALID

if TYPE_CHECKING:
    from reports.model.model import Model

SERIES: Final = RUNS / "model"


def model(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="run folders to fit")] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="first measure the runs to fit: 23 minutes, can be resumed")
    ] = False,
    series: Annotated[Path, typer.Option(metavar="DIR", help="folder of these runs")] = SERIES,
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="the model to write", show_default="runs/model.json")
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="a remark about the machine, kept in the model")] = "",
    as_json: Json = False,
) -> int:
    """Fit costs and latencies of patterns to runs, for `pollbench advise`.

    Examples:

        pollbench model --measure
        pollbench model runs/first runs/second --out model.json
    """
    from reports.data.load import NothingMeasured, load
    from reports.model import model_file
    from reports.model.tls_record import measured_s

    if measure and (code := _measure(series)):
        return code
    folders = [*(runs or []), *(sorted(each.parent for each in series.glob("*/run.json")) if not runs else [])]
    if not folders:
        raise ValueError("there is no RUN to fit: name run folders, or measure some with --measure")
    try:
        with err.status("fitting"):
            fitted = model_file.of_runs([load(folder) for folder in folders], measured_s(), note)
    except NothingMeasured as problem:
        return fail(INVALID, str(problem))
    file = file or model_file.OWN
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(fitted), indent=1))
    except OSError as problem:
        raise ValueError(f"--out {file}: {problem.strerror}; name a file that can be written") from None
    _show(fitted, file, as_json)
    return DONE


def _measure(series: Path) -> int:
    """Measure what the series lacks."""
    from reports.model.series import plans

    labels = pattern_labels()
    found = plans(list(labels))
    tell(f"{len(found)} runs, about {duration(sum(plan.expected_s for plan in found.values()))}")
    for name, plan in found.items():
        folder = series / name
        cells = runner.taken_up(folder, plan, labels, "compare")
        code, problem = ended(run_cells(folder, cells, labels), folder)
        if code:
            return fail(code, f"{problem}; continue with: pollbench model --measure --series {series}")
    return DONE


def _show(fitted: "Model", file: Path, as_json: bool) -> None:
    from reports.model.model import LATENCIES, coverage
    from reports.model.text import law_rows

    if as_json:
        laws = msgspec.to_builtins(fitted.laws)
        print(json.dumps({"model": str(file), "coverage": msgspec.to_builtins(fitted.coverage), "laws": laws}))
        return
    rows = [*law_rows(fitted)]
    before = ["", *(row[0] for row in rows)]
    told = [["" if label == last else label, *row] for (label, *row), last in zip(rows, before, strict=False)]
    show_table(("pattern", "figure", "formula", "error"), told)
    latencies = coverage(fitted.observations, LATENCIES)
    say(f"\n{fitted.coverage}, of latencies {latencies.inside} of {latencies.of}")
    say(f"{file}, from {len(fitted.observations)} cells")
