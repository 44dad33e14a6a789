"""PURE. One experiment, judged, and several together: rows of text, JUnit, Markdown, JSON, advice, an exit code.

What is not proven says so with a `~`, also when it is what was expected. Runs that must not be used for a decision
count for nothing, and where an arm has no others there is no answer.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

import msgspec
import pandas as pd

from loadtests.experiments.observations import Observed, Setup
from loadtests.records.manifest import Advice, Count
from reports.basics.exit_codes import ExitCode, markdown_notes, markdown_table, markdown_text
from reports.basics.junit import Case, junit_xml
from reports.basics.units import counted, quantity
from reports.experiments import Effect, Effects, Experiment, MeasuredEffect
from reports.experiments.effects import FEWEST_REPEATS, TILDE, change_text, interval_text
from reports.validity.caution import NO_ANSWER, WORTHLESS, Verdict

HEADER: Final = ("", "what", "without", "with", "change", "expected")


class WrittenEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What a practice was found to change: fields of `Effect` and `Measured`. null: not known."""

    effect: Effect
    base: float | None
    arm: float | None
    change: float | None
    low: float | None
    high: float | None
    proven: bool
    confidence: float
    repeats: Count
    state: str


class Written(Setup, frozen=True, kw_only=True):
    """results.json: what was asked, and what it came to. repeats: those of which every arm may be decided from.

    advice: what everybody says; verdict: what was found, a sentence, and worth: the verdict on that. command: to try it
    again. arms: labels by name. notes: what to know before believing it.
    """

    repeats: Count
    title: str
    advice: str
    verdict: str
    worth: Verdict
    command: str
    arms: dict[str, str]
    effects: list[WrittenEffect]
    notes: list[str]


@dataclass(frozen=True)
class Result:
    """One experiment, judged."""

    name: str
    experiment: Experiment
    setup: Setup
    observed: Sequence[Observed]
    effects: Effects

    @property
    def repeats(self) -> int:
        """Repeats of which every arm is there, and may be decided from."""
        return self._each_arm([each for each in self.observed if not each.invalid])

    def _each_arm(self, observed: Sequence[Observed]) -> int:
        return min(sum(each.arm == arm for each in observed) for arm in self.experiment.ARMS)

    @property
    def worth(self) -> Verdict:
        """What it proves: nothing where every run of an arm was INVALID; in doubt where some were, or were doubted."""
        if not self.repeats:
            return "INVALID"
        return "SUSPECT" if any(each.doubts or each.invalid for each in self.observed) else "VALID"

    @property
    def worthless(self) -> bool:
        return self.worth in WORTHLESS

    @property
    def verdict(self) -> str:
        if self.worthless:
            return f"{NO_ANSWER}: nothing may be decided from what was measured, see what speaks against it."
        return self.experiment.verdict(self.effects)

    @property
    def contradicted(self) -> list[MeasuredEffect]:
        return [each for each in self.effects.values() if each.contradicts]

    @property
    def command(self) -> str:
        quick = " --quick" if self.setup.quick else ""
        return f"pollbench experiment {self.name}{quick} --repeats {self._each_arm(self.observed)}"

    @property
    def notes(self) -> tuple[str, ...]:
        few = self.repeats < FEWEST_REPEATS
        too_few = f"{counted(self.repeats, 'repeat')} cannot prove an effect, {FEWEST_REPEATS} can" if few else ""
        quick = "shortened runs (--quick), as for CI: directions show, sizes may be off" if self.setup.quick else ""
        runs = Counter(each.arm for each in self.observed)
        reasons = Counter(
            (each.arm, reason) for each in self.observed for reason in dict.fromkeys([*_left_out(each), *each.doubts])
        )
        told = (
            f"{arm}: {reason} (in {times} of {counted(runs[arm], 'run')})" for (arm, reason), times in reasons.items()
        )
        return tuple(filter(None, (quick, too_few, *told)))

    def rows(self) -> list[tuple[str, ...]]:
        """Return one row of text per effect, in the order of HEADER."""
        return [_row(each) for each in self.effects.values()]

    def points(self) -> pd.DataFrame:
        """Return the points of what counts, each with its arm and repeat; of all observations where none counts."""
        shown = [each for each in self.observed if self.worthless or not each.invalid]
        return pd.DataFrame(
            [{"arm": each.arm, "repeat": each.repeat} | point for each in shown for point in each.points]
        )

    @property
    def advice(self) -> Advice | None:
        """What is worth to be said in the report of a run; None of shortened runs, and of too few."""
        if self.setup.quick or self.worthless or self.repeats < FEWEST_REPEATS:
            return None
        return Advice(
            title=self.experiment.TITLE,
            verdict=self.verdict,
            command=self.command,
            measured_at=self.setup.started_at,
        )

    def written(self) -> "Written":
        return Written(
            **msgspec.structs.asdict(self.setup)
            | {
                "repeats": self.repeats,
                "title": self.experiment.TITLE,
                "advice": self.experiment.ADVICE,
                "verdict": self.verdict,
                "worth": self.worth,
                "command": self.command,
                "arms": dict(self.experiment.ARMS),
                "effects": [_written(each) for each in self.effects.values()],
                "notes": list(self.notes),
            }
        )


