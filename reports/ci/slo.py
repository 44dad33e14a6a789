"""PURE. The goals a run must meet, read from TOML.

    slo = ["missed == 0", "*.empty_ratio <= 0.5"]     # every pattern, scenario and client count of the run

    [[slo]]                                           # or blocks, each for one scenario or one value of a dimension
    scenario = "feed"
    clients = 50
    "long_polling.latency_p99_ms" = "< 250"           # without the quotes TOML nests, which reads the same

What it means to meet a goal stands in gates.py.
"""

import math
import operator
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final

from loadtests.scenario.dimensions import COLUMNS
from reports.data.load import ReportError
from reports.data.situations import Situation

_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
_EXPRESSION: Final = re.compile(
    r"\s*(?:(?P<pattern>[\w*?]+)\s*\.\s*)?(?P<measure>\w+)\s*(?P<comparison>[<>=!]+)\s*(?P<limit>\S.*?)\s*"
)
HUGE: Final = 2**53
SHOWN: Final = 80
_FORM: Final = 'Write goals as: slo = ["long_polling.latency_p99_ms < 250", "missed == 0"]'


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of an SLO file. pattern may hold * and ?; scenario None: any; at: values of dimensions, any where it
    names none. where: "slo.toml:3"."""

    pattern: str
    measure: str
    comparison: str
    limit: float
    where: str
    scenario: str | None = None
    at: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.pattern}.{self.measure} {self.condition}"

    @property
    def condition(self) -> str:
        return f"{self.comparison} {self.limit:g}"

    @property
    def column(self) -> str:
        """The measure's column: latency quantiles are called p99_ms there, and latency_p99_ms is as clear here."""
        return self.measure.removeprefix("latency_")

    @property
    def wild(self) -> bool:
        """Whether it is for several patterns."""
        return "*" in self.pattern or "?" in self.pattern

    @property
    def worst(self) -> float:
        return -math.inf if self.comparison in (">", ">=") else math.inf

    def meets(self, value: float) -> bool:
        return _COMPARISONS[self.comparison](value, self.limit)

    def covers(self, situation: Situation) -> bool:
        return (
            fnmatchcase(situation.pattern, self.pattern)
            and self.scenario in (None, situation.scenario)
            and all(f"{getattr(situation, column):g}" == f"{value:g}" for column, value in self.at.items())
        )


def parse_slo(text: str, file: str) -> list[Goal]:
    """Return the goals in the order written. Raises ReportError naming file, line, expression and what is wrong."""
    try:
        return _parsed(text, file)
    except RecursionError:
        raise ReportError(f"{file}: nested too deeply to be read. {_FORM}") from None


def _parsed(text: str, file: str) -> list[Goal]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ReportError(f"{file}: not TOML: {problem}. {_FORM}") from problem
    unknown = sorted(document.keys() - {"slo"})
    if unknown or not document.get("slo"):
        what = f"`{_short(unknown[0])}` is unknown here" if unknown else "no goal"
        raise ReportError(f"{file}: {what}. {_FORM}")
    blocks = document["slo"]
    if not isinstance(blocks, list):
        blocks = [blocks]
    return [goal for block in blocks for goal in _block(block, text, file)]


def _block(block: object, text: str, file: str) -> Iterator[Goal]:
    if isinstance(block, str):
        yield _goal(block, _where(file, text, block))
        return
    if not isinstance(block, Mapping):
        raise ReportError(f'{file}: slo holds {_short(repr(block))}. A goal is text: "missed == 0"')
    scenario = block.get("scenario")
    if not isinstance(scenario, str | None):
        raise ReportError(
            f'{_where(file, text, "scenario")}: scenario {_short(repr(scenario))} is no name: scenario = "feed"'
        )
    at = {column: block[column] for column in COLUMNS if column in block}
    for column, value in at.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < HUGE:
            raise ReportError(
                f"{_where(file, text, column)}: {column} {_short(repr(value))} is no number: {column} = 40"
            )
    goals = {name: value for name, value in block.items() if name not in ("scenario", *COLUMNS)}
    if not goals:
        raise ReportError(f"{file}: an [[slo]] block has no goal. Add one, or remove the block.")
    for subject, condition in _flat(goals):
        where = _where(file, text, subject.rpartition(".")[2], str(condition))
        if not isinstance(condition, str):
            raise ReportError(
                f"{where}: `{_short(f'{subject} = {condition!r}')}` has no comparison. "
                f'Write {_short(subject)} = "< {_short(str(condition))}"'
            )
        yield _goal(f"{subject} {condition}", where, scenario, at)


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _goal(
    expression: str, where: str, scenario: str | None = None, at: Mapping[str, float] = MappingProxyType({})
) -> Goal:
    parts, told = _EXPRESSION.fullmatch(expression), _short(expression)
    if parts is None:
        raise ReportError(f"{where}: `{told}` is no goal. Write: long_polling.latency_p99_ms < 250")
    if parts["comparison"] not in _COMPARISONS:
        raise ReportError(f"{where}: `{told}`: {_short(parts['comparison'])} is none of {', '.join(_COMPARISONS)}")
    try:
        limit = float(parts["limit"])
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        raise ReportError(
            f"{where}: `{told}`: {_short(repr(parts['limit']))} is no number. Leave the unit to the measure's name."
        )
    pattern = parts["pattern"] or "*"
    return Goal(pattern, parts["measure"], parts["comparison"], limit, where, scenario, at)


def _where(file: str, text: str, *fragments: str) -> str:
    """tomllib keeps no positions: the first line that holds all the fragments is the one meant."""
    for number, line in enumerate(text.splitlines(), start=1):
        if all(fragment in line for fragment in fragments):
            return f"{file}:{number}"
    return file


def _short(text: str) -> str:
    """Text as an error quotes it: its beginning, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}…"
