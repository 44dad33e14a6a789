"""PURE. One figure of one pattern as a sum of terms, each with a coefficient of 0 or more, and how far it may be off.

Fitted by non-negative least squares on relative residuals, since a server that costs 1 % of a core matters to the law
as much as one that costs a whole. The interval adds up two doubts: what the fit leaves over, and what becomes of the
prediction when the cells of one client count are left out (delete-a-group jackknife), which grows with the distance.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import exp, isfinite, log, sqrt
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import special

from reports.model.cell_figures import CellFigures, Load
from reports.model.service import ASKED, HELD, quantile_s

Floats = NDArray[np.float64]

CONFIDENCE: Final = 0.9
LEAST: Final = 1e-3
"""Spread of residuals that is assumed at least: formats are exact, clocks and counters are not."""


class Estimate(msgspec.Struct, frozen=True):
    """A prediction, and between what it lies with CONFIDENCE. low <= value <= high."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> "Estimate":
        return Estimate(self.value * factor, self.low * factor, self.high * factor)

    def plus(self, amount: float) -> "Estimate":
        return Estimate(self.value + amount, self.low + amount, self.high + amount)


Terms = Mapping[str, Callable[[str, Load, float], float]]
TERMS: Final[Terms] = {
    "process": lambda _pattern, _load, _cores: 1.0,
    "client": lambda _pattern, load, _cores: load.clients,
    "delivery": lambda _pattern, load, _cores: load.deliveries_per_s,
    "wake-up": lambda _pattern, load, _cores: load.wakes_per_s,
    "request": lambda _pattern, load, _cores: load.requests_per_s,
    "sqrt(request)": lambda _pattern, load, _cores: sqrt(load.requests_per_s),
    "payload byte": lambda _pattern, load, _cores: load.payload_bytes_per_s,
    "theory p50": lambda pattern, load, cores: 1e3 * quantile_s(pattern, near(load), cost_s(pattern, load, cores), 0.5),
    "theory p99": lambda pattern, load, cores: (
        1e3 * quantile_s(pattern, near(load), cost_s(pattern, load, cores), 0.99)
    ),
}
"""Name -> what it is worth for a pattern under a load, given the cores that it takes."""
STREAM_CORES: Final = ("delivery", "wake-up", "client", "payload byte")
CORES: Final[Mapping[str, tuple[str, ...]]] = {
    ASKED: ("request", "sqrt(request)", "payload byte"),
    HELD: ("request", "sqrt(request)", "wake-up", "client", "payload byte"),
}
"""What makes up the cores of a pattern; sqrt: a busy loop serves several requests a turn, one that idles wakes."""
OTHERS: Final[Mapping[str, tuple[str, ...]]] = {
    "memory_bytes": ("process", "client"),
    "sent_bytes_per_s": ("payload byte", "request", "client"),
    "p50_ms": ("process", "theory p50"),
    "p99_ms": ("process", "theory p99"),
}
FIGURES: Final = ("cores", *OTHERS)
GIVEN: Final = frozenset({("sent_bytes_per_s", "payload byte"), ("p50_ms", "theory p50"), ("p99_ms", "theory p99")})
"""Terms that are not fitted: formats say what a message takes, and of short polls theory leaves nothing open."""


class Law(msgspec.Struct, frozen=True, kw_only=True):
    """coefficients: of the terms, in their order; without: the same with the cells of one client count left out, each.

    spread: standard deviation of the logarithms of measured / fitted; freedom: cells less coefficients in use.
    """

    terms: list[str]
    coefficients: list[float]
    without: list[list[float]]
    spread: float
    freedom: int

    def value(self, pattern: str, load: Load, cores: float = 0.0) -> float:
        """Return the figure under a load, given the cores that the load takes."""
        return _sum(self._amounts(pattern, load, cores), self.coefficients)

    def at(self, pattern: str, load: Load, cores: float = 0.0) -> Estimate:
        """Return the figure with its interval."""
        amounts = self._amounts(pattern, load, cores)
        value = _sum(amounts, self.coefficients)
        if not isfinite(value) or value <= 0:
            return Estimate(value, value, value)
        others = [log(max(_sum(amounts, each), value * 1e-6)) for each in self.without] or [log(value)]
        middle = sum(others) / len(others)
        jackknife = (len(others) - 1) / len(others) * sum((other - middle) ** 2 for other in others)
        reach = min(50.0, _reach(self.freedom) * sqrt(self.spread**2 + jackknife))
        return Estimate(value, value * exp(-reach), value * exp(reach))

    def _amounts(self, pattern: str, load: Load, cores: float) -> list[float]:
        return [TERMS[term](pattern, load, cores) for term in self.terms]


