"""PURE. A question -> a row for each pattern: does it meet the goals, what does it cost, and how far may that be off.

A server process gets no more than the model can speak for and ROOM of a core, and there are as many as that takes.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, expm1
from typing import Final

import msgspec

from reports.advice.constraints import Surroundings, conditions, ruled_out
from reports.advice.goals import Met, Requirement
from reports.advice.prices import Prices
from reports.measures.ranking import LEVEL, PLAIN
from reports.model.cell_figures import Load, message_payload_bytes
from reports.model.law import Estimate
from reports.model.model import LATENCY_REACH, Beyond, Model, Prediction, beyond, cores_of, of_pattern, predict
from reports.model.service import ASKED, HELD
from reports.theory.oracles.framing import RECORD_BYTES

ROOM: Final = 0.7
"""Of a core: a process that is busier makes messages wait, and theory's loads end there."""
MOST_PROCESSES: Final = 4096
MORE: Final = (2, 4, 8)
"""Times as many processes as have room, which are tried where that makes a goal be met."""
SHARED: Final = "several processes share a feed through Redis (docs/scaling.md); its cost is not included"
NO_COSTS: Final = "no costs"
COSTS: Final = frozenset({"cores", "memory", "mbit", "money"})
REDUCED: Final = ("clients a process", "deliveries a second", "requests a second")
"""Quantities of which more processes leave less to each."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked. processes: 0 for as few as it takes."""

    clients: int
    rate_per_s: float
    rtt_s: float = 0.0
    message_bytes: int = 200
    poll_interval_s: float = 1.0
    processes: int = 0
    extrapolate: bool = False
    around: Surroundings = field(default_factory=Surroundings)
    goals: Sequence[Requirement] = ()
    prices: Prices | None = None

    def load(self, pattern: str, processes: int) -> Load:
        """Return what one process carries."""
        clients = self.clients / processes
        payload = message_payload_bytes(pattern, self.message_bytes)
        return Load(
            clients=clients,
            rate_per_s=self.rate_per_s,
            wakes_per_s=self.rate_per_s,
            requests_per_s=clients / self.poll_interval_s if pattern == ASKED else 0.0,
            payload_bytes_per_s=payload * clients * self.rate_per_s,
            poll_interval_s=self.poll_interval_s,
            hold_s=self.around.hold_s,
            rtt_s=self.rtt_s,
        )


@dataclass(frozen=True, kw_only=True)
class PatternAdvice:
    """One pattern's answer. figures: by measure of goals.py, of all processes together; unknown ones are
    left out, and `why` says why. met: of all goals; why: of what is not met, or not known; needs: what it takes.
    """

    pattern: str
    label: str
    met: Met
    ruled_out: bool
    why: Sequence[str]
    needs: Sequence[str]
    processes: int
    figures: dict[str, Estimate]


def advise(model: Model, question: Question) -> list[PatternAdvice]:
    """Return a row for each pattern of the model. Raises ValueError where nothing can be said of any."""
    rows = [answer(model, question, pattern) for pattern in model.laws]
    if not any(set(row.figures) - {"missed", "processes", "connections"} for row in rows):
        raise ValueError(f"the model does not cover that: {rows[0].why[0]}; use --extrapolate for an answer anyway")
    return rows


def answer(model: Model, question: Question, pattern: str) -> PatternAdvice:
    """Answer with as few processes as have room, or with more where the goals are met only then."""
    if question.processes:
        return _row(model, question, pattern, question.processes)
    least = fewest(model, question, pattern)
    first = row = _row(model, question, pattern, least)
    for more in MORE:
        if row.met in (Met.YES, Met.UNKNOWN) or row.ruled_out or more * least > question.clients:
            break
        row = _row(model, question, pattern, more * least)
    return row if row.met is Met.YES else first


