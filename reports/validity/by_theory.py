"""PURE. Whether each figure agrees with theory; and which patterns have no theory."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from reports.data.situations import SITUATION
from reports.theory.compare import Agreement
from reports.theory.patterns import why_none
from reports.theory.theory_table import in_words, situation
from reports.validity.caution import Caution, Facts
from reports.validity.foreign import adapters


def against_theory(facts: Facts) -> Iterable[Caution]:
    """Figures that do not agree with theory."""
    for _, rows in groupby(facts.theory, key=situation):
        off = [row for row in rows if not row.agrees]
        if off and off[0].saturated:
            yield Caution(
                "note",
                f"Theory says nothing about {off[0].label}: the {off[0].saturated} was saturated",
                f"theory assumes that nothing is overloaded, and predicts other figures: {_differences(off)}.",
                "Take the figures as the limit of this machine; lower the load to measure the pattern itself.",
            )
        elif off:
            yield Caution(
                "suspect",
                f"{off[0].label} does not agree with theory: {_differences(off)}",
                "a setting was not obeyed, another program disturbed the machine, or server or pollbench have a fault.",
                "Repeat it; if that does not help, lower the load; then suspect the server, then report a bug.",
            )


def without_theory(facts: Facts) -> Iterable[Caution]:
    """Patterns that delivered, and that theory does not cover under these settings."""
    covered = {tuple(situation(row)) for row in facts.theory}
    rows = facts.summary[facts.summary["delivered"] > 0]
    bare = rows[[tuple(place) not in covered for place in rows[SITUATION].itertuples(index=False)]]
    if not len(bare) or adapters(facts):  # of a server that is not ours foreign.py says so
        return
    unknown = sorted({why for pattern in bare["pattern"].astype(str) if (why := why_none(pattern))})
    yield Caution(
        "note",
        f"No theory covers {facts.names(bare)}",
        "no expected latency exists, so a server or a decoder that holds each message "
        "back would look like a slow pattern.",
        f"It has no theory: {'; '.join(unknown)}. Trust only what the contract tests prove."
        if unknown
        else "Connect all clients before the window, let messages that are due together share a write, and let polls "
        "begin spread over the interval, with a pause between them: then theory checks it.",
    )


def _differences(off: Sequence[Agreement]) -> str:
    return "; ".join(in_words(row) for row in off)