@cache
def _reach(freedom: int) -> float:
    """How many standard deviations the interval reaches."""
    return float(special.stdtrit(freedom, (1 + CONFIDENCE) / 2))


def terms_of(pattern: str, figure: str, *, sizes: int) -> tuple[str, ...]:
    """Return the terms of a figure. sizes: how many message sizes were measured; of one, bytes are deliveries."""
    if figure != "cores":
        # Short polls are as many as there are clients: all that a client costs is a request's.
        return OTHERS[figure][:2] if pattern == ASKED else OTHERS[figure]
    terms = CORES.get(pattern, STREAM_CORES)
    return terms if sizes > 1 else tuple(term for term in terms if term != "payload byte")


def fit(pattern: str, figure: str, cells: Sequence[CellFigures]) -> Law:
    """Fit a law to the cells of one pattern that know the figure. Raises ValueError when they are too few."""
    cells = [cell for cell in cells if getattr(cell, figure) is not None]
    terms = terms_of(pattern, figure, sizes=len({cell.message_bytes for cell in cells}))
    if len(cells) <= len(terms):
        raise ValueError(
            f"{pattern}: {len(cells)} cells are too few for {len(terms)} terms of its {figure}: add runs with other "
            "client counts and rates, or measure the series with `pollbench model --measure`"
        )
    measured = np.array([getattr(cell, figure) for cell in cells])
    amounts = np.array([[TERMS[term](pattern, cell.load, cell.cores) for term in terms] for cell in cells])
    given = np.array([(figure, term) in GIVEN and (pattern == ASKED or "byte" in term) for term in terms])
    coefficients = _non_negative(amounts, measured, given)
    groups = np.array([cell.load.clients for cell in cells])
    without = [
        _non_negative(amounts[groups != group], measured[groups != group], given).tolist()
        for group in np.unique(groups)
        if (groups != group).sum() >= 2
    ]
    freedom = max(1, len(cells) - int((coefficients > 0).sum()))
    residuals = np.log(measured / np.maximum(amounts @ coefficients, measured * 1e-6))
    spread = sqrt(max(LEAST**2, float((residuals**2).sum()) / freedom))
    return Law(terms=list(terms), coefficients=coefficients.tolist(), without=without, spread=spread, freedom=freedom)


def _non_negative(amounts: Floats, measured: Floats, given: NDArray[np.bool_]) -> Floats:
    """Return the coefficients; those that are given are 1."""
    from scipy import optimize  # takes as long to import as all the rest, and who only asks a model fits nothing

    relative = amounts / measured[:, None]
    scale = np.maximum(np.linalg.norm(relative, axis=0), 1e-300)
    left = np.clip(1 - relative[:, given].sum(axis=1), 0, None)
    coefficients = np.ones(amounts.shape[1])
    coefficients[~given] = optimize.nnls((relative / scale)[:, ~given], left)[0] / scale[~given]
    return coefficients


def _sum(amounts: Sequence[float], coefficients: Sequence[float]) -> float:
    """Add up, where nothing times a theory without end is nothing."""
    return sum((each * amount for each, amount in zip(coefficients, amounts, strict=True) if each), 0.0)


def cost_s(pattern: str, load: Load, cores: float) -> float:
    """Return the service time: CPU for one answer where there are requests, for one delivery otherwise."""
    served = load.requests_per_s if pattern in (ASKED, HELD) else load.deliveries_per_s
    return cores / served if served else 0.0


def near(load: Load) -> Load:
    """The same without a distance: what a round trip adds is theory's alone, see model.py."""
    return msgspec.structs.replace(load, rtt_s=0.0)