def _row(model: Model, question: Question, pattern: str, processes: int) -> PatternAdvice:
    found = predict(model, pattern, question.load(pattern, processes), question.message_bytes)
    figures, unknown = _figures(model, question, found, processes)
    out = list(ruled_out(pattern, question.around))
    verdicts = [(goal, goal.met(figures.get(goal.measure))) for goal in question.goals]
    met = Met.NO if out else worst([verdict for _, verdict in verdicts])
    why = [*out, *(_why(goal, verdict) for goal, verdict in verdicts if verdict in (Met.NO, Met.PERHAPS)), *unknown]
    return PatternAdvice(
        pattern=pattern,
        label=model.labels[pattern],
        met=met,
        ruled_out=bool(out),
        why=why,
        needs=[*conditions(pattern, question.around), *([SHARED] if processes > 1 else [])],
        processes=processes,
        figures=figures,
    )


def worst(verdicts: Sequence[Met]) -> Met:
    return next((each for each in (Met.NO, Met.UNKNOWN, Met.PERHAPS) if each in verdicts), Met.YES)


def _why(goal: Requirement, verdict: Met) -> str:
    return f"{goal.text} is {'not met' if verdict is Met.NO else 'uncertain: the interval includes the limit'}"


def _figures(
    model: Model, question: Question, found: Prediction, processes: int
) -> tuple[dict[str, Estimate], list[str]]:
    """Return what is known, of all processes together, and why the rest is not."""
    counted = Estimate(*[float(processes)] * 3)
    missed = any(cell.missed for cell in of_pattern(model, found.pattern))
    figures = {"processes": counted, "connections": Estimate(*[float(question.clients)] * 3)}
    unknown = []
    if not missed:
        figures["missed"] = Estimate(0.0, 0.0, 0.0)
    if question.extrapolate or not found.latency_beyond:
        figures |= {name: found.figures[f"{name}_ms"] for name in ("p50", "p99")}
    else:
        unknown.append(f"no latency: {found.latency_beyond[0]}")
    if question.extrapolate or not found.cost_beyond:
        figures |= _costs(model, question, found, processes)
    else:
        unknown.append(f"{NO_COSTS}: {found.cost_beyond[0]}")
    if question.extrapolate and (further := [*found.latency_beyond, *found.cost_beyond]):
        unknown.append(f"extrapolated: {further[0]}")
    return figures, unknown


def _costs(model: Model, question: Question, found: Prediction, processes: int) -> dict[str, Estimate]:
    cores, memory, sent = (found.figures[name] for name in ("cores", "memory_bytes", "sent_bytes_per_s"))
    law = model.laws[found.pattern]["cores"]
    each = dict(zip(law.terms, law.coefficients, strict=True)).get("delivery", 0.0)
    cores = cores.plus(each * heartbeats_per_s(found, question.around.heartbeat_s))
    if question.around.tls:
        records = _records_per_s(found)
        cores = cores.plus(sum(records) * (model.tls_record_s or 0.0))
        sent = sent.plus(records[0] * RECORD_BYTES)
    cores, memory, sent = (each.times(processes) for each in (cores, memory, sent))
    costs = {"cores": cores, "memory": memory, "mbit": sent.times(8e-6)}
    return costs | ({"money": question.prices.month(cores, memory, sent)} if question.prices else {})


def heartbeats_per_s(found: Prediction, every_s: float) -> float:
    """Return how often a stream's silence is broken, all clients together: gaps of a Poisson feed, cut into pieces.

    Each costs what a delivery costs; runs at the usual rates have none.
    """
    if found.pattern in (ASKED, HELD) or not every_s:
        return 0.0
    return found.load.deliveries_per_s / expm1(min(found.load.rate_per_s * every_s, 700.0))


def _records_per_s(found: Prediction) -> tuple[float, float]:
    """TLS records a second that a process sends, and that it receives."""
    asked = found.load.requests_per_s
    return (asked, asked) if found.pattern in (ASKED, HELD) else (found.load.deliveries_per_s, 0.0)


