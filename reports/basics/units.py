"""PURE. Numbers as people read them. Rounding happens here, on the way to the page, and nowhere else."""

from collections.abc import Sequence
from math import floor, isfinite, log10
from typing import Final

NONE: Final = "\N{EN DASH}"
"""Stands where there is no number: not measured on this platform, or without meaning for a pattern."""
THIN: Final = "\N{NARROW NO-BREAK SPACE}"


def number(value: float, digits: int = 3) -> str:
    """Return `digits` significant digits, but every digit before the decimal point: 0.42, 12.3, 1,180."""
    if not isfinite(value):
        return NONE
    if value == 0:
        return "0"
    # Rounded first: 0.9996 is a 1 with two decimals, not with four.
    rounded = float(f"{value:.{digits - 1}e}")
    decimals = max(0, digits - 1 - floor(log10(abs(rounded))))
    return f"{value:,.{min(decimals, digits)}f}"


def quantity(value: float, unit: str, digits: int = 2) -> str:
    """Return a value with its unit scaled to be readable: 0.42 ms, 1.2 s, 340 B, 14 kB. `unit`: ms, B, % or ""."""
    if not isfinite(value):
        return NONE
    if unit == "%":
        return percent(value)
    scale, name = 1.0, unit
    for factor, larger in LADDERS.get(unit, ()):
        if abs(value) >= factor:
            scale, name = factor, larger
    return number(value / scale, digits) + (f"{THIN}{name}" if name else "")


LADDERS: Final = {
    "ms": ((1e3, "s"), (6e4, "min")),
    "B": ((1e3, "kB"), (1e6, "MB"), (1e9, "GB")),
}


def percent(ratio: float) -> str:
    """Return 0.0345 as 3.5 %, and never 0 % or 100 % for what is not."""
    if not isfinite(ratio):
        return NONE
    value = ratio * 100
    if value in {0.0, 100.0}:
        return f"{value:.0f}{THIN}%"
    if value < 0.01:
        return f"<{THIN}0.01{THIN}%"
    if 99.95 <= value < 100:
        return f">{THIN}99.9{THIN}%"
    return f"{number(value, 2 if value < 10 else 3 if value > 99 else 2)}{THIN}%"


def times(ratio: float) -> str:
    """Return 2.34 as "2.3 x", with a proper sign."""
    return f"{number(ratio, 2)}{THIN}\N{MULTIPLICATION SIGN}"


def counted(count: float, noun: str, plural: str = "") -> str:
    """Return 1 as "1 cell", 1200 as "1,200 cells"."""
    return f"{int(count):,} {noun if count == 1 else plural or noun + 's'}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Join words as a sentence does: a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def examples(lines: Sequence[str], most: int) -> str:
    """Join lines; of more than `most` the first, said to be examples of so many."""
    told = "; ".join(lines[:most])
    return told if len(lines) <= most else f"of {len(lines):,} such lines, for example: {told}"


def grouped(names: Sequence[str], everyone: Sequence[str]) -> str:
    """Name some of a set as shortly as can be: all 6 patterns; both patterns; all but SSE; SSE and WebSocket."""
    if len(names) == len(everyone) > 1:
        return f"all {len(names)} patterns" if len(names) > 2 else "both patterns"
    if len(names) == len(everyone) - 1 and len(names) > 2:
        return f"all but {next(name for name in everyone if name not in names)}"
    return listed([name for name in everyone if name in names])


def sentence(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]
