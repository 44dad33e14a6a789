"""Notebooks run from top to bottom, define nothing, and are kept without outputs."""

import ast
import asyncio
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from loadtests.records.manifest import SYNTHETIC
from reports.data.load import load
from reports.validity.caution import verdict
from reports.validity.evidence import evidence

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
RECORDED = NOTEBOOKS / "recorded"
BOOKS = sorted(NOTEBOOKS.glob("*.ipynb"))


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


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_notebook_runs_on_the_recorded_run(book: Path, tmp_path: Path) -> None:
    """In a folder without runs/ beside it, so that whatever lies there decides nothing."""
    home = tmp_path / "notebooks"
    shutil.copytree(NOTEBOOKS, home)
    notebook = nbformat.read(home / book.name, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(home)}})
    asyncio.run(client.async_execute())
    assert [cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs]


def test_the_recorded_run_is_small_and_was_measured_and_something_may_be_decided_from_it() -> None:
    for folder in RECORDED.iterdir():
        assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 1_000_000
        run = load(folder)
        assert run.manifest.kind != SYNTHETIC
        assert len(run.finished) == len(run.manifest.cells)
        assert verdict(evidence(folder).cautions) in {"VALID", "SUSPECT"}, folder.name
