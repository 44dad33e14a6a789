"""PURE. What the deliveries of one cell cost: requests, bytes, CPU and memory. Everything is cut to the window.

A response counts when it was complete inside the window. Bytes that belong to no single message (heads, empty
answers, heartbeats) are spread evenly over the life of their request, so that a stream pays the same way as a poll.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from loadtests.records.rows import ROLES, STALL_NS
from loadtests.summary.reduction import part_inside
from reports.data.columns import Table
from servers.timing import NS_PER_MS, NS_PER_S

WIRED: Final = (
    *("at_ns", "pid", "connections"),
    *("wire_bytes_in", "wire_bytes_out", "wire_segments_in", "wire_segments_out"),
)
SAMPLED: Final = (*WIRED, "cpu_ns", "waited_ns", "lag_ns", "rss_bytes", "kernel_socket_bytes")
Process = Mapping[str, np.ndarray]
"""The samples of one process in the order in which they were taken: SAMPLED, by column."""
Look = Mapping[str, int]
"""One of them: WIRED, by column, and `look`, its number among all of its process, from 0."""
Received = Callable[[Look, Look], float]
"""Between two looks of one process, as `looks` returns them."""


def between(received_ns: "pd.Series[int]") -> Received:
    """Return what counts the deliveries of a whole cell between two looks, given when they came."""
    return lambda after, until: float(received_ns.between(after["at_ns"], until["at_ns"], inclusive="right").sum())


def request_costs(requests: Table, deliveries: Table, from_ns: int, until_ns: int, delivered: int) -> dict[str, float]:
    """Return requests and HTTP bytes per delivery, the empty ratio, and failures by kind (`error_<kind>`).

    repeated_requests: sent once more, since the server had closed the connection that they were on.
    answer_ms: a request's median time without its hold; turnaround_ms: from an answer to the user's next request.

    requests, deliveries: one whole cell. delivered: messages due in the window that arrived.
    """
    answered = answered_in(requests, from_ns, until_ns)
    user, started_ns, ended_ns, hold_ns, empty = (
        requests[name].to_numpy()[answered] for name in ("user", "started_ns", "ended_ns", "hold_ns", "empty")
    )
    error = requests["error"]
    failed = error[~error.isin(["", "cut"])]
    errors = dict(failed.value_counts()) if len(failed) else {}
    overhead = _window_overhead_bytes(requests, deliveries, from_ns, until_ns)
    payload = float(deliveries["bytes"].mean()) if len(deliveries) else np.nan
    return {
        "requests_per_delivery": _per(len(user), delivered),
        "responses_per_s": len(user) / ((until_ns - from_ns) / 1e9),
        "empty_ratio": _per(int(empty.sum()), len(user)),
        "payload_bytes_per_delivery": payload,
        "http_bytes_per_delivery": payload + _per(overhead, delivered),
        "answer_ms": _median(ended_ns - started_ns - hold_ns) / NS_PER_MS,
        "hold_ms": float(hold_ns.mean() / NS_PER_MS) if hold_ns.any() else np.nan,
        "turnaround_ms": _turnaround_ms(user, started_ns, ended_ns),
        "repeated_requests": int(requests["repeated"].sum()) if "repeated" in requests else 0,
        "errors": len(failed),
        **{f"error_{kind}": int(count) for kind, count in errors.items() if count},
    }


def answered_in(requests: Table, from_ns: int, until_ns: int) -> np.ndarray:
    """Say of each request whether its answer was complete in the window."""
    ended_ns, status = requests["ended_ns"].to_numpy(), requests["status"].to_numpy()
    answered: np.ndarray = (ended_ns >= from_ns) & (ended_ns < until_ns) & (status > 0)
    return answered


def _turnaround_ms(user: np.ndarray, started_ns: np.ndarray, ended_ns: np.ndarray) -> float:
    """Median time from an answer to the same user's next request."""
    order = np.lexsort((started_ns, user))
    pause_ns = started_ns[order][1:] - ended_ns[order][:-1]
    return _median(pause_ns[np.diff(user[order]) == 0]) / NS_PER_MS


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else np.nan


def _window_overhead_bytes(requests: Table, deliveries: Table, from_ns: int, until_ns: int) -> float:
    if not len(requests):
        return np.nan
    mean_payload = float(deliveries["bytes"].mean()) if len(deliveries) else 0.0
    overhead = requests["bytes_in"] + requests["bytes_out"] - requests["messages"] * mean_payload
    lives = requests["started_ns"].to_numpy(), requests["ended_ns"].to_numpy()
    return float((overhead * part_inside(*lives, from_ns, until_ns)).sum())


