"""PURE. The content of scheduled messages. It matters only to a compressor, hence the kinds.

same    one piece of noise for every message, so that any one of them stays long, but not what has come before
noise   noise that differs from message to message: the worst there is for a compressor
json    price updates as JSON: the same names again and again around a few digits that change
"""

from collections.abc import Callable
from functools import lru_cache, partial
from random import Random
from string import ascii_letters, digits
from typing import Final

CONTENTS: Final = ("same", "noise", "json")
NOISE_BYTES: Final = 65_536
"""More than the 32 kB that gzip looks back."""


def contents(kind: str, length: int) -> Callable[[int], str]:
    """Return what gives the n-th scheduled message's text, `length` ASCII characters. kind: one of CONTENTS."""
    if kind == "json":
        return partial(_prices, length)
    if kind == "noise":
        return lambda number: filler(length, number * length)
    same = filler(length)
    return lambda _: same


def filler(length: int, offset: int = 0) -> str:
    """Return noise from an endless piece of it that is always the same, so that no run depends on chance."""
    noise, start = _noise(), offset % NOISE_BYTES
    return (noise * ((start + length) // NOISE_BYTES + 1))[start : start + length]


@lru_cache(maxsize=1)
def _noise() -> str:
    return "".join(Random(1).choices(ascii_letters + digits, k=NOISE_BYTES))


def _prices(length: int, number: int) -> str:
    random, lines = Random(number), ""
    while len(lines) < length:
        bid = random.randrange(10_000, 99_999) / 100
        symbol = random.choice(("ACME", "GLOBEX", "INITECH", "UMBRELLA"))
        lines += f'{{"symbol":"{symbol}","bid":{bid:.2f},"ask":{bid + 0.02:.2f},"volume":{random.randrange(10_000)}}},'
    return lines[:length]
