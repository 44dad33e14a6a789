"""PURE. Frames -> measures. Here stand the one subtraction and the one conversion to milliseconds.

Nothing is rounded, filtered or dropped: a message counts when it was due in its cell's window, whenever it arrived.
Quantiles are taken per repeat, because the deliveries of one broadcast are not independent; over repeats a measure is
the median of the repeats, and its interval is statistics.median_interval: their range, from six repeats a bootstrap.
"""

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from loadtests.scenario.timetable import allowed_s
from loadtests.summary.kept import Summary
from reports.basics.records import records
from reports.basics.statistics import median_interval, warmup_cut
from reports.data.clock_error import CHANGE, CROSSING, ERROR
from reports.data.columns import Columns, Table
from reports.data.load import KEYS, NOT_KEPT, TABLES, Run, with_keys
from reports.data.situations import SITUATION
from reports.data.tables import process_names
from reports.measures.consistency import discrepancies, discrepancies_of
from reports.measures.costs import Look, between, request_costs, sample_costs
from reports.measures.instrument_part import asked_late_ms, floors
from reports.measures.latency_parts import TAIL_PARTS, first_arrivals, parts, positions
from reports.measures.losses import COUNTS, ByUser, settled, tallied
from reports.measures.ordering import WATCHED, watch
from reports.measures.send_delay import send_pace
from reports.measures.summarised import deliveries_of, promises_of, requests_of, users_of
from servers.timing import NS_PER_MS, NS_PER_S

QUANTILES: Final = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "max_ms": 1.0}
FEW_MESSAGES: Final = 100
"""With fewer messages p99 is little more than the worst one."""
TRANSIT: Final = {"transit_p50_ms": 0.5, "transit_p99_ms": 0.99}
SUMMED: Final = frozenset(
    {*COUNTS, *WATCHED, "messages", "received", "negative", "polls_due", "polls_unsent", "discrepancies"}
)
"""Columns of a cell that are added up over its repeats; so are errors."""
WORST: Final = frozenset({"send_late_max_ms", ERROR, CHANGE})
"""Columns whose largest repeat counts."""


CellRow = Mapping[Hashable, Any]
"""A row of `Run.finished`."""


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
    Measure("http_bytes_per_delivery", "Per delivery", "HTTP", "B", "bytes both ways, headers included"),
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

BREAKDOWN: Final = (
    Measure("network_p50_ms", "Server and network", "p50", "ms", "from publishing to the client's kernel, median"),
    Measure("network_p99_ms", "Server and network", "p99", "ms", "the same, p99"),
    Measure("wait_p50_ms", "Load generator", "p50", "ms", "in the client's kernel until the generator read it, median"),
    Measure("wait_p99_ms", "Load generator", "p99", "ms", "the same, p99"),
    Measure("first_client_ms", "Latency of a message's", "first client", "ms", "the median over messages"),
    Measure("middle_client_ms", "Latency of a message's", "middle client", "ms", "the median over messages"),
    Measure("last_client_ms", "Latency of a message's", "last client", "ms", "the median over messages"),
)
"""The parts of latency: see latency_parts.py."""


def latencies(run: Run) -> pd.DataFrame:
    """Return what `window` does of all cells, after the KEYS columns."""
    return with_keys(run, {str(cell["cell"]): window(run, cell).frame() for cell in records(run.finished)})


def window(run: Run, cell: CellRow) -> Columns:
    """Return the deliveries due in a cell's window, with latency_ms, transit_ms, lateness_ms, wait_ms and due_s.

    wait_ms: from the kernel's stamp to our read, NaN without a stamp.
    due_s: seconds from the start of the window to the due instant.
    """
    deliveries, from_ns = run.rows.columns("deliveries", cell["cell"]), cell["window_from_ns"]
    due_ns = deliveries["due_ns"].to_numpy()
    inside = np.asarray((due_ns >= from_ns) & (due_ns < cell["window_until_ns"]))
    return deliveries[inside].assign(
        latency_ms=lambda rows: (rows["received_ns"] - rows["due_ns"]) / NS_PER_MS,
        transit_ms=lambda rows: (rows["received_ns"] - rows["published_ns"]) / NS_PER_MS,
        lateness_ms=lambda rows: (rows["published_ns"] - rows["due_ns"]) / NS_PER_MS,
        wait_ms=lambda rows: ((rows["received_ns"] - rows["arrived_ns"]) / NS_PER_MS).where(rows["arrived_ns"] > 0),
        due_s=lambda rows: (rows["due_ns"] - from_ns) / 1e9,
    )


def conservation(run: Run) -> pd.DataFrame:
    """Return one row per cell and user: the KEYS, `user`, and the COUNTS of losses.py."""
    parts = []
    for cell in records(run.finished):
        counts = _accounts(run, cell).reset_index()
        parts.append(counts.assign(**{key: cell[key] for key in KEYS})[[*KEYS, "user", *COUNTS]])
    return pd.concat(parts, ignore_index=True)