def fewest(model: Model, question: Question, pattern: str) -> int:
    """Return the fewest processes of which each has room, and no more to carry than the model can speak for."""

    def enough(processes: int) -> bool:
        load, cores = cores_of(model, pattern, question.load(pattern, processes))
        if cores > ROOM:
            return False
        return question.extrapolate or not any(_too_much(each) for each in _beyond(model, question, pattern, load))

    most = min(question.clients, MOST_PROCESSES)
    high = 1
    while high < most and not enough(high):
        high *= 2
    low, high = high // 2, min(high, most)
    while high - low > 1:
        middle = ceil((low + high) / 2)
        low, high = (low, middle) if enough(middle) else (middle, high)
    # Where no number is enough it is not the processes: one says as much as many.
    return high if enough(high) else 1


def _beyond(model: Model, question: Question, pattern: str, load: Load) -> list[Beyond]:
    return beyond(of_pattern(model, pattern), load, question.message_bytes)


def _too_much(each: Beyond) -> bool:
    return each.quantity in REDUCED and each.value > each.measured and each.times > LATENCY_REACH


SIMPLICITY: Final = ("short_polling", "long_polling", "sse", "chunked", "websocket", "http2_push")
"""The simplest first: of two that cost the same it is the one to take."""
Level = Callable[[Estimate, Estimate], bool]


def level(dearer: Estimate, cheapest: Estimate) -> bool:
    """A twentieth is no difference; what one could see is one, however wide the intervals; between, they decide."""
    overlap = dearer.low <= cheapest.high
    return dearer.value <= cheapest.value * (PLAIN if overlap else LEVEL)


def simplicity(pattern: str) -> int:
    return SIMPLICITY.index(pattern) if pattern in SIMPLICITY else len(SIMPLICITY)


def ranked(rows: Sequence[PatternAdvice], accepted: Collection[Met] = (), level: Level = level) -> list[PatternAdvice]:
    """Return the rows that meet the goals, the best first: by cost, of equals the simplest.

    accepted: what counts as met; by default what is sure, and what may be where nothing is.
    """
    usable = [row for row in rows if row.met in (accepted or (Met.YES,))]
    if not usable and not accepted:
        usable = [row for row in rows if row.met is Met.PERHAPS]
    left, found = [row for row in usable if price(row) is not None], []
    while left:
        cheapest = min(left, key=lambda row: _known(row).value)
        equals = [row for row in left if level(_known(row), _known(cheapest))]
        best = min(equals, key=lambda row: simplicity(row.pattern))
        found.append(best)
        left.remove(best)
    return found


def best_first(rows: Sequence[PatternAdvice]) -> list[PatternAdvice]:
    """Return all rows: those that meet the goals as `ranked` has them, then the others."""
    order = ranked(rows)
    return [*order, *(row for row in rows if row not in order)]


def price(row: PatternAdvice) -> Estimate | None:
    """What a pattern is chosen by: money where there are prices, cores otherwise."""
    return row.figures.get("money", row.figures.get("cores"))


def _known(row: PatternAdvice) -> Estimate:
    figure = price(row)
    assert figure is not None
    return figure


def along(question: Question, name: str, factors: Sequence[float]) -> Iterator[Question]:
    """Vary the clients or the rate of a question."""
    for factor in factors:
        if name == "clients":
            yield replace(question, clients=max(1, round(question.clients * factor)))
        else:
            yield replace(question, rate_per_s=question.rate_per_s * factor)


def as_json(row: PatternAdvice) -> dict[str, object]:
    plain = {name: msgspec.to_builtins(figure) for name, figure in row.figures.items()}
    return {
        "pattern": row.pattern,
        "label": row.label,
        "meets": str(row.met),
        "ruled_out": row.ruled_out,
        "why": list(row.why),
        "needs": list(row.needs),
        **plain,
    }