def sample_costs(
    samples: pd.DataFrame, received: Received, from_ns: int, until_ns: int, delivered: int, clients: int
) -> dict[str, float]:
    """Return CPU, memory and wire bytes per delivery or client, and how busy and how starved each process was.

    received: how many deliveries came between two looks at the sockets. delivered: messages due in the window that
    arrived.
    NaN where the platform has no such number. Shares are of one core, of the busiest process of a role:
    <role>_cpu_peak in its busiest second, <role>_cpu_usual in the median one, <role>_waited_share of the median second
    is what it spent ready to run and without a core. generator_processes drove the clients; generator_lag_ms is that of
    the latest of them, NaN where one was not watched.
    """
    by_role = {role: processes(samples[(samples["role"] == role).to_numpy()]) for role in ROLES}
    server, generator = by_role["server"], by_role["generator"]
    window_ns = until_ns - from_ns
    cpu_ns = _grown(server, "cpu_ns", from_ns, until_ns)
    return {
        "cpu_ms_per_1000": _per(cpu_ns / NS_PER_MS * 1000, delivered),
        "server_cpu_share": cpu_ns / window_ns,
        "relay_cpu_share": _grown(by_role["relay"], "cpu_ns", from_ns, until_ns) / window_ns,
        "generator_cpu_share": max(_growth_each(generator, "cpu_ns", from_ns, until_ns), default=np.nan) / window_ns,
        "generator_processes": float(len(generator) or np.nan),
        **_lag(generator, from_ns, until_ns),
        "generator_stopped_ms": _stopped_ms(generator, from_ns, until_ns),
        "connections": _connections(generator),
        **_each_second(by_role, from_ns, until_ns),
        **_wire(generator, received, from_ns, until_ns),
        "memory_per_client_bytes": _growth_per_client(server, "rss_bytes", from_ns, until_ns, clients),
        "kernel_per_client_bytes": _growth_per_client(server, "kernel_socket_bytes", from_ns, until_ns, clients),
    }


def by_host(samples: pd.DataFrame, from_ns: int, until_ns: int) -> dict[str, dict[str, float]]:
    """Return the same for the samples of each load host, by its name; nothing where this machine drove the users."""
    if "host" not in samples:
        return {}
    theirs = samples[samples["host"] != ""]
    return {
        str(host): sample_costs(rows, lambda *_: 0.0, from_ns, until_ns, 0, 1)
        for host, rows in theirs.groupby("host", observed=True)
    }


def processes(samples: pd.DataFrame) -> list[Process]:
    """Return the samples of each process."""
    if not len(samples):
        return []
    at_ns, pids = samples["at_ns"].to_numpy(), samples["pid"].to_numpy()
    order = np.lexsort((at_ns, pids))
    edges = np.flatnonzero(np.diff(pids[order])) + 1
    columns = {name: np.split(samples[name].to_numpy()[order], edges) for name in SAMPLED}
    return [dict(zip(columns, each, strict=True)) for each in zip(*columns.values(), strict=True)]


