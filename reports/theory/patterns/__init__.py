"""PURE. What arithmetic says of each pattern: the file name is the registration.

A file holds THEORY: what a message is on the wire, and how latency, requests and traffic are predicted. A pattern of
which nothing can be said beforehand has a file too, with NO_THEORY, a sentence that says why; its reports repeat it.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final, cast

from reports.theory.predictions import Theory

NO_FILE: Final = "none is written yet (reports/theory/patterns)"


def names() -> list[str]:
    return sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def theory_of(pattern: str) -> Theory | None:
    return cast(Theory | None, getattr(_load(pattern), "THEORY", None))


def why_none(pattern: str) -> str:
    """Say why a pattern has no theory; "" where it has one."""
    return "" if theory_of(pattern) else str(getattr(_load(pattern), "NO_THEORY", NO_FILE))


def _load(pattern: str) -> Any:
    return import_module(f"{__name__}.{pattern}") if pattern in names() else None