def _accounts(run: Run, cell: CellRow, by_user: ByUser | None = None) -> pd.DataFrame:
    """Return the COUNTS of a cell's users, index `user`. by_user: of its deliveries, to save working it out twice."""
    summary, published = run.rows.summaries.get(cell["cell"]), run.rows.of("published", cell["cell"])
    due = published[published["due_ns"].between(cell["window_from_ns"], cell["window_until_ns"], inclusive="left")]
    overdue = due["id"][due["due_ns"] <= cell["load_ended_ns"] - _allowed_ns(run, cell)]
    ids, overdue_id = np.sort(due["id"].to_numpy()), int(overdue.max()) if len(overdue) else 0
    if summary is not None:
        users = users_of(summary)
    else:
        users = tallied(by_user or ByUser.of(run.rows.columns("deliveries", cell["cell"])), ids)
    return settled(users, ids, cell["clients"], overdue_id, states=_are_states(run, cell))


def _setting(run: Run, cell: CellRow) -> Mapping[str, object]:
    (setting,) = (each for each in run.manifest.scenarios if each["name"] == cell["scenario"])
    return setting


def _are_states(run: Run, cell: CellRow) -> bool:
    """Whether a server that is not ours tells only the newest message, `latest` in its adapter."""
    told = str(_setting(run, cell).get("adapter") or "")
    return bool(told) and bool(json.loads(told)["adapter"].get(cell["pattern"], {}).get("latest"))


def _allowed_ns(run: Run, cell: CellRow) -> int:
    setting = _setting(run, cell)
    interval_s, jitter_ms = float(str(setting["poll_interval_s"])), float(str(setting.get("jitter_ms", 0)))
    pace = str(setting.get("poll_pace", "rate"))
    return round(allowed_s(interval_s, pace, float(cell["rtt_ms"]), jitter_ms) * NS_PER_S)


def _tables(run: Run, cell: CellRow) -> dict[str, Table]:
    """Return the tables of a cell, of one that kept a summary those that it is not of."""
    kept: dict[str, Table] = {table: run.rows.of(table, cell["cell"]) for table in TABLES if table not in NOT_KEPT}
    if cell["cell"] in run.rows.summaries:
        return kept
    return kept | {table: run.rows.columns(table, cell["cell"]) for table in NOT_KEPT}


def open_books(run: Run, cell: CellRow) -> list[str]:
    """Return what does not add up in one cell of `Run.finished`, one line each: see consistency.py."""
    if summary := run.rows.summaries.get(cell["cell"]):
        return discrepancies_of(summary, cell, _accounts(run, cell), _tables(run, cell))
    return discrepancies(cell, _accounts(run, cell), _tables(run, cell))


def per_cell(run: Run) -> pd.DataFrame:
    """Return one row per finished cell: the KEYS, label, every measure, the COUNTS, and the errors by kind.

    received: as delivered, but counted from the users' rows alone. discrepancies: how many lines `open_books` has.
    warmup_share: of the window's deliveries, those that `warmup_cut` counts as warming up. And the columns of
    send_delay.py and ordering.py.
    """
    intervals_ns = {
        scenario["name"]: round(float(str(scenario["poll_interval_s"])) * NS_PER_S)
        for scenario in run.manifest.scenarios
    }
    rows = [_measure(run, cell, intervals_ns[cell["scenario"]]) for cell in records(run.finished)]
    frame = pd.DataFrame(rows)
    return frame.fillna({column: 0 for column in map(str, frame) if column.startswith("error_")})


def _measure(run: Run, cell: CellRow, interval_ns: int) -> dict[str, object]:
    summary = run.rows.summaries.get(cell["cell"])
    found = _of_rows(run, cell, interval_ns) if summary is None else _of_summary(run, cell, summary)
    return {
        **{key: cell[key] for key in (*KEYS, "label")},
        "relay_late_mean_ms": cell["relay_late_mean_ms"],
        "relay_late_max_ms": cell["relay_late_max_ms"],
        ERROR: cell[ERROR],
        CHANGE: cell[CHANGE],
        **found,
    }


def _of_rows(run: Run, cell: CellRow, interval_ns: int) -> dict[str, object]:
    from_ns, until_ns = cell["window_from_ns"], cell["window_until_ns"]
    tables = _tables(run, cell)
    deliveries, requests, published = tables["deliveries"], tables["requests"], tables["published"]
    by_user = ByUser.of(deliveries)
    per_user, watched = _accounts(run, cell, by_user), watch(by_user, deliveries, requests, published)
    del by_user
    counts = per_user[COUNTS].sum()
    delivered = int(counts["delivered"])
    measured = window(run, cell)
    first = first_arrivals(measured)
    samples = run.rows.of("samples", cell["cell"])
    generator = samples[samples["role"] == "generator"]
    return {
        "messages": int(counts["owed"]) // cell["clients"],
        "pushed_ratio": float((deliveries["mode"] == "pushed").mean()),
        **latency_of(first, cell[ERROR]),
        **floors(first, generator, QUANTILES, asked_late_ms(first, requests, cell["rtt_ms"])),
        **parts(first),
        **positions(first),
        "warmup_share": warmup_cut(measured["latency_ms"], measured["due_ns"]) / max(len(measured), 1),
        **request_costs(requests, deliveries, from_ns, until_ns, delivered),
        **send_pace(requests, from_ns, until_ns, interval_ns),
        **sample_costs(samples, between(deliveries["received_ns"]), from_ns, until_ns, delivered, cell["clients"]),
        **{count: int(counts[count]) for count in COUNTS},
        **watched,
        "discrepancies": len(discrepancies(cell, per_user, tables)),
    }


