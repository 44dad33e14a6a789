"""PURE. What each chart shows, in words, for those who cannot see it: the figures of that chart, pattern by pattern."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from loadtests.scenario.dimensions import Dimension
from reports.basics.records import records
from reports.basics.units import number, percent, quantity
from reports.charts.chart_data import LEVELS, Scene
from reports.measures.latency_parts import PARTS

TAIL: Final = {0.5: "half", 0.9: "90 %", 0.99: "99 %", 0.999: "99.9 %", 0.9999: "99.99 %"}
WHOSE: Final = dict(zip(PARTS, ("the publisher", "server and network", "the load generator"), strict=True))


def _ms(value: float) -> str:
    return quantity(value, "ms")


def _rows(scene: Scene) -> Iterator[tuple[str, dict[Any, Any]]]:
    for row in records(scene.rows):
        yield str(row["label"]), row


def _curves(scene: Scene) -> Iterator[tuple[str, Any]]:
    for pattern, curve in scene.curves.items():
        yield scene.look.labels[pattern], curve["mid"].dropna()


def distribution(scene: Scene) -> str:
    """Between what the middle of each curve lies."""
    return "; ".join(
        f"{label}: a tenth within {_ms(_at(curve, 0.1))}, half within {_ms(_at(curve, 0.5))}, "
        f"90 % within {_ms(_at(curve, 0.9))}"
        for label, curve in _curves(scene)
        if len(curve)
    )


def tail(scene: Scene) -> str:
    """How each curve rises, as far as it is known."""
    told = []
    for label, curve in _curves(scene):
        known = {level: words for level, words in TAIL.items() if len(curve) and level <= curve[:0.999999].index.max()}
        told.append(
            f"{label}: " + ", ".join(f"{words} within {_ms(_at(curve, level))}" for level, words in known.items())
        )
    return "; ".join(told)


def _at(curve: Any, level: float) -> float:
    return float(np.interp(level, curve.index, curve))


def timeline(scene: Scene) -> str:
    """What a client of each pattern does."""
    return "; ".join(
        f"{label}: {number(row['requests_per_delivery'], 2)} requests for each message, "
        f"median latency {_ms(row['p50_ms'])}"
        for label, row in _rows(scene)
    )


def theory(scene: Scene) -> str:
    """The medians of both lines of each panel."""
    told = []
    for pattern, curve in scene.curves.items():
        expected = scene.expected[pattern]
        by_theory = "no theory" if expected is None else f"{_ms(float(np.interp(0.5, LEVELS, expected)))} by theory"
        measured = _at(curve["mid"].dropna(), 0.5) if curve["mid"].notna().any() else float("nan")
        told.append(f"{scene.look.labels[pattern]}: median {_ms(measured)} measured, {by_theory}")
    return "; ".join(told)


def over_time(scene: Scene) -> str:
    """Between what the running median lies, and where it begins and ends."""
    told = []
    for pattern, drawn in scene.drawn.items():
        medians = drawn.in_words[np.isfinite(drawn.in_words)]
        told.append(
            f"{scene.look.labels[pattern]}: median {_ms(medians[0])} at first, "
            f"{_ms(medians[-1])} at last, between {_ms(medians.min())} and {_ms(medians.max())}"
        )
    return "; ".join(told)


def parts(scene: Scene) -> str:
    """The parts of an average delivery, and of the slowest ones."""
    told = []
    for label, row in _rows(scene):
        for over, words in {"mean": "average delivery", "tail": "slowest 1 %"}.items():
            times_ms = {name: float(row[f"{part}_{over}_ms"]) for part, name in WHOSE.items()}
            if all(np.isfinite(value) for value in times_ms.values()):
                told.append(
                    f"{label}, {words}: {', '.join(f'{name} {_ms(value)}' for name, value in times_ms.items())}"
                )
            else:
                told.append(f"{label}, {words}: not known")
    return "; ".join(told)


def fan_out(scene: Scene) -> str:
    """What the first client waits, and what the last."""
    return "; ".join(
        f"{scene.look.labels[pattern]}: first client {_ms(table['latency_ms'].iloc[0])}, "
        f"last client {_ms(table['latency_ms'].iloc[-1])}"
        for pattern, table in scene.fan_out.items()
    )


def requests(scene: Scene) -> str:
    return "; ".join(
        f"{label}: {number(row['requests_per_delivery'], 2)} requests per delivery, "
        f"{percent(row['empty_ratio'])} empty responses"
        for label, row in _rows(scene)
    )


def traffic(scene: Scene) -> str:
    kinds = {"payload": "the message itself", "http": "with HTTP", "wire": "in TCP"}
    return "; ".join(
        f"{label}: "
        + ", ".join(f"{quantity(row[f'{kind}_bytes_per_delivery'], 'B')} {words}" for kind, words in kinds.items())
        for label, row in _rows(scene)
    )


def server(scene: Scene) -> str:
    return "; ".join(
        f"{label}: {_ms(row['cpu_ms_per_1000'])} CPU per 1,000 deliveries, "
        f"{quantity(row['memory_per_client_bytes'], 'B')} memory per client"
        for label, row in _rows(scene)
    )


def sweep(scene: Scene, along: Dimension, shown: Mapping[str, tuple[str, str]]) -> str:
    """Each measure at each step."""
    told = []
    for pattern, rows in scene.along(along).groupby("pattern", observed=True, sort=False):
        steps = records(rows.sort_values(along.column))
        for name, (title, unit) in shown.items():
            values = ", ".join(f"{along.says(row[along.column])} {quantity(row[name], unit)}" for row in steps)
            told.append(f"{scene.look.labels[str(pattern)]}, {title}: {values}")
    return "; ".join(told)
