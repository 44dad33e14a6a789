"""PURE. Frames -> measures. Here stand the one subtraction and the one conversion to milliseconds.

Nothing is rounded, filtered or dropped: a message counts when it was due in its cell's window, whenever it arrived.
Quantiles are taken per repeat, because the deliveries of one broadcast are not independent; over repeats a measure is
the median of the repeats, and its interval is statistics.median_interval: their range, from six repeats a bootstrap.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from reports.accounting import COUNTS, account
from reports.costs import NS_PER_MS, request_costs, sample_costs
from reports.load import KEYS, Run
from reports.statistics import median_interval

SITUATION: Final = ["scenario", "clients", "rtt_ms", "pattern"]
QUANTILES: Final = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "max_ms": 1.0}


@dataclass(frozen=True, slots=True)
class Measure:
    """One column of the table; less is better in all of them.

    unit: stands in the header and is worth `scale` of the frame's own. optional: left out where it is zero for all.
    """

    name: str
    group: str
    title: str
    unit: str
    meaning: str
    scale: float = 1.0
    optional: bool = False


MEASURES: Final = (
    Measure("p50_ms", "Delivery latency", "p50", "ms", "half of all deliveries took at most this"),
    Measure("p90_ms", "Delivery latency", "p90", "ms", "90 % of all deliveries took at most this"),
    Measure("p99_ms", "Delivery latency", "p99", "ms", "99 % of all deliveries took at most this"),
    Measure("max_ms", "Delivery latency", "max", "ms", "the slowest delivery of a repeat"),
    Measure("requests_per_delivery", "Requests", "per delivery", "", "completed requests for each delivered message"),
    Measure("empty_ratio", "Requests", "empty", "%", "share of responses that brought no message", 0.01),
    Measure("http_bytes_per_delivery", "Per delivery", "HTTP", "B", "bytes both ways, heads included"),
    Measure("wire_bytes_per_delivery", "Per delivery", "TCP", "B", "bytes both ways, as the kernel counted them"),
    Measure("cpu_ms_per_1000", "Server", "CPU / 1,000", "ms", "server CPU time for each 1,000 deliveries"),
    Measure("memory_per_client_bytes", "Server", "memory", "kB", "growth of resident memory for each client", 1e3),
    Measure(
        "kernel_per_client_bytes",
        "Server",
        "kernel",
        "kB",
        "memory queued in kernel sockets, for each client",
        1e3,
        True,
    ),
)


def latencies(run: Run) -> pd.DataFrame:
    """Return the deliveries due in their cell's window, with latency_ms, transit_ms, lateness_ms and due_s.

    due_s: seconds from the start of the window to the due instant.
    """
    window = run.finished.set_index("cell")[["window_from_ns", "window_until_ns"]]
    cells = run.deliveries["cell"]
    from_ns = _of_cell(cells, window["window_from_ns"])
    due_ns = run.deliveries["due_ns"].to_numpy()
    inside = (due_ns >= from_ns) & (due_ns < _of_cell(cells, window["window_until_ns"]))
    frame = run.deliveries[inside]
    received, published, due = (frame[f"{name}_ns"].to_numpy() for name in ("received", "published", "due"))
    intervals = {
        "latency_ms": (received - due) / NS_PER_MS,
        "transit_ms": (received - published) / NS_PER_MS,
        "lateness_ms": (published - due) / NS_PER_MS,
        "due_s": (due - from_ns[inside]) / 1e9,
    }
    # Not assign(): it would copy every column once more.
    return pd.concat([frame, pd.DataFrame(intervals, frame.index)], axis=1, copy=False)


def _of_cell(cells: "pd.Series[str]", values: "pd.Series[int]") -> np.ndarray:
    """Look a cell's value up for every row, by category code: two orders faster than a merge."""
    table = values.reindex(cells.cat.categories, fill_value=0).to_numpy()
    return table[cells.cat.codes.to_numpy()]


def conservation(run: Run) -> pd.DataFrame:
    """Return one row per cell and user: the KEYS, `user`, and the COUNTS of accounting.py."""
    parts = []
    for cell in run.finished.to_dict("records"):
        published = _of(run.published, cell["cell"])
        due = published["due_ns"].between(cell["window_from_ns"], cell["window_until_ns"], inclusive="left")
        ids = np.sort(published["id"][due].to_numpy())
        counted = account(_of(run.deliveries, cell["cell"]), ids, cell["clients"]).reset_index()
        parts.append(counted.assign(**{key: cell[key] for key in KEYS})[[*KEYS, "user", *COUNTS]])
    return pd.concat(parts, ignore_index=True)


