"""PURE. What the deliveries of one cell cost: requests, bytes, CPU and memory. Everything is cut to the window.

A response counts when it was complete inside the window. Bytes that belong to no single message (heads, empty
answers, heartbeats) are spread evenly over the life of their request, so that a stream pays the same way as a poll.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from loadtests.records.rows import ROLES, STALL_NS
from loadtests.summary.reduction import part_inside
from servers.timing import NS_PER_MS, NS_PER_S

Received = Callable[[int, int], float]
"""After the first instant, until the second."""


def between(received_ns: "pd.Series[int]") -> Received:
    """Return what counts the deliveries of a whole cell between two looks, given when they came."""
    return lambda after_ns, until_ns: float(received_ns.between(after_ns, until_ns, inclusive="right").sum())


def request_costs(
    requests: pd.DataFrame, deliveries: pd.DataFrame, from_ns: int, until_ns: int, delivered: int
) -> dict[str, float]:
    """Return requests and HTTP bytes per delivery, the empty ratio, and failures by kind (`error_<kind>`).

    repeated_requests: sent once more, since the server had closed the connection that they were on.
    answer_ms: a request's median time without its hold; turnaround_ms: from an answer to the user's next request.

    requests, deliveries: one whole cell. delivered: messages due in the window that arrived.
    """
    answered = answered_in(requests, from_ns, until_ns)
    answer_ns = answered["ended_ns"] - answered["started_ns"] - answered["hold_ns"]
    errors = requests["error"][~requests["error"].isin(["", "cut"])].value_counts()
    overhead = _window_overhead_bytes(requests, deliveries, from_ns, until_ns)
    payload = float(deliveries["bytes"].mean()) if len(deliveries) else np.nan
    return {
        "requests_per_delivery": _per(len(answered), delivered),
        "responses_per_s": len(answered) / ((until_ns - from_ns) / 1e9),
        "empty_ratio": _per(int(answered["empty"].sum()), len(answered)),
        "payload_bytes_per_delivery": payload,
        "http_bytes_per_delivery": payload + _per(overhead, delivered),
        "answer_ms": float(answer_ns.median() / NS_PER_MS),
        "hold_ms": float(answered["hold_ns"].mean() / NS_PER_MS) if answered["hold_ns"].any() else np.nan,
        "turnaround_ms": _turnaround_ms(answered),
        "repeated_requests": int(requests["repeated"].sum()) if "repeated" in requests else 0,
        "errors": int(errors.sum()),
        **{f"error_{kind}": int(count) for kind, count in errors.items() if count},
    }


def answered_in(requests: pd.DataFrame, from_ns: int, until_ns: int) -> pd.DataFrame:
    """Return the requests whose answer was complete in the window."""
    return requests[(requests["ended_ns"] >= from_ns) & (requests["ended_ns"] < until_ns) & (requests["status"] > 0)]


def _turnaround_ms(answered: pd.DataFrame) -> float:
    """Median time from an answer to the same user's next request."""
    ordered = answered.sort_values(["user", "started_ns"])
    pause_ns = ordered["started_ns"] - ordered["ended_ns"].shift()
    return float(pause_ns[ordered["user"] == ordered["user"].shift()].median() / NS_PER_MS)