def _known(process: Process, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Return when the platform had a number, and the numbers."""
    known = process[column] >= 0
    return process["at_ns"][known], process[column][known]


def _lag(generator: Sequence[Process], from_ns: int, until_ns: int) -> dict[str, float]:
    """How late the loop of the latest process was, median and max.

    By the looks in the window, and by the one behind it that tells of a lag within.
    """
    medians, most = [], np.nan
    for process in generator:
        at_ns, lag_ns = _known(process, "lag_ns")
        begun_ns = at_ns - np.where(lag_ns >= STALL_NS, lag_ns, 0)
        within_ms = lag_ns[(at_ns >= from_ns) & (begun_ns <= until_ns)] / NS_PER_MS
        medians.append(np.median(within_ms) if len(within_ms) else np.nan)
        most = np.fmax(most, within_ms.max()) if len(within_ms) else most
    return {
        "generator_lag_ms": float(np.max(medians)) if medians else np.nan,
        "generator_lag_max_ms": float(most),
    }


def _stopped_ms(generator: Sequence[Process], from_ns: int, until_ns: int) -> float:
    """How much of the window load processes stood still: the longest of them; NaN without samples."""
    longest_ns = np.nan
    for process in generator:
        ended_ns, lag_ns = _known(process, "lag_ns")
        if len(lag_ns):
            stops = lag_ns >= STALL_NS
            ended_ns, begun_ns = ended_ns[stops], (ended_ns - lag_ns)[stops]
            lost_ns = np.minimum(ended_ns, until_ns) - np.maximum(begun_ns, from_ns)
            longest_ns = np.fmax(longest_ns, lost_ns.clip(0).sum())
    return float(longest_ns) / NS_PER_MS


def _connections(generator: Sequence[Process]) -> float:
    known = [each for process in generator if len(each := _known(process, "connections")[1])]
    return float(sum(each.max() for each in known)) if known else np.nan


def _each_second(by_role: Mapping[str, Sequence[Process]], from_ns: int, until_ns: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for role, of_role in by_role.items():
        cpu = _per_second(of_role, "cpu_ns", from_ns, until_ns)
        waited = _per_second(of_role, "waited_ns", from_ns, until_ns)
        found |= {
            f"{role}_cpu_peak": max((seconds.max() for seconds in cpu), default=np.nan),
            f"{role}_cpu_usual": max((float(np.median(seconds)) for seconds in cpu), default=np.nan),
            f"{role}_waited_share": max((float(np.median(seconds)) for seconds in waited), default=np.nan),
        }
    return found


def _per_second(of_role: Sequence[Process], column: str, from_ns: int, until_ns: int) -> list[np.ndarray]:
    """How fast a cumulative counter of ns grew in each second of the window, in ns per ns; one array a process.

    What is left over at the end joins the last second.
    """
    edges = from_ns + np.arange(max(1, (until_ns - from_ns) // NS_PER_S)) * NS_PER_S
    edges = np.append(edges, until_ns)
    known = [_known(process, column) for process in of_role]
    return [np.diff(np.interp(edges, at_ns, values)) / np.diff(edges) for at_ns, values in known if len(at_ns) > 1]


def _wire(generator: Sequence[Process], received: Received, from_ns: int, until_ns: int) -> dict[str, float]:
    """Bytes and segments between two looks at the sockets, over the deliveries that came between the same two.

    Not interpolated to the window: traffic comes in steps, one a message, and half a step is a wrong answer.
    """
    bytes_seen = segments_seen = 0.0
    found = looks(generator, from_ns, until_ns)
    for first, last in found:
        grown = {name: last[name] - first[name] for name in first}
        bytes_seen += grown["wire_bytes_in"] + grown["wire_bytes_out"]
        segments_seen += grown["wire_segments_in"] + grown["wire_segments_out"]
    delivered = delivered_between(found, received)
    return {
        "wire_bytes_per_delivery": _per(bytes_seen, delivered),
        "segments_per_delivery": _per(segments_seen, delivered),
    }


def delivered_between(found: Sequence[tuple[Look, Look]], received: Received) -> float:
    """Return how many deliveries came between the two looks of each load process; each has an equal share of them."""
    return sum(received(first, last) / len(found) for first, last in found)


def looks(generator: Sequence[Process], from_ns: int, until_ns: int) -> list[tuple[Look, Look]]:
    """Return the two looks at the sockets that are nearest behind the window's edges, for each load process.

    Empty when a process has no two of them.
    """
    found = list[tuple[Look, Look]]()
    for process in generator:
        known = np.flatnonzero(process["wire_bytes_in"] >= 0)
        if not len(known):
            continue
        at_ns = process["at_ns"][known]
        first, after = np.searchsorted(at_ns, (from_ns, until_ns))
        if len(known) - first < 2:
            return []
        last = max(first, after) if after < len(known) else len(known) - 1
        before, behind = (
            {name: int(process[name][at]) for name in WIRED} | {"look": int(at)} for at in known[[first, last]]
        )
        found.append((before, behind))
    return found


def _per(amount: float, count: float) -> float:
    return amount / count if count else np.nan


def _growth_each(of_role: Sequence[Process], column: str, from_ns: int, until_ns: int) -> list[float]:
    """Growth of a cumulative counter over the window, one number per process, interpolated at the edges."""
    known = [_known(process, column) for process in of_role]
    edges = [np.interp([from_ns, until_ns], at_ns, values) for at_ns, values in known if len(at_ns) > 1]
    return [float(high - low) for low, high in edges]


def _grown(of_role: Sequence[Process], column: str, from_ns: int, until_ns: int) -> float:
    grown = _growth_each(of_role, column, from_ns, until_ns)
    return sum(grown) if grown else np.nan


def _growth_per_client(of_role: Sequence[Process], column: str, from_ns: int, until_ns: int, clients: int) -> float:
    """Median in the window less the first sample, which was taken before any client came. Of all processes together."""
    known = [_known(process, column) for process in of_role]
    if not known:
        return np.nan
    at_ns, which = np.unique(np.concatenate([at_ns for at_ns, _ in known]), return_inverse=True)
    together = np.bincount(which, weights=np.concatenate([values for _, values in known]))
    inside = together[(at_ns >= from_ns) & (at_ns <= until_ns)]
    return float(np.median(inside) - together[0]) / clients if len(inside) else np.nan
