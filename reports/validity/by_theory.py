"""PURE. Whether each figure came out as theory has it; and which patterns nothing but their own word speaks for."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from reports.data.situations import SITUATION
from reports.theory.compare import Agreement
from reports.theory.patterns import why_none
from reports.theory.theory_table import in_words, situation
from reports.validity.caution import Caution, Facts
from reports.validity.foreign import adapters


def against_theory(facts: Facts) -> Iterable[Caution]:
    """Figures that theory has otherwise."""
    for _, rows in groupby(facts.theory, key=situation):
        off = [row for row in rows if not row.agrees]
        if off and off[0].saturated:
            yield Caution(
                "note",
                f"Theory says nothing about {off[0].label}: the {off[0].saturated} was saturated",
                f"theory assumes that nothing is overloaded, and would have it otherwise: {_told(off)}.",
                "Take the figures for what this machine could do; lower the load to see the pattern itself.",
            )
        elif off:
            yield Caution(
                "suspect",
                f"{off[0].label} does not agree with theory: {_told(off)}",
                "some settings were not obeyed, something else disturbed the machine, or what was measured is not what "
                "it says it is.",
                "Repeat it; if it stays, lower the load, then doubt the server, then the suite.",
            )


def without_theory(facts: Facts) -> Iterable[Caution]:
    """Patterns that delivered, and of which theory says nothing under these settings."""
    foretold = {tuple(situation(row)) for row in facts.theory}
    rows = facts.summary[facts.summary["delivered"] > 0]
    bare = rows[[tuple(place) not in foretold for place in rows[SITUATION].itertuples(index=False)]]
    if not len(bare) or adapters(facts):  # of a server that is not ours foreign.py says so
        return
    unknown = sorted({why for pattern in bare["pattern"].astype(str) if (why := why_none(pattern))})
    yield Caution(
        "note",
        f"No theory speaks for {facts.names(bare)}",
        "nothing says beforehand how long its messages should take, so a server or a decoder that holds each of them "
        "back would look like a slow pattern.",
        f"It has no theory: {'; '.join(unknown)}. Trust only what the contract tests prove of it."
        if unknown
        else "Let all clients be there before the window, and polls begin spread over the interval, with a pause "
        "between them: then theory checks it.",
    )


def _told(off: Sequence[Agreement]) -> str:
    return "; ".join(in_words(row) for row in off)
