"""PURE. Observations -> laws, their check on the largest loads, and predictions that say how far they reach.

Latency adds what a round trip makes of the theory to a law that was fitted without distance.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import isfinite
from typing import Final

import msgspec

from loadtests.records.manifest import Machine
from reports.model.cell_figures import CellFigures, Load
from reports.model.law import CONFIDENCE, FIGURES, Estimate, cost_s, fit, near, terms_of
from reports.model.law import Law as Law  # what `Model.laws` holds
from reports.model.service import HELD, quantile_s, requests_per_s

SCHEMA_VERSION: Final = 1
COST_REACH: Final = 10.0
LATENCY_REACH: Final = 3.0
"""Times the largest or least that was measured, up to which costs and latencies are said without being asked to."""
LATENCIES: Final = {"p50_ms": 0.5, "p99_ms": 0.99}
ROUNDS: Final = 8
"""Of a long poll's requests and cores, each of which follows from the other, until both stand still."""


class Coverage(msgspec.Struct, frozen=True):
    """How many figures of held-out cells lay inside of their interval, of how many."""

    inside: int
    of: int

    @property
    def share(self) -> float:
        return self.inside / self.of if self.of else float("nan")

    def __str__(self) -> str:
        if not self.of:
            return "not checked on held-out loads: too few client counts"
        return f"{self.inside} of {self.of} held-out figures ({self.share:.0%}) lay in their {CONFIDENCE:.0%} interval"


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What a model file holds. laws: pattern -> figure -> law. tls_record_s: CPU to seal or open one TLS record, None
    where it was not measured. runs: the commands that measured the observations; note: what else is to be known of it.
    """

    schema: int = SCHEMA_VERSION
    made_at: str
    machine: Machine
    versions: dict[str, str]
    commit: str
    runs: list[str]
    note: str = ""
    tls_record_s: float | None
    coverage: Coverage
    labels: dict[str, str]
    laws: dict[str, dict[str, Law]]
    observations: list[CellFigures]


class Beyond(msgspec.Struct, frozen=True):
    """A quantity of a load that lies outside of what was measured, by how many times."""

    quantity: str
    value: float
    measured: float
    times: float

    def __str__(self) -> str:
        side = "above" if self.value > self.measured else "below"
        return (
            f"{self.value:,.4g} {self.quantity} is {self.times:.3g} times {side} the {self.measured:,.4g} "
            "that was measured"
        )


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """One pattern under one load, on one server process. Figures by name, as law.FIGURES.

    cost_beyond, latency_beyond: by what costs and latencies lie further out than their reach; empty within it.
    """

    pattern: str
    load: Load
    figures: Mapping[str, Estimate]
    cost_beyond: Sequence[Beyond]
    latency_beyond: Sequence[Beyond]


def fit_all(cells: Sequence[CellFigures]) -> dict[str, dict[str, Law]]:
    """Fit every figure of every pattern. Raises ValueError naming what there is too little of."""
    return {
        pattern: {figure: fit(pattern, figure, own) for figure in FIGURES} for pattern, own in by_pattern(cells).items()
    }


def by_pattern(cells: Sequence[CellFigures]) -> dict[str, list[CellFigures]]:
    found: dict[str, list[CellFigures]] = {}
    for cell in cells:
        found.setdefault(cell.pattern, []).append(cell)
    return found


def predict(model: Model, pattern: str, load: Load, message_bytes: int) -> Prediction:
    """Predict every figure. load: its requests are worked out here, whatever it says of them."""
    laws = model.laws[pattern]
    load, cores = cores_of(model, pattern, load)
    figures = {name: law.at(pattern, load, cores) for name, law in laws.items()}
    for name, q in LATENCIES.items():
        service_s = cost_s(pattern, load, cores)
        farther_s = quantile_s(pattern, load, service_s, q) - quantile_s(pattern, near(load), service_s, q)
        if load.rtt_s and isfinite(farther_s):
            figures[name] = figures[name].plus(1e3 * farther_s)
    out = beyond(of_pattern(model, pattern), load, message_bytes)
    return Prediction(
        pattern=pattern,
        load=load,
        figures=figures,
        cost_beyond=[each for each in out if each.times > COST_REACH],
        latency_beyond=[each for each in out if each.times > LATENCY_REACH],
    )


def of_pattern(model: Model, pattern: str) -> list[CellFigures]:
    return [cell for cell in model.observations if cell.pattern == pattern]


def cores_of(model: Model, pattern: str, load: Load) -> tuple[Load, float]:
    """Return the load with its requests, and the cores, where each agrees with the other."""
    law, service_s = model.laws[pattern]["cores"], 0.0
    for _ in range(ROUNDS if pattern == HELD else 1):
        load = msgspec.structs.replace(load, requests_per_s=requests_per_s(pattern, load, service_s))
        cores = law.value(pattern, load)
        service_s = cost_s(pattern, load, cores)
    return load, cores


def beyond(cells: Sequence[CellFigures], load: Load, message_bytes: int) -> list[Beyond]:
    """Return every quantity of a load that lies outside of these cells, the farthest first."""
    found = []
    for quantity, value, measured in _quantities(cells, load, message_bytes):
        low, high = min(measured), max(measured)
        if value > high > 0:
            found.append(Beyond(quantity, value, high, value / high))
        elif 0 < value < low:
            found.append(Beyond(quantity, value, low, low / value))
    return sorted(found, key=lambda each: -each.times)


def _quantities(
    cells: Sequence[CellFigures], load: Load, message_bytes: int
) -> Iterator[tuple[str, float, list[float]]]:
    yield "clients a process", load.clients, [cell.load.clients for cell in cells]
    yield "messages a second", load.rate_per_s, [cell.load.rate_per_s for cell in cells]
    yield "deliveries a second", load.deliveries_per_s, [cell.load.deliveries_per_s for cell in cells]
    yield "bytes a message", float(message_bytes), [float(cell.message_bytes) for cell in cells]
    if load.requests_per_s:
        yield "requests a second", load.requests_per_s, [cell.load.requests_per_s for cell in cells]


def held_out(cells: Sequence[CellFigures]) -> Iterator[tuple[CellFigures, str, Estimate]]:
    """Predict every cell of the two largest client counts from the smaller ones alone: each figure that it knows."""
    for pattern, own in by_pattern(cells).items():
        for count in sorted({cell.load.clients for cell in own})[-2:]:
            kept = [cell for cell in own if cell.load.clients < count]
            if any(_too_few(pattern, figure, kept) for figure in FIGURES):
                continue
            laws = {figure: fit(pattern, figure, kept) for figure in FIGURES}
            for cell in (each for each in own if each.load.clients == count):
                cores = laws["cores"].at(pattern, cell.load, cell.cores)
                for figure, law in laws.items():
                    if getattr(cell, figure) is not None:
                        yield cell, figure, law.at(pattern, cell.load, cores.value)


def _too_few(pattern: str, figure: str, cells: Sequence[CellFigures]) -> bool:
    known = [cell for cell in cells if getattr(cell, figure) is not None]
    return len(known) <= len(terms_of(pattern, figure, sizes=2))


def coverage(cells: Sequence[CellFigures], figures: Collection[str] = FIGURES) -> Coverage:
    """Count how many held-out figures of these kinds lie inside of their interval."""
    found = [each for each in held_out(cells) if each[1] in figures]
    inside = [at.low <= getattr(cell, figure) <= at.high for cell, figure, at in found]
    return Coverage(sum(inside), len(inside))
