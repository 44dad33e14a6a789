"""PURE. All claims of a folder, judged: what terminal, pull request and CI server show, as a Judgement."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import msgspec

from reports.basics.exit_codes import ExitCode, markdown_notes, markdown_table, markdown_text
from reports.basics.junit import Case, Outcome, junit_xml
from reports.basics.units import counted, listed
from reports.claims.claim import TOPICS
from reports.claims.ruling import Ruled, State, Tried, Verdict
from reports.claims.words import answer, bound, condition, said, says

HEADER: Final = ("claim", "comes out", "measured")
TOLD: Final = {
    Verdict.CONFIRMED: "confirmed",
    Verdict.HOLDS_IF: "true under a condition",
    Verdict.REFUTED: "refuted",
    Verdict.OPEN: "left open",
    Verdict.NOT_JUDGED: "not judged",
}
OUTCOMES: Final[dict[Verdict, Outcome]] = {
    Verdict.CONFIRMED: "passed",
    Verdict.HOLDS_IF: "passed",
    Verdict.REFUTED: "failure",
    Verdict.OPEN: "skipped",
    Verdict.NOT_JUDGED: "error",
}


@dataclass(frozen=True)
class Judged:
    """doubts: what speaks against believing the runs, one line each. measured: when and where, "" where nothing was;
    rests_on: which model, and its coverage.
    """

    header: ClassVar[tuple[str, ...]] = HEADER
    ruled: Sequence[Ruled]
    doubts: tuple[str, ...]
    measured: str
    rests_on: str

    @property
    def exit_code(self) -> ExitCode:
        """Refuted comes last: what cannot be judged at all is no answer."""
        verdicts = {each.verdict for each in self.ruled}
        if verdicts == {Verdict.NOT_JUDGED}:
            return ExitCode.INVALID
        return ExitCode.DISAGREES if Verdict.REFUTED in verdicts else ExitCode.OK

    @property
    def headline(self) -> str:
        counts = Counter(each.verdict for each in self.ruled)
        told = listed([f"{counts[verdict]} {words}" for verdict, words in TOLD.items() if counts[verdict]])
        return f"Of {counted(len(self.ruled), 'claim')}, {told}."

    @property
    def notes(self) -> tuple[str, ...]:
        missing = {why: each.name for each in self.ruled for tried in each.tried for why in _why_not(tried)}
        return (*self.doubts, *(f"{name}: {why}" for why, name in missing.items()))

    def table(self) -> list[tuple[str, ...]]:
        return [(each.claim.sentence, answer(each), telling(each)) for each in self.ruled]

    def topics(self) -> Iterator[tuple[str, list[Ruled]]]:
        """Yield each topic that there is, by its title, and its claims."""
        for topic, title in TOPICS.items():
            if own := [each for each in self.ruled if each.claim.topic == topic]:
                yield title, own

    def markdown(self) -> str:
        return (
            f"### {markdown_text(self.headline)}\n\n{markdown_notes(self.notes)}{markdown_table(HEADER, self.table())}"
        )

    def document(self) -> str:
        """Return what the documentation shows of it: every claim with everything that decided it."""
        told = [f"**{self.headline}** {self.measured} {self.rests_on}", ""]
        for title, own in self.topics():
            rows = [(each.claim.sentence, answer(each), "; ".join(map(figures, each.tried))) for each in own]
            told += [f"### {title}", "", markdown_table(HEADER, rows)]
        against = ["### What speaks against it", "", markdown_notes(self.notes)] if self.notes else []
        return "\n".join([*told, *against])

    def junit(self) -> bytes:
        cases = [
            Case(
                "pollbench.claims", each.name, OUTCOMES[each.verdict], f"{answer(each)}: {telling(each)}", _detail(each)
            )
            for each in self.ruled
        ]
        return junit_xml("pollbench claims", cases)

    def as_json(self) -> dict[str, object]:
        return {
            "headline": self.headline,
            "measured": self.measured,
            "rests_on": self.rests_on,
            "notes": list(self.notes),
            "claims": [_as_json(each) for each in self.ruled],
        }


def telling(ruled: Ruled) -> str:
    """Say the figure that tells most: of what fails where something does, and of crossovers before all else."""
    order = (State.FAILS, State.OPEN, State.HOLDS, State.UNKNOWN)
    crossed = [each for each in ruled.tried if each.crossovers]
    return figures((crossed or sorted(ruled.tried, key=lambda each: min(map(order.index, each.states))))[0])


def figures(tried: Tried) -> str:
    """Say what a test measured, and what was to be: along a dimension its ends and where it passes the bound."""
    known = [step for step, _ in tried.known]
    if not known:
        return f"{tried.test.says}: not known, as {_why_not(tried)[0]}"
    if not tried.along:
        return f"{_asked(tried)}: {said(tried, known[0])}, bound {bound(tried.test)}"
    ends = [f"{said(tried, step)} at {says(tried.along, step.at)}" for step in (known[0], known[-1])]
    crossed = [
        f"passes the bound at {says(tried.along, each.at)} (surely so from {says(tried.along, each.low)} to "
        f"{says(tried.along, each.high)})"
        for each in tried.crossovers
    ]
    return f"{_asked(tried)}: {', '.join([*ends, *crossed])}, bound {bound(tried.test)}"


def _asked(tried: Tried) -> str:
    return f"{tried.test.says} ({tried.test.given})" if tried.test.given else tried.test.says


def _why_not(tried: Tried) -> list[str]:
    """Return why a test could not be judged at all."""
    return [] if tried.known else [*dict.fromkeys(step.why_not for step in tried.steps)]


def _detail(ruled: Ruled) -> str:
    return "\n".join([f"{ruled.claim.means} {ruled.claim.conditions}", *map(figures, ruled.tried)])


def _as_json(ruled: Ruled) -> dict[str, object]:
    return {
        "claim": ruled.name,
        "sentence": ruled.claim.sentence,
        "verdict": str(ruled.verdict),
        "condition": condition(ruled),
        "tests": [
            {
                **msgspec.to_builtins(tried.test),
                "source": tried.source,
                "holds": sorted(map(str, tried.states)),
                "steps": [
                    {"at": step.at, "figure": msgspec.to_builtins(step.figure), "why_not": step.why_not}
                    for step in tried.steps
                ],
                "crossovers": [{"at": each.at, "low": each.low, "high": each.high} for each in tried.crossovers],
            }
            for tried in ruled.tried
        ],
    }
