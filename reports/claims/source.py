"""PURE of clocks and sockets, but for reading our own source: how much code a pattern is, counted the same way for all.

Counted are the modules of ours that a pattern's server file and user file need, at any remove, and that not every
pattern needs. lines: those with code on them, without comments and docstrings. states: attributes that objects keep
from one event to the next, which is what there is to get wrong.
"""

import ast
import tokenize
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from servers import patterns
from servers.home import HOME

ENTRIES: Final = ("servers/patterns", "loadtests/patterns")
STAGES: Final = ("servers", "loadtests")
SKIPPED: Final = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT})


def counted(pattern: str) -> dict[str, float]:
    """Return lines and states of a pattern."""
    files = own(pattern)
    return {"lines": float(sum(map(lines, files))), "states": float(sum(map(states, files)))}


def own(pattern: str) -> list[Path]:
    """Return the files that a pattern needs and not all patterns do."""
    shared = frozenset.intersection(*(needed(name) for name in patterns.names()))
    return sorted(needed(pattern) - shared)


@cache
def needed(pattern: str) -> frozenset[Path]:
    """Return the files of ours that a pattern needs at any remove."""
    found: set[Path] = set()
    left = [HOME / folder / f"{pattern}.py" for folder in ENTRIES]
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            left += imported(file)
    return frozenset(found)


@cache
def imported(file: Path) -> tuple[Path, ...]:
    """Return the files of ours that a file imports at its top; what types or faults alone need stands deeper."""
    names: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    ours = [name.replace(".", "/") for name in names if name.partition(".")[0] in STAGES]
    places = [HOME / f"{name}{ending}" for name in ours for ending in (".py", "/__init__.py")]
    return tuple(sorted(place for place in places if place.is_file()))


def lines(file: Path) -> int:
    """Count the lines with code on them."""
    docstrings = {line for node in _documented(file) for line in _lines_of(node)}
    with tokenize.open(file) as source:
        tokens = [each for each in tokenize.generate_tokens(source.readline) if each.type not in SKIPPED]
    code = {line for token in tokens[:-1] for line in range(token.start[0], token.end[0] + 1)}
    return len(code - docstrings)


def states(file: Path) -> int:
    """Count the attributes that the classes of a file give to their objects."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return sum(len(_attributes(each)) for each in classes)


def _attributes(of: ast.ClassDef) -> set[str]:
    stored = (node for node in ast.walk(of) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    return {node.attr for node in stored if isinstance(node.value, ast.Name) and node.value.id == "self"}


def _documented(file: Path) -> Iterable[ast.expr]:
    """Return the docstrings, and other texts that stand alone."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value


def _lines_of(node: ast.expr) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)
