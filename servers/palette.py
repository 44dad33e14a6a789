"""PURE. One colour per pattern, the same in every report, chart and page.

The six colours were searched for the largest smallest difference under normal, deutan, protan and tritan vision
(Machado 2009, OKLab) at a contrast of 3.3 to white; the dark set likewise on near black at 4.6. Whoever draws names
the patterns beside them all the same, so colour never carries meaning alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Colour:
    """line: for marks on white; text: the same, dark enough to read; dark: for both on a dark page."""

    line: str
    text: str
    dark: str


KNOWN: Final = {
    "chunked": Colour("#0c6f5e", "#0b6a5a", "#21ae74"),
    "http2_push": Colour("#3285e6", "#1d6bc4", "#64c2ff"),
    "long_polling": Colour("#b88200", "#8a6100", "#f2c94c"),
    "short_polling": Colour("#bd2200", "#b02000", "#ff6422"),
    "sse": Colour("#2e3191", "#2e3192", "#8c78f8"),
    "websocket": Colour("#ce41a7", "#b12e8d", "#ff8abe"),
}
SPARE: Final = (
    Colour("#7d8590", "#5f6771", "#a9b1bb"),
    Colour("#7a4b1f", "#7a4b20", "#c99a6b"),
    Colour("#6b8e00", "#55700a", "#b5d24a"),
    Colour("#00798c", "#00707f", "#4fd0e0"),
)


def colours_of(patterns: Iterable[str]) -> dict[str, Colour]:
    """Give each pattern its colour, in the order given; those that are not KNOWN share the SPARE ones out by name."""
    names = list(patterns)
    strangers = sorted(set(names) - set(KNOWN))
    spare = {name: SPARE[at % len(SPARE)] for at, name in enumerate(strangers)}
    return {name: KNOWN.get(name) or spare[name] for name in names}