def _of_summary(run: Run, cell: CellRow, summary: Summary) -> dict[str, object]:
    """The same as far as a summary tells; the rest is NaN."""
    samples, published = (run.rows.of(table, cell["cell"]) for table in ("samples", "published"))
    from_ns, until_ns = cell["window_from_ns"], cell["window_until_ns"]
    per_user = _accounts(run, cell)
    counts = per_user[COUNTS].sum()
    delivered = int(counts["delivered"])
    names = process_names(samples[samples["role"] == "generator"])

    def received(after: Look, until: Look) -> float:
        """Each process counts its own, and all of them are meant."""
        return len(names) * summary.received(names[after["pid"]], after["look"], until["look"])

    return {
        "messages": int(counts["owed"]) // cell["clients"],
        **deliveries_of(summary.deliveries, QUANTILES, TRANSIT),
        **requests_of(summary, delivered),
        **sample_costs(samples, received, from_ns, until_ns, delivered, cell["clients"]),
        **{count: int(counts[count]) for count in COUNTS},
        **promises_of(summary.users, published),
        "discrepancies": len(discrepancies_of(summary, cell, per_user, _tables(run, cell))),
    }


def latency_of(first: Table, clock_error_ms: float = 0.0) -> dict[str, float]:
    """Quantiles and spread of one cell's first arrivals. A quantile is a value that was measured, not one between.

    negative: deliveries that arrived before they were published, by more than the clocks may be wrong.
    """
    values = first["latency_ms"].to_numpy()
    if not len(values):
        return dict.fromkeys([*QUANTILES, "mean_ms", *TRANSIT, "lateness_p99_ms"], np.nan) | {
            "negative": 0,
            "received": 0,
        }
    quantiles = np.quantile(values, list(QUANTILES.values()), method="inverted_cdf")
    transit = np.quantile(first["transit_ms"].to_numpy(), list(TRANSIT.values()), method="inverted_cdf")
    return {
        **dict(zip(QUANTILES, map(float, quantiles), strict=True)),
        "mean_ms": float(values.mean()),
        **dict(zip(TRANSIT, map(float, transit), strict=True)),
        "lateness_p99_ms": float(np.quantile(first["lateness_ms"].to_numpy(), 0.99, method="inverted_cdf")),
        "negative": int((first["transit_ms"].to_numpy() < -clock_error_ms).sum()),
        "received": len(values),
    }


def summary(run: Run, cells: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row per scenario, value of each dimension, and pattern, in planned order.

    Every number of `per_cell` but the counts becomes its median over repeats with `<name>_low` and `<name>_high`, the
    interval of `statistics.median_interval` (NaN for a single repeat, which has none). That of a latency reaches
    down to its floor, where the instrument's own part is taken out (instrument_part.py), and both ways as far as two
    clocks may be wrong (clock_error.py). Counts and errors are
    summed over repeats, of WORST the largest is taken. `cells`: what `per_cell(run)` returned, to save working it
    out twice.
    """
    cells = per_cell(run) if cells is None else cells
    columns = [str(column) for column in cells if column not in {*KEYS, "label"}]
    summed = [c for c in columns if c in SUMMED or c.startswith("error")]
    floored = [name for name in QUANTILES if f"{name}_floor" in columns]
    rows = []
    for _, group in cells.groupby(SITUATION, observed=True, sort=False):
        first = records(group[[*SITUATION, "label"]])[0]
        row: dict[Hashable, Any] = {**first, "repeats": len(group)}
        for column in columns:
            values = group[column].to_numpy()
            if column in summed:
                row[column] = int(values.sum())
            elif column in WORST:
                row[column] = float(np.fmax.reduce(values))
            else:
                row |= _over_repeats(column, values)
        for name in floored:
            row[f"{name}_low"] = np.fmin(row[f"{name}_low"], row[f"{name}_floor_low"])
        for name in CROSSING & row.keys():
            row[f"{name}_low"] -= row[ERROR]
            row[f"{name}_high"] += row[ERROR]
        rows.append(row)
    return pd.DataFrame(rows)


def _over_repeats(name: str, values: np.ndarray) -> dict[Hashable, float]:
    known = values[np.isfinite(values)]
    # Of a tail that not every repeat knows, it is the worst ones that are not known.
    if not len(known) or (name in TAIL_PARTS and len(known) < len(values)):
        return dict.fromkeys([name, f"{name}_low", f"{name}_high"], np.nan)
    interval = median_interval(known)
    low, high = (np.nan, np.nan) if interval.method == "single" else (interval.low, interval.high)
    return {name: interval.median, f"{name}_low": low, f"{name}_high": high}
