"""PURE. Measured beside theory: what predictions say of each situation, and whether it came out so.

Both sides are the median over the repeats, as in the table of the report.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import numpy as np
import pandas as pd

from loadtests.scenario.poll_timing import parse_pace
from loadtests.scenario.settings import RELAY
from reports.basics.records import records
from reports.data.clock_error import ERROR
from reports.data.load import NOT_KEPT, Run
from reports.data.situations import SITUATION
from reports.theory.oracles import Every, ExponentialGaps, Floats, Gaps, UniformGaps
from reports.theory.patterns import theory_of
from reports.theory.predictions import Bound, Conditions, Rows, Theory
from reports.theory.predictions.conditions import WAKE_S
from servers.feed.content import CONTENTS
from servers.timing import NS_PER_MS

SummaryRow = Mapping[Any, Any]
"""One row of measures.summary."""

BUSY_CORE: Final = 0.8
"""Of one core. Theory assumes that nothing is overloaded; a process this busy is."""
FIGURES: Final = {
    "mean_ms": ("Mean", "ms"),
    "p50_ms": ("p50", "ms"),
    "p90_ms": ("p90", "ms"),
    "p99_ms": ("p99", "ms"),
    "responses_per_s": ("Requests", "/s"),
    "empty_ratio": ("Empty", "%"),
    "payload_bytes_per_delivery": ("Message", "B"),
    "http_bytes_per_delivery": ("HTTP", "B"),
    "wire_bytes_per_delivery": ("TCP", "B"),
    "segments_per_delivery": ("Segments", ""),
}
"""What is compared, in the order of the page: column of the summary -> title and unit."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """One figure, what theory says it is, and between what it may lie. saturated: who was too busy for theory."""

    scenario: str
    clients: int
    rtt_ms: float
    rate_per_s: float
    pattern: str
    label: str
    name: str
    measured: float
    theory: float
    low: float
    high: float
    saturated: str = ""

    @property
    def agrees(self) -> bool:
        return self.low <= self.measured <= self.high


def agreements(run: Run, summary: pd.DataFrame) -> list[Agreement]:
    """Return every figure of this run that theory has something to say about, in the order of `summary`."""
    settings = {str(scenario["name"]): scenario for scenario in run.manifest.scenarios}
    found = []
    for row in records(summary):
        theory = _theory(row["pattern"], settings[row["scenario"]])
        if theory is None or not row["delivered"]:
            continue
        where: dict[str, Any] = {key: row[key] for key in (*SITUATION, "label")}
        for name, bound in _bounds(theory, run, row, settings[row["scenario"]]).items():
            if isfinite(row[name]):
                figures = {"measured": row[name], "theory": bound.theory, "low": bound.low, "high": bound.high}
                found.append(Agreement(**where, name=name, **figures, saturated=_saturated(row)))
    return found


def _theory(pattern: str, setting: Mapping[str, Any]) -> Theory | None:
    """Return none of a server that is not ours: it is unknown what it does with a message before it sends it. Nor where
    each message is written by itself: theory has one wake-up take along all that is due.
    """
    theory = theory_of(pattern)
    unknown = setting.get("adapter") or setting.get("one_per_write")
    return theory if theory is not None and theory.speaks(setting) and not unknown else None


def _bounds(theory: Theory, run: Run, row: SummaryRow, setting: Mapping[str, Any]) -> dict[str, Bound]:
    """Return the bounds of a situation: in each of them, the median over its cells."""
    cells = []
    for cell in records(run.finished):
        if any(cell[key] != row[key] for key in SITUATION):
            continue
        published = run.rows.of("published", cell["cell"]).sort_values("id")
        at = conditions(cell, published, row, setting)
        if not at.has_theory:
            continue
        expected = theory.expected(at)
        if cell["cell"] in run.rows.summaries:  # what rows were to bring together is not there
            cells.append(dict(expected.bounds))
            continue
        own: dict[str, Any] = {name: run.rows.columns(name, cell["cell"]) for name in NOT_KEPT}
        own |= {"published": published, "samples": run.rows.of("samples", cell["cell"])}
        if not len(own["deliveries"]):
            continue
        # Of another server, of gzip, and of JSON within JSON the length is not known beforehand; and messages that
        # differ are written one by one, also those that a late server could have put together.
        each_its_own = setting.get("content", CONTENTS[0]) != CONTENTS[0]
        unknown = setting.get("server") or setting.get("compress") or each_its_own
        content_bytes = None if unknown else int(setting["message_bytes"])
        edges = {"from_ns": cell["window_from_ns"], "until_ns": cell["window_until_ns"]}
        sealed = bool(setting.get("tls"))
        kind: dict[str, Any] = {"framed": theory.framed, "heartbeats": theory.heartbeats}
        rows = Rows(content_bytes=content_bytes, sealed=sealed, **kind, **edges, **own)
        traffic = theory.traffic(at, rows, expected)
        if setting.get("no_keep_alive") or each_its_own:
            traffic.pop("segments_per_delivery", None)  # theory's are those of requests, and of wake-ups
        if sealed and unknown:
            traffic.pop("wire_bytes_per_delivery", None)  # nor is known then what becomes one record
        cells.append({**expected.bounds, **traffic})
    return {
        name: Bound(*(float(np.median([getattr(each[name], side) for each in cells])) for side in Bound.__slots__))
        for name in FIGURES
        if cells and all(name in each for each in cells)
    }


def expected_curve(
    run: Run, cells: pd.DataFrame, row: SummaryRow, setting: Mapping[str, Any], levels: Floats
) -> Floats | None:
    """Return the latency (ms) that theory has at each quantile level, the median over cells; None without a theory.

    cells: of this situation.
    """
    theory = _theory(row["pattern"], setting)
    if theory is None:
        return None
    curves = []
    for cell in records(cells):
        at = conditions(cell, run.rows.of("published", cell["cell"]).sort_values("id"), row, setting)
        if at.has_theory:
            curves.append(np.quantile(theory.expected(at).latency_ms, levels, method="inverted_cdf"))
    return np.median(curves, axis=0) if curves else None


def conditions(
    cell: Mapping[Any, Any], published: pd.DataFrame, row: SummaryRow, setting: Mapping[str, Any]
) -> Conditions:
    """Put together what theory needs to know of a cell. published: its messages, by id."""

    def since_window(instant_ns: Any) -> Any:
        return (instant_ns - cell["window_from_ns"]) / 1e9

    wakes = 2 if cell["rtt_ms"] else 1  # the load process, and the relay before it
    late, latest = (_known(row[name]) / 1e3 for name in ("generator_lag_ms", "generator_lag_max_ms"))
    started = since_window(cell["spawned_by_ns"]) - cell["clients"] / float(setting["spawn_per_s"])
    gaps, slack = _gaps(row, setting, 2 * wakes * WAKE_S + late)
    return Conditions(
        due=since_window(published["due_ns"].to_numpy()),
        published=since_window(published["published_ns"].to_numpy()),
        window=since_window(cell["window_until_ns"]),
        end=since_window(cell["load_ended_ns"]),
        clients=cell["clients"],
        joined=(started, since_window(cell["spawned_by_ns"])),
        delay=cell["rtt_ms"] / 2e3,
        gaps=gaps,
        gaps_slack=slack,
        hold=float(setting["hold_timeout_s"]),
        limit=1 if setting.get("one_per_response") else None,
        heartbeat=float(setting.get("heartbeat_s", 0.0)),
        turnaround=(_known(row["turnaround_ms"]) + _handshake_ms(cell, setting)) / 1e3,
        cost=_cost(row),
        greeting=_greeting_s(cell, setting, since_window(cell["spawned_by_ns"]), gaps),
        wakes=wakes,
        late=late,
        latest=latest,
        repeats=row["repeats"],
        clock=float(row.get(ERROR, 0.0)) / 1e3,
    )


def _handshake_ms(cell: Mapping[Any, Any], setting: Mapping[str, Any]) -> float:
    """What a connection for each poll adds to the gap: the relay is connected at once and makes the request wait.

    Under TLS it makes the handshake wait, which is over before the request is sent, and is seen with the turnaround.
    """
    unseen = setting.get("no_keep_alive") and setting.get("network", RELAY) == RELAY and not setting.get("tls")
    return float(cell["rtt_ms"]) if unseen else 0.0


def _greeting_s(cell: Mapping[Any, Any], setting: Mapping[str, Any], joined_s: float, gaps: Gaps) -> float:
    """Return what connecting adds to a user's first poll, if the window began before all those were answered."""
    trips = 2 if setting.get("tls") else 1
    taken_s = trips * float(cell["rtt_ms"]) / 1e3
    until_s = joined_s + gaps.mean + 2 * taken_s
    return 0.0 if setting.get("no_keep_alive") or until_s < 0 else taken_s