def _window_overhead_bytes(requests: pd.DataFrame, deliveries: pd.DataFrame, from_ns: int, until_ns: int) -> float:
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
    server, generator = samples[samples["role"] == "server"], samples[samples["role"] == "generator"]
    window_ns = until_ns - from_ns
    cpu_ns = _grown(server, "cpu_ns", from_ns, until_ns)
    lag_ms = _lag_ms(generator, from_ns, until_ns)
    return {
        "cpu_ms_per_1000": _per(cpu_ns / NS_PER_MS * 1000, delivered),
        "server_cpu_share": cpu_ns / window_ns,
        "relay_cpu_share": _grown(samples[samples["role"] == "relay"], "cpu_ns", from_ns, until_ns) / window_ns,
        "generator_cpu_share": _busiest(generator, from_ns, until_ns) / window_ns,
        "generator_processes": float(generator["pid"].nunique() or np.nan),
        "generator_lag_ms": float(lag_ms["median"].max(skipna=False)),
        "generator_lag_max_ms": float(lag_ms["max"].max()),
        "generator_stopped_ms": _stopped_ms(generator, from_ns, until_ns),
        "connections": _connections(generator),
        **_each_second(samples, from_ns, until_ns),
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


def _lag_ms(generator: pd.DataFrame, from_ns: int, until_ns: int) -> pd.DataFrame:
    """How late the loop of each process was, median and max; NaN of one that nobody watched.

    By the looks in the window, and by the one behind it that tells of a lag within.
    """
    known = generator[generator["lag_ns"] >= 0]
    begun_ns = known["at_ns"] - known["lag_ns"].where(known["lag_ns"] >= STALL_NS, 0)
    within = known[(known["at_ns"] >= from_ns) & (begun_ns <= until_ns)]
    found = (within["lag_ns"] / NS_PER_MS).groupby(within["pid"]).agg(["median", "max"])
    return found.reindex(generator["pid"].unique())


def _stopped_ms(generator: pd.DataFrame, from_ns: int, until_ns: int) -> float:
    """How much of the window load processes stood still: the longest of them; NaN without samples."""
    known = generator[generator["lag_ns"] >= 0]
    if not len(known):
        return np.nan
    stops = known[known["lag_ns"] >= STALL_NS]
    ended_ns, begun_ns = stops["at_ns"], stops["at_ns"] - stops["lag_ns"]
    lost_ns = (ended_ns.clip(upper=until_ns) - begun_ns.clip(lower=from_ns)).clip(lower=0)
    return float(lost_ns.groupby(stops["pid"]).sum().max()) / NS_PER_MS if len(stops) else 0.0


def _connections(generator: pd.DataFrame) -> float:
    known = generator[generator["connections"] >= 0]
    return float(known.groupby("pid")["connections"].max().sum()) if len(known) else np.nan


def _each_second(samples: pd.DataFrame, from_ns: int, until_ns: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for role in ROLES:
        of_role = samples[samples["role"] == role]
        cpu = _per_second(of_role, "cpu_ns", from_ns, until_ns)
        waited = _per_second(of_role, "waited_ns", from_ns, until_ns)
        found |= {
            f"{role}_cpu_peak": max((seconds.max() for seconds in cpu), default=np.nan),
            f"{role}_cpu_usual": max((float(np.median(seconds)) for seconds in cpu), default=np.nan),
            f"{role}_waited_share": max((float(np.median(seconds)) for seconds in waited), default=np.nan),
        }
    return found


def _per_second(samples: pd.DataFrame, column: str, from_ns: int, until_ns: int) -> list[np.ndarray]:
    """How fast a cumulative counter of ns grew in each second of the window, in ns per ns; one array a process.

    What is left over at the end joins the last second.
    """
    edges = from_ns + np.arange(max(1, (until_ns - from_ns) // NS_PER_S)) * NS_PER_S
    edges = np.append(edges, until_ns)
    known = samples[samples[column] >= 0].sort_values("at_ns")
    processes = [process for _, process in known.groupby("pid") if len(process) > 1]
    return [np.diff(np.interp(edges, each["at_ns"], each[column])) / np.diff(edges) for each in processes]


def _wire(generator: pd.DataFrame, received: Received, from_ns: int, until_ns: int) -> dict[str, float]:
    """Bytes and segments between two looks at the sockets, over the deliveries that came between the same two.

    Not interpolated to the window: traffic comes in steps, one a message, and half a step is a wrong answer.
    """
    bytes_seen = segments_seen = delivered = 0.0
    found = looks(generator, from_ns, until_ns)
    for first, last in found:
        grown = last - first
        bytes_seen += grown["wire_bytes_in"] + grown["wire_bytes_out"]
        segments_seen += grown["wire_segments_in"] + grown["wire_segments_out"]
        delivered += received(int(first["at_ns"]), int(last["at_ns"])) / len(found)
    return {
        "wire_bytes_per_delivery": _per(bytes_seen, delivered),
        "segments_per_delivery": _per(segments_seen, delivered),
    }


def looks(generator: pd.DataFrame, from_ns: int, until_ns: int) -> "list[tuple[pd.Series[int], pd.Series[int]]]":
    """Return the two looks at the sockets that are nearest behind the window's edges, for each load process.

    Empty when a process has no two of them.
    """
    columns = ["at_ns", "connections", "wire_bytes_in", "wire_bytes_out", "wire_segments_in", "wire_segments_out"]
    found = []
    for _, process in generator[generator["wire_bytes_in"] >= 0].sort_values("at_ns").groupby("pid"):
        inside = process.loc[process["at_ns"] >= from_ns, columns]
        if len(inside) < 2:
            return []
        after = inside[inside["at_ns"] >= until_ns]
        found.append((inside.iloc[0], after.iloc[0] if len(after) else inside.iloc[-1]))
    return found


def _per(amount: float, count: float) -> float:
    return amount / count if count else np.nan


def _growth_each(samples: pd.DataFrame, column: str, from_ns: int, until_ns: int) -> list[float]:
    """Growth of a cumulative counter over the window, one number per process, interpolated at the edges."""
    known = samples[samples[column] >= 0].sort_values("at_ns")
    grown = []
    for _, process in known.groupby("pid"):
        if len(process) < 2:
            continue
        low, high = np.interp([from_ns, until_ns], process["at_ns"], process[column])
        grown.append(float(high - low))
    return grown


def _grown(samples: pd.DataFrame, column: str, from_ns: int, until_ns: int) -> float:
    grown = _growth_each(samples, column, from_ns, until_ns)
    return sum(grown) if grown else np.nan


def _busiest(samples: pd.DataFrame, from_ns: int, until_ns: int) -> float:
    return max(_growth_each(samples, "cpu_ns", from_ns, until_ns), default=np.nan)


def _growth_per_client(samples: pd.DataFrame, column: str, from_ns: int, until_ns: int, clients: int) -> float:
    """Median in the window less the first sample, which was taken before any client came. Of all processes together."""
    known = samples[samples[column] >= 0].groupby("at_ns")[column].sum()
    inside = known[(known.index >= from_ns) & (known.index <= until_ns)]
    if not len(inside):
        return np.nan
    return float(inside.median() - known.iloc[0]) / clients
