"""PURE. A model as rows of text: its coefficients with their units, and what is left open."""

from collections.abc import Iterator
from typing import Final

from reports.basics.units import number
from reports.model.model import Model

UNITS: Final = {
    "cores": (1e6, "us"),
    "memory_bytes": (1e-3, "kB"),
    "sent_bytes_per_s": (1.0, "B"),
    "p50_ms": (1.0, "ms"),
    "p99_ms": (1.0, "ms"),
}
"""Figure -> what its coefficients are shown in; cores are seconds of CPU a second, so a coefficient is a time."""
TITLES: Final = {
    "cores": "CPU",
    "memory_bytes": "memory",
    "sent_bytes_per_s": "sent",
    "p50_ms": "p50",
    "p99_ms": "p99",
}


def law_rows(model: Model) -> Iterator[tuple[str, str, str, str]]:
    """Yield pattern, figure, its formula in words, and its error."""
    for pattern, laws in model.laws.items():
        for figure, law in laws.items():
            factor, unit = UNITS[figure]
            parts = []
            for term, coefficient in zip(law.terms, law.coefficients, strict=True):
                if term.startswith("theory") and coefficient:
                    parts.append(f"{number(coefficient)} x {term}")
                elif coefficient:
                    parts.append(f"{number(coefficient * factor)} {unit} per {term}")
            yield model.labels[pattern], TITLES[figure], " + ".join(parts), f"{law.spread:.1%}"