@dataclass(frozen=True)
class Results:
    """Several experiments together, as a Judgement: what the terminal, a pull request and a CI server show."""

    results: tuple[Result, ...]

    def advice(self) -> dict[str, Advice]:
        return {result.name: each for result in self.results if (each := result.advice)}

    def written(self) -> "dict[str, Written]":
        return {result.name: result.written() for result in self.results}

    @property
    def exit_code(self) -> ExitCode:
        if any(result.worthless for result in self.results):
            return ExitCode.INVALID
        return ExitCode.DISAGREES if any(result.contradicted for result in self.results) else ExitCode.OK

    @property
    def headline(self) -> str:
        return "\n".join(result.verdict for result in self.results)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(f"{result.name}: {note}" for result in self.results for note in result.notes)

    @property
    def header(self) -> tuple[str, ...]:
        return (*HEADER[:1], *(["experiment"] if len(self.results) > 1 else []), *HEADER[1:])

    def table(self) -> list[tuple[str, ...]]:
        several = len(self.results) > 1
        return [
            (row[0], *([result.name] if several else []), *row[1:]) for result in self.results for row in result.rows()
        ]

    def markdown(self) -> str:
        return "".join(
            f"### {markdown_text(result.experiment.TITLE)}\n\n{markdown_text(result.verdict)}\n\n"
            f"{markdown_notes(result.notes)}{markdown_table(HEADER, result.rows())}\n"
            for result in self.results
        )

    def junit(self) -> bytes:
        cases = [
            Case(
                f"pollbench.experiment.{result.name}",
                each.effect.label,
                "error"
                if result.worthless
                else "failure"
                if each.contradicts
                else "skipped"
                if each.state == TILDE
                else "passed",
                f"{change_text(each)} ({interval_text(each)}), expected {each.effect.expected or 'nothing'}",
                result.verdict,
            )
            for result in self.results
            for each in result.effects.values()
        ]
        return junit_xml("pollbench experiment", cases)


def _written(each: MeasuredEffect) -> WrittenEffect:
    base, arm, change, low, high = (
        value if isfinite(value) else None for value in (each.base, each.arm, each.change, each.low, each.high)
    )
    return WrittenEffect(
        effect=each.effect,
        base=base,
        arm=arm,
        change=change,
        low=low,
        high=high,
        proven=each.proven,
        confidence=each.confidence,
        repeats=each.repeats,
        state=each.state,
    )


def _left_out(each: Observed) -> list[str]:
    return [f"{reason}, so it is left out" for reason in each.invalid]


def _row(each: MeasuredEffect) -> tuple[str, ...]:
    effect = each.effect
    middle = [quantity(value, effect.unit) for value in (each.base, each.arm)]
    spread = interval_text(each)
    change = f"{change_text(each)} ({spread})" if spread and spread != change_text(each) else change_text(each)
    return (each.state, effect.label, *middle, change, effect.expected)
