"""PURE. What became of a claim in words: figures with their intervals, bounds, and under which conditions it holds."""

from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite
from typing import Final

from loadtests.scenario.dimensions import DIMENSIONS
from reports.basics.units import NONE, THIN, listed, number, quantity
from reports.claims.claim import OfModel, Test
from reports.claims.ruling import Ruled, Span, State, Step, Tried, Verdict, together

PHRASES: Final[Mapping[str, Callable[[float], str]]] = {each.column: each.says for each in DIMENSIONS} | {
    "poll_interval_s": lambda value: f"a poll every {quantity(value * 1e3, 'ms')}"
}
AXES: Final = {each.column: each.axis for each in DIMENSIONS} | {"poll_interval_s": "between two polls, s"}
WORDED: Final = (Verdict.HOLDS_IF, Verdict.OPEN)


def answer(ruled: Ruled) -> str:
    """Say what became of a claim: confirmed; holds up to 3.2 messages a second; open, but holds if clients are few."""
    where = condition(ruled)
    if ruled.verdict is Verdict.HOLDS_IF:
        return where
    return f"{ruled.verdict}, but {where}" if where else str(ruled.verdict)


def condition(ruled: Ruled) -> str:
    """Say under which conditions a claim surely holds, or if under none fails; nothing where it is clear without."""
    if ruled.verdict in WORDED:
        for state in (State.HOLDS, State.FAILS):
            if found := {given: tests for given, tests in ruled.conditions.items() if state in together(tests)}:
                return f"{state} {listed([_where(given, tests, state) for given, tests in found.items()], 'or')}"
    return ""


def _where(given: str, tests: Sequence[Tried], state: State) -> str:
    """Say where tests under one condition hold, or fail: the condition, and from where to where along a dimension."""
    mixed = [each for each in tests if each.along and each.states != {state}]
    spans = [
        listed([_span(each.along, span) for span in spans], "or") for each in mixed if (spans := each.spans(state))
    ]
    return ", ".join([*([f"if {given}"] if given else []), *spans]) or "at every step that was asked"


def _span(along: str, span: Span) -> str:
    start, end = span
    if start == -inf:
        return f"up to {says(along, end)}"
    return f"from {says(along, start)} on" if end == inf else f"from {says(along, start)} to {says(along, end)}"


def says(along: str, value: float) -> str:
    """Say a value of a dimension, rounded as a crossover deserves: 3.2 messages a second."""
    return PHRASES[along](float(number(value, 2).replace(",", "")))


def said(tried: Tried, step: Step) -> str:
    """Say a step's figure with its interval: 1.0 s (0.98 to 1.1 s)."""
    if step.figure is None:
        return NONE
    value, low, high = (amount(tried.test, each) for each in (step.figure.value, step.figure.low, step.figure.high))
    return value if low == high else f"{value} ({low} to {high})"


def bound(test: Test) -> str:
    """Say the bounds: at most 1.0 s."""
    low, high = test.bounds
    if low == high:
        return amount(test, low)
    if isfinite(low) and isfinite(high):
        return f"{amount(test, low)} to {amount(test, high)}"
    return f"at least {amount(test, low)}" if isfinite(low) else f"at most {amount(test, high)}"


def amount(test: Test, value: float) -> str:
    if test.over:
        return f"{number(value)}{THIN}\N{MULTIPLICATION SIGN}"
    if test.figure == "cores" or test.figure.endswith("cpu_share"):
        return f"{number(value, 2)}{THIN}cores"
    if test.figure == "mbit":
        return f"{number(value, 2)}{THIN}Mbit/s"
    return quantity(value, unit_of(test.figure))


def unit_of(figure: str) -> str:
    """Return the unit of a figure, which its name says: _ms, bytes, _ratio."""
    if figure in ("p50", "p99") or figure.endswith("_ms") or "_ms_" in figure:
        return "ms"
    if figure == "memory" or "bytes" in figure:
        return "B"
    return "%" if figure.endswith("_ratio") else ""


def load_of(test: OfModel) -> str:
    """Say the load that a model was asked about, but for what its steps vary."""
    told = {
        "clients": PHRASES["clients"](test.clients),
        "rate_per_s": PHRASES["rate_per_s"](test.rate_per_s),
        "rtt_ms": PHRASES["rtt_ms"](test.rtt_ms) if test.rtt_ms else "",
        "poll_interval_s": PHRASES["poll_interval_s"](test.poll_interval_s)
        if "short_polling" in (test.pattern, test.over)
        else "",
    }
    return ", ".join(text for name, text in told.items() if text and name != test.along)