def _gaps(row: SummaryRow, setting: Mapping[str, Any], slack: float) -> tuple[Gaps, float]:
    """Return how polls follow each other, and how much longer than that their gaps may be."""
    interval, pace = float(setting["poll_interval_s"]), parse_pace(str(setting.get("poll_pace", "rate")))
    if pace.after_answer:
        return Every(interval + _known(row["answer_ms"]) / 1e3), slack
    if pace.kind == "exponential":
        return ExponentialGaps(interval), 0.0
    if pace.spread:
        return UniformGaps(interval * (1 - pace.spread), interval * (1 + pace.spread)), 0.0
    return Every(interval), 0.0


def _cost(row: SummaryRow) -> float:
    """Return the server's CPU (s) for one delivery, or for one answer where there are requests. 0 where unknown."""
    each = _known(row["cpu_ms_per_1000"]) * NS_PER_MS / 1e12
    return each / row["requests_per_delivery"] if row["requests_per_delivery"] else each


def _known(value: float) -> float:
    return value if isfinite(value) else 0.0


def _saturated(row: SummaryRow) -> str:
    """Say who used up its core in some repeat: then theory, which assumes no overload, says nothing."""
    shares = {who: np.nanmax([row[f"{who}_cpu_share"], row[f"{who}_cpu_share_high"], 0.0]) for who in BUSY}
    return next((name for who, name in BUSY.items() if shares[who] > BUSY_CORE), "")


BUSY: Final = {"generator": "load generator", "server": "server"}
