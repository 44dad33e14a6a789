"""PURE. Two runs side by side, and how that is shown: rows of text, a frame, Markdown, JUnit, an exit code."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal

import pandas as pd

from reports.basics.exit_codes import ExitCode, amount, interval_text, markdown_notes, markdown_table, markdown_text
from reports.basics.junit import Case, junit_xml
from reports.basics.statistics import ALPHA, Interval, Shift
from reports.basics.units import counted
from reports.data.situations import Situation

Direction = Literal["worse", "better", "changed", "~", "only in base", "only in new", "not judged"]
NOT_JUDGED: Final[Direction] = "not judged"
TILDE: Final[Direction] = "~"
PROVEN: Final[tuple[Direction, ...]] = ("worse", "changed", "better")
FOLDED: Final[Mapping[str, str]] = {
    TILDE: "no difference proven",
    "only in base": "only in base",
    "only in new": "only in new",
}
"""What a page and a terminal fold away, and what they say of it."""
NAMED: Final = 3
"""So many findings of a kind stand in the sentence by name; of more it has the number."""

LEAST_PERCENT: Final = 2.0
HEADER: Final = ("", "pattern", "scenario", "measure", "base", "new", "shift", "interval", "delta", "p")
NOTE: Final = (
    "Base and new are medians over repeats with their 95 % interval, or their range where there are fewer than 6. The "
    "shift is Hodges and Lehmann's, in percent of the base median, with its 95 % interval or the best that the repeats "
    "allow. delta is Cliff's: +1 when every new repeat is above every base one, -1 when below, 0 when neither tends to "
    "be. p is Mann and Whitney's, after Holm's correction for all comparisons. "
    f"~: p above {ALPHA:g}, or a shift below {LEAST_PERCENT:g} %."
)
WORST_FIRST: Final[tuple[Direction, ...]] = (*PROVEN, TILDE, "only in base", "only in new")


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of one situation in both runs. shift is None where only one run has it; p is Holm's."""

    situation: Situation
    measure: str
    base: Interval | None
    new: Interval | None
    shift: Shift | None
    p: float
    verdict: Direction

    def percent(self, change: float) -> float:
        """Return a change of the measure as percent of the base median; infinite where that is 0."""
        if self.base is None or not change:
            return 0.0
        return 100 * change / abs(self.base.median) if self.base.median else math.copysign(math.inf, change)

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, in the order of HEADER."""
        shift, interval, delta, p = "", "", "", ""
        if self.shift is not None:
            shift, low, high = (self._change(change) for change in (self.shift.amount, self.shift.low, self.shift.high))
            interval, delta, p = f"{low.removesuffix(' %')} to {high}", f"{self.shift.delta:+.2f}", f"{self.p:.2g}"
        shown = (interval_text(side) if side else "" for side in (self.base, self.new))
        about = (self.verdict, self.situation.pattern, self.situation.scene, self.measure)
        return (*about, *shown, shift, interval, delta, p)

    def _change(self, change: float) -> str:
        percent = self.percent(change)
        if math.isfinite(percent):
            return f"{percent:+,.0f} %" if abs(percent) >= 100 else f"{round(percent, 1) + 0.0:+.1f} %"
        return f"{'+' * (change > 0)}{amount(change)}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every question asked of two runs, worst answers first. cautions: what to know before believing them.

    invalid: why one of the runs proves nothing, one line each.
    """

    header: ClassVar[tuple[str, ...]] = HEADER
    base: str
    new: str
    rows: tuple[Difference, ...]
    cautions: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        if self.invalid:
            return ExitCode.INVALID
        return ExitCode.REGRESSION if self.count("worse") else ExitCode.OK

    def count(self, verdict: Direction) -> int:
        return sum(row.verdict == verdict for row in self.rows)

    @property
    def headline(self) -> str:
        """The conclusion in one sentence: what is proven to be worse, changed or better, by name while it is little."""
        if self.invalid:
            return f"{self.new} cannot be compared with {self.base}: numbers are invalid"
        found = [self._told(verdict) for verdict in PROVEN if self.count(verdict)]
        if unproven := self.count(TILDE):
            found.append(f"no difference proven in {counted(unproven, 'other question' if found else 'question')}")
        return f"{self.new} against {self.base}: {', '.join(found) or 'nothing in common'}"

    def _told(self, verdict: Direction) -> str:
        rows = [row for row in self.rows if row.verdict == verdict]
        if len(rows) > NAMED:
            return f"{len(rows)} {verdict}"
        several = len({row.situation.scene for row in self.rows}) > 1
        named = (
            f"{row.situation.pattern} {row.measure} {row.cells()[6]}{f' at {row.situation.scene}' * several}"
            for row in rows
        )
        return f"{len(rows)} {verdict} ({'; '.join(named)})"

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.invalid, *self.cautions)

    def table(self) -> list[tuple[str, ...]]:
        """Return every row as text, in the order of HEADER; of invalid runs only what was asked."""
        if self.invalid:
            return [(NOT_JUDGED, *row.cells()[1:4], *[""] * (len(HEADER) - 4)) for row in self.rows]
        return [row.cells() for row in self.rows]

    def frame(self) -> pd.DataFrame:
        """Return one row per question: situation, measure, medians, shift in percent with its interval, p, verdict."""
        rows = [row if not self.invalid else replace(row, shift=None, verdict=NOT_JUDGED) for row in self.rows]
        return pd.DataFrame([_flat(row) for row in rows])

    def markdown(self) -> str:
        """Return a comment for a pull request: what was proven in sight, what was not folded away."""
        rows = () if self.invalid else self.rows
        proven = [row.cells() for row in rows if row.shift and row.verdict != TILDE]
        unproven = [row.cells() for row in rows if row.verdict == TILDE]
        parts = [f"### {markdown_text(self.headline)}\n\n{markdown_notes(self.notes)}"]
        if proven:
            parts.append(f"{markdown_table(HEADER, proven)}\n")
        if unproven:
            folded = f"<details><summary>~ no difference proven ({len(unproven)})</summary>\n\n"
            parts.append(f"{folded}{markdown_table(HEADER, unproven)}\n</details>\n\n")
        return "".join(parts if self.invalid else [*parts, NOTE, "\n"])

    def junit(self) -> bytes:
        return junit_xml(f"pollbench {self.new} against {self.base}", [self._case(row) for row in self.rows])

    def _case(self, row: Difference) -> Case:
        suite = row.situation.suite
        name = f"{row.situation.pattern}.{row.measure}"
        if self.invalid:
            return Case(suite, name, "error", self.invalid[0])
        detail = ", ".join(f"{title} {cell}" for title, cell in zip(HEADER[4:], row.cells()[4:], strict=True) if cell)
        if row.shift is None:
            return Case(suite, name, "skipped", row.verdict)
        message = f"{row.measure} is worse by {row.cells()[6].lstrip('+-')}"
        return Case(suite, name, "failure" if row.verdict == "worse" else "passed", message, detail)


def _flat(row: Difference) -> dict[str, object]:
    shift = row.shift
    changes = (shift.amount, shift.low, shift.high) if shift else (math.nan,) * 3
    percents = [row.percent(change) if shift else math.nan for change in changes]
    return {
        **row.situation._asdict(),
        "measure": row.measure,
        "base": row.base.median if row.base else math.nan,
        "new": row.new.median if row.new else math.nan,
        **dict(zip(("shift_percent", "low_percent", "high_percent"), percents, strict=True)),
        "delta": shift.delta if shift else math.nan,
        "p": row.p if shift else math.nan,
        "verdict": row.verdict,
    }
