"""Notebooks run from top to bottom, define nothing, and are kept without outputs."""

import ast
import asyncio
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import nbformat
import pytest
from nbclient import NotebookClient
from rich.console import Console

from loadtests.records.manifest import SYNTHETIC
from loadtests.runs import runner
from loadtests.runs.progress import Bar
from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import SCENARIOS
from reports.data.load import load
from reports.validity.caution import verdict
from reports.validity.evidence import evidence

pytestmark = pytest.mark.apart
NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
RECORDED = NOTEBOOKS / "recorded"
BOOKS = sorted(NOTEBOOKS.glob("*.ipynb"))
BRIEF: Final[dict[str, Any]] = {
    "clients": (3,),
    "schedule": "steady:40",
    "rtt_ms": (0.0, 60.0),
    "warmup_s": 0.2,
    "window_s": 1.0,
    "drain_s": 0.5,
}


def code_of(book: Path) -> list[nbformat.NotebookNode]:
    cells = nbformat.read(book, as_version=4).cells  # type: ignore[no-untyped-call]
    return [cell for cell in cells if cell.cell_type == "code"]


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_a_notebook_is_kept_without_outputs(book: Path) -> None:
    for cell in code_of(book):
        assert cell.outputs == []
        assert cell.execution_count is None


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_a_notebook_needs_one_import_of_ours_and_defines_nothing(book: Path) -> None:
    ours = {"pollbench", "servers", "loadtests", "reports"}
    for cell in code_of(book):
        imported = re.findall(r"^(?:import|from) ([\w.]+)", cell.source, re.MULTILINE)
        assert {name for name in imported if name.split(".")[0] in ours} <= {"pollbench"}
        defined = [
            node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.FunctionDef | ast.ClassDef)
        ]
        assert not defined, cell.source


def executed(book: nbformat.NotebookNode, home: Path) -> list[nbformat.NotebookNode]:
    """Run a notebook from top to bottom in a folder; return its cells of code. Raises where one fails."""
    client = NotebookClient(book, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(home)}})
    asyncio.run(client.async_execute())
    return [cell for cell in book.cells if cell.cell_type == "code"]


def drawings(cells: list[nbformat.NotebookNode]) -> list[str]:
    shown = [output.data for cell in cells for output in cell.outputs if output.output_type == "execute_result"]
    return [data["image/svg+xml"] for data in shown if "image/svg+xml" in data]


def shown(book: Path) -> Iterator[object]:
    """Run a notebook in this process, which has its libraries already, and yield what its cells end with."""
    names: dict[str, Any] = {}
    for cell in code_of(book):
        module = ast.parse(cell.source)
        *_, last = module.body
        if isinstance(last, ast.Expr):
            module.body.pop()
        exec(compile(module, book.name, "exec"), names)
        if isinstance(last, ast.Expr):
            yield eval(compile(ast.Expression(last.value), book.name, "eval"), names)


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_a_notebook_runs_on_the_recorded_run_and_each_drawing_says_what_it_is_worth(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder without runs/ beside it, so that whatever lies there decides nothing. In a kernel all of them run
    below."""
    home = tmp_path / "notebooks"
    shutil.copytree(NOTEBOOKS, home)
    monkeypatch.chdir(home)
    values = [value for value in shown(home / book.name) if value is not None]
    assert all(map(repr, values))
    drawn = [value._repr_svg_() for value in values if hasattr(value, "_repr_svg_")]
    assert drawn or "charts" not in book.read_text(encoding="utf-8")
    assert all('id="verdict"' in each for each in drawn)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with one in it that was measured just now."""
    runs = tmp_path_factory.mktemp("fresh") / "runs"
    scenario = replace(SCENARIOS["feed"], **BRIEF)
    plan, labels = Plan(scenario, ("long_polling", "sse"), 1), {"long_polling": "Long polling", "sse": "SSE"}
    runner.begin(runs / "fresh", plan, labels, "compare")
    outcome = runner.run_cells(runs / "fresh", plan.cells(), labels, Bar(Console(quiet=True), plan.cells()))
    assert [cell.status for cell in outcome.cells] == ["finished"] * 4
    return runs


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_every_notebook_runs_on_a_run_that_was_measured_just_now(fresh: Path, tmp_path: Path) -> None:
    """All in one kernel: each asks for the newest run, as its first cell says that it may."""
    home = tmp_path / "notebooks"
    home.mkdir()
    shutil.copytree(fresh, tmp_path / "runs")
    sources = [cell.source for book in BOOKS for cell in code_of(book) if "decision_map" not in cell.source]
    newest = [re.sub(r'"recorded/\w+"', "pollbench.newest()", source) for source in sources]
    assert newest != sources
    opened = [source for source in newest if "newest()" in source]
    assert len(opened) == len([book for book in BOOKS if "recorded/" in book.read_text(encoding="utf-8")]) + 1
    new_cells = [nbformat.v4.new_code_cell(source) for source in newest]  # type: ignore[no-untyped-call]
    cells = executed(nbformat.v4.new_notebook(cells=new_cells), home)  # type: ignore[no-untyped-call]
    assert "fresh" in str(cells[1].outputs[0].data)
    assert len(drawings(cells)) >= 5
    assert all('id="verdict"' in each for each in drawings(cells))


def test_the_recorded_run_is_small_and_was_measured_and_something_may_be_decided_from_it() -> None:
    for folder in RECORDED.iterdir():
        assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 1_000_000
        run = load(folder)
        assert run.manifest.kind != SYNTHETIC
        assert len(run.finished) == len(run.manifest.cells)
        assert verdict(evidence(folder).cautions) in {"VALID", "SUSPECT"}, folder.name
