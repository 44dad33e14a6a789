"""PURE. Finished runs -> one row of plain figures a cell: what it carried, and what the server paid for it."""

import math
from collections.abc import Hashable, Mapping
from typing import Any, Final

import msgspec
import numpy as np
import pandas as pd

from loadtests.live.live_checks import TAIL_SHARE
from reports.data.load import TABLES, Run
from reports.measures.measures import per_cell
from reports.theory.oracles.framing import body_bytes
from reports.theory.patterns import theory_of, why_none
from reports.theory.predictions.conditions import woken
from reports.validity.instrument import LAG_INVALID_MS, STARVED_INVALID

STRANGE: Final = ("server", "fault", "compress", "no_keep_alive", "one_per_response", "one_per_write", "etag", "tls")
"""Settings of a scenario that make its server another one than the one the model is of."""
PUBLISHED_NS: Final = 10**15
"""An instant of a clock that has run for days: what counts of it is how many digits it has."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What one server process carries: its input to every law. All rates are a second, all clients together.

    wakes_per_s: how often the publisher woke; payload_bytes_per_s: messages with their own framing.
    """

    clients: float
    rate_per_s: float
    wakes_per_s: float
    requests_per_s: float
    payload_bytes_per_s: float
    poll_interval_s: float = 1.0
    hold_s: float = 30.0
    rtt_s: float = 0.0

    @property
    def deliveries_per_s(self) -> float:
        return self.clients * self.rate_per_s


class CellFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One finished cell. memory_bytes: resident, of all the server's processes; sent_bytes_per_s: by the server, HTTP.

    p50_ms, p99_ms: None where the load side was late, or starved, so that a latency is its own; costs, which are read
    from outside, stand. missed: messages that never came, all clients together.
    """

    pattern: str
    label: str
    load: Load
    message_bytes: int
    cores: float
    memory_bytes: float
    sent_bytes_per_s: float
    p50_ms: float | None
    p99_ms: float | None
    missed: int


def observations(run: Run) -> list[CellFigures]:
    """Return what the cells of a run say, in planned order; cells that lack a figure, or contradict
    themselves, say nothing.

    Raises ValueError for a run of another server than ours.
    """
    settings = {str(each["name"]): each for each in run.manifest.scenarios}
    for name, setting in settings.items():
        if strange := [field for field in STRANGE if setting.get(field)]:
            raise ValueError(
                f"{run.path}: scenario {name} sets {', '.join(strange)}, so what it cost is not what this model "
                "is of: leave the run out"
            )
    measured = per_cell(run).set_index("cell")
    found = [
        _observation(run, cell, measured.loc[cell["cell"]].to_dict(), settings[cell["scenario"]])
        for cell in run.finished.to_dict("records")
    ]
    return [each for each in found if each is not None]


def _observation(
    run: Run, cell: Mapping[Hashable, Any], row: Mapping[Any, Any], setting: Mapping[str, Any]
) -> CellFigures | None:
    tables = {name: run.rows.of(name, cell["cell"]) for name in TABLES}
    window_s = (cell["window_until_ns"] - cell["window_from_ns"]) / 1e9
    published = tables["published"].sort_values("id")
    inside = published["due_ns"].between(cell["window_from_ns"], cell["window_until_ns"], inclusive="left").to_numpy()
    wakes = woken(published["due_ns"].to_numpy() / 1e9, published["published_ns"].to_numpy() / 1e9)
    rate = float(inside.sum()) / window_s
    asked = _sent_by_clients(tables["requests"], cell["window_from_ns"], cell["window_until_ns"]) / window_s
    held = str(cell["pattern"]) in {"long_polling", "short_polling"}
    found = CellFigures(
        pattern=str(cell["pattern"]),
        label=str(cell["label"]),
        load=Load(
            clients=cell["clients"],
            rate_per_s=rate,
            wakes_per_s=len(np.unique(wakes[inside])) / window_s,
            requests_per_s=float(row["responses_per_s"]) if held else 0.0,
            payload_bytes_per_s=float(row["payload_bytes_per_delivery"]) * rate * cell["clients"],
            poll_interval_s=float(setting["poll_interval_s"]),
            hold_s=float(setting["hold_timeout_s"]),
            rtt_s=float(cell["rtt_ms"]) / 1e3,
        ),
        message_bytes=int(setting["message_bytes"]),
        cores=float(row["server_cpu_share"]),
        memory_bytes=_memory_bytes(tables["samples"], cell["window_from_ns"], cell["window_until_ns"]),
        sent_bytes_per_s=float(row["http_bytes_per_delivery"]) * float(row["delivered"]) / window_s - asked,
        p50_ms=_latency_ms(row, "p50_ms"),
        p99_ms=_latency_ms(row, "p99_ms"),
        missed=int(row["missed"]),
    )
    figures = (found.cores, found.memory_bytes, found.sent_bytes_per_s, rate)
    known = not row["discrepancies"] and all(math.isfinite(figure) and figure > 0 for figure in figures)
    return found if known else None


def _latency_ms(row: Mapping[Any, Any], name: str) -> float | None:
    """Return a quantile unless half of it may be the instrument's, or other programs had the cores: by the limits from
    which on a report calls a run INVALID.
    """
    value, floor = float(row[name]), float(row[f"{name}_floor"])
    ours = value - floor if math.isfinite(floor) else float(row["generator_lag_ms"])
    starved = max(float(row[f"{who}_waited_share"]) for who in ("server", "generator"))
    spoiled = not ours <= max(LAG_INVALID_MS, value * TAIL_SHARE) or starved > STARVED_INVALID
    return value if math.isfinite(value) and value > 0 and not spoiled else None


def message_payload_bytes(pattern: str, message_bytes: int) -> float:
    """Return the bytes of a message with its own framing, by the formats, written in a wake-up of its own.

    Raises ValueError for a pattern whose formats are not known.
    """
    theory = theory_of(pattern)
    if theory is None:
        raise ValueError(f"the model says nothing of {pattern}, which has no theory: {why_none(pattern)}")
    ids = np.array([9_999, 10_000])
    instants = np.full(2, PUBLISHED_NS)
    bodies = body_bytes(ids, instants, instants, message_bytes)
    return float(theory.framed(ids, bodies, np.array([0, 1]))[1])


def _sent_by_clients(requests: pd.DataFrame, from_ns: int, until_ns: int) -> float:
    """Bytes of requests in the window, each spread evenly over its life, as costs.py does it."""
    started, ended = requests["started_ns"].to_numpy(), requests["ended_ns"].to_numpy()
    inside = np.clip(np.minimum(ended, until_ns) - np.maximum(started, from_ns), 0, None)
    return float((requests["bytes_out"].to_numpy() * (inside / np.maximum(ended - started, 1))).sum())


def _memory_bytes(samples: pd.DataFrame, from_ns: int, until_ns: int) -> float:
    server = samples[(samples["role"] == "server") & (samples["rss_bytes"] >= 0)]
    inside = server[server["at_ns"].between(from_ns, until_ns)]
    return float(inside.groupby("at_ns")["rss_bytes"].sum().median()) if len(inside) else math.nan