def per_cell(run: Run, latency: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row per finished cell: the KEYS, label, every measure, the COUNTS, and the errors by kind.

    latency: what `latencies(run)` returned, to save working it out twice.
    """
    latency = latencies(run) if latency is None else latency
    counts = conservation(run).groupby("cell", observed=True)[COUNTS].sum()
    rows = [_measure(run, cell, latency, counts.loc[cell["cell"]]) for cell in run.finished.to_dict("records")]
    frame = pd.DataFrame(rows)
    return frame.fillna({column: 0 for column in map(str, frame) if column.startswith("error_")})


def _measure(run: Run, cell: dict[Hashable, Any], latency: pd.DataFrame, counts: "pd.Series[int]") -> dict[str, object]:
    name, from_ns, until_ns = cell["cell"], cell["window_from_ns"], cell["window_until_ns"]
    deliveries = _of(run.deliveries, name)
    delivered = int(counts["delivered"])
    return {
        **{key: cell[key] for key in (*KEYS, "label")},
        "messages": int(counts["owed"]) // cell["clients"],
        "users": deliveries["user"].nunique(),
        "relay_late_mean_ms": cell["relay_late_mean_ms"],
        "relay_late_max_ms": cell["relay_late_max_ms"],
        "pushed_ratio": float((deliveries["mode"] == "pushed").mean()),
        **latency_of(_of(latency, name)),
        **request_costs(_of(run.requests, name), deliveries, from_ns, until_ns, delivered),
        **sample_costs(
            _of(run.samples, name), deliveries["received_ns"], from_ns, until_ns, delivered, cell["clients"]
        ),
        **{count: int(counts[count]) for count in COUNTS},
    }


def latency_of(window: pd.DataFrame) -> dict[str, float]:
    """Quantiles and spread of one cell's first arrivals. A quantile is a value that was measured, not one between."""
    first = window if not window.duplicated(["user", "id"]).any() else window.drop_duplicates(["user", "id"])
    values = first["latency_ms"].to_numpy()
    if not len(values):
        return dict.fromkeys([*QUANTILES, "mean_ms", "transit_p50_ms", "lateness_p99_ms"], np.nan) | {"negative": 0}
    quantiles = np.quantile(values, list(QUANTILES.values()), method="inverted_cdf")
    return {
        **dict(zip(QUANTILES, map(float, quantiles), strict=True)),
        "mean_ms": float(values.mean()),
        "transit_p50_ms": float(np.quantile(first["transit_ms"].to_numpy(), 0.5, method="inverted_cdf")),
        "lateness_p99_ms": float(np.quantile(first["lateness_ms"].to_numpy(), 0.99, method="inverted_cdf")),
        "negative": int((first["transit_ms"].to_numpy() < 0).sum()),
    }


def summary(run: Run, cells: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row per scenario, client count, round trip and pattern, in planned order.

    Every number of `per_cell` but the counts becomes its median over repeats with `<name>_low` and `<name>_high`, the
    interval of `statistics.median_interval` (NaN for a single repeat, which has none). Counts and errors are summed
    over repeats. `cells`: what `per_cell(run)` returned, to save working it out twice.
    """
    cells = per_cell(run) if cells is None else cells
    columns = [str(column) for column in cells if column not in {*KEYS, "label", "users"}]
    summed = [c for c in columns if c in {*COUNTS, "messages", "negative"} or c.startswith("error")]
    rows = []
    for _, group in cells.groupby(SITUATION, observed=True, sort=False):
        first = group[[*SITUATION, "label"]].to_dict("records")[0]
        row: dict[Hashable, Any] = {**first, "repeats": len(group)}
        for column in columns:
            row |= {column: int(group[column].sum())} if column in summed else _over_repeats(column, group[column])
        rows.append(row)
    return pd.DataFrame(rows)


def _over_repeats(name: str, values: "pd.Series[float]") -> dict[Hashable, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return dict.fromkeys([name, f"{name}_low", f"{name}_high"], np.nan)
    interval = median_interval(known)
    low, high = (np.nan, np.nan) if interval.method == "single" else (interval.low, interval.high)
    return {name: interval.median, f"{name}_low": low, f"{name}_high": high}


def _of(frame: pd.DataFrame, cell: str) -> pd.DataFrame:
    return frame[frame["cell"] == cell]
