"""PURE. What a claim's file says: the sentence, what decides it, and which run, experiment or model is asked.

A test asks for one figure, or with `over` for how many times another's it is, and gives the bounds between which the
claim holds. `given` names the condition that a test is about: a claim that holds under some of its conditions only
says under which. `along` asks at several steps, and where the answer changes is the condition.
"""

from collections.abc import Collection, Mapping, Sequence
from math import inf, isfinite
from typing import Final, Literal, TypeVar

import msgspec

from reports.measures.measures import BREAKDOWN, MEASURES

TOPICS: Final = {
    "table": "The guide's table",
    "when": "When to use",
    "migration": "When to move on",
}
Topic = Literal["table", "when", "migration"]
OF_RUNS: Final = frozenset(
    {each.name for each in (*MEASURES, *BREAKDOWN)}
    | {"mean_ms", "transit_p50_ms", "transit_p99_ms", "turnaround_ms", "hold_ms", "answer_ms", "responses_per_s"}
    | {"server_cpu_share", "payload_bytes_per_delivery", "connections", "missed", "duplicated", "errors"}
)
"""Columns of a run's summary that a test may ask for."""
OF_MODELS: Final = frozenset({"p50", "p99", "cores", "memory", "mbit", "missed", "processes", "connections"})
OF_SOURCES: Final = frozenset({"lines", "states"})
Kind = TypeVar("Kind")


class Bounded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="from"):
    """What all tests have. figure: its name there. low, high: the claim holds between them; None: no such bound.

    says: what is asked, in words; why: where the bounds come from; given: the condition, "" for none.
    """

    says: str
    figure: str
    low: float | None = None
    high: float | None = None
    why: str
    given: str = ""

    @property
    def bounds(self) -> tuple[float, float]:
        return -inf if self.low is None else self.low, inf if self.high is None else self.high


class OfRun(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="run"):
    """A figure of a pattern in one of the runs; over: another pattern of it. along: the dimension that it sweeps."""

    run: str
    pattern: str
    over: str = ""
    along: Literal["", "clients", "rtt_ms", "rate_per_s"] = ""


class OfExperiment(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="experiment"):
    """A figure of an experiment's arm; over: another arm, compared within each repeat."""

    experiment: str
    arm: str
    over: str = ""


class OfModel(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="model"):
    """What the model says of a pattern under a load; over: another pattern. along: what `steps` are values of."""

    pattern: str
    over: str = ""
    clients: int = 300
    rate_per_s: float = 1.0
    rtt_ms: float = 0.0
    poll_interval_s: float = 1.0
    message_bytes: int = 200
    along: Literal["", "clients", "rtt_ms", "rate_per_s", "poll_interval_s"] = ""
    steps: list[float] = []


class OfSource(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="source"):
    """How much code a pattern is: source.py counts it."""

    pattern: str
    over: str = ""


Test = OfRun | OfExperiment | OfModel | OfSource
KNOWN: Final[Mapping[type, Collection[str]]] = {OfRun: OF_RUNS, OfModel: OF_MODELS, OfSource: OF_SOURCES}


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One claim's file. guide: its words; row, column: its place in the guide's table, of the topic "table".

    means: how the sentence is read, so that it can be tested. conditions: under which it was measured, and what that
    leaves open.
    """

    sentence: str
    topic: Topic
    guide: str
    means: str
    conditions: str
    row: str = ""
    column: str = ""
    tests: list[Test]


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run that claims share: a named scenario, what of it is changed (fields as they are typed), how often."""

    scenario: str = "feed"
    repeats: int = 3
    settings: dict[str, str | bool] = {}


class Repeated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an experiment is run for claims: only the arms that they ask for."""

    repeats: int = 3
    quick: bool = False


class Shared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """runs.toml: by name, what is measured for all claims of a folder. rows, columns: of its table, in order."""

    rows: list[str] = []
    columns: list[str] = []
    runs: dict[str, Wanted] = {}
    experiments: dict[str, Repeated] = {}


def parse_claim(text: str, file: str) -> Claim:
    """Read a claim. Raises ValueError naming file, field and remedy."""
    claim = _decoded(text, file, Claim)
    if not claim.tests:
        raise ValueError(f"{file}: no [[tests]]: nothing would decide it")
    for number, test in enumerate(claim.tests, start=1):
        _check(test, f"{file}: test {number}")
    return claim


def parse_shared(text: str, file: str) -> Shared:
    """Read runs.toml. Raises ValueError naming file, field and remedy."""
    shared = _decoded(text, file, Shared)
    for kind, wanted in (("runs", shared.runs), ("experiments", shared.experiments)):
        for name, each in wanted.items():
            if not 2 <= each.repeats <= 1000:
                raise ValueError(f"{file}: {kind}.{name}: repeats {each.repeats}: 2 to 1000, as one has no interval")
    return shared


def _check(test: Test, where: str) -> None:
    low, high = test.bounds
    if test.low is test.high is None or not low <= high:
        raise ValueError(f"{where}: low {test.low}, high {test.high}: give at least one, and low at most high")
    if type(test) in KNOWN and test.figure not in KNOWN[type(test)]:
        raise ValueError(f"{where}: figure {test.figure!r} is none of: {', '.join(sorted(KNOWN[type(test)]))}")
    if isinstance(test, OfModel) and (bool(test.along) != bool(test.steps) or not _ascending(test.steps)):
        raise ValueError(
            f"{where}: along {test.along!r} and steps {test.steps}: name both, steps above 0 and ascending"
        )


def _ascending(steps: Sequence[float]) -> bool:
    return all(isfinite(step) and step > 0 for step in steps) and sorted(set(steps)) == list(steps)


def _decoded(text: str, file: str, kind: type[Kind]) -> Kind:
    try:
        return msgspec.toml.decode(text, type=kind)
    except (msgspec.DecodeError, RecursionError) as problem:
        raise ValueError(f"{file}: {problem}; see docs/claims.md for what a claim's file has") from None
